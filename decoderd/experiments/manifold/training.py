"""A course of learning of static networks, with what is kept of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.experiments.manifold import static_network as networks
from decoderd.experiments.manifold.static_network import Network, Rates, Samples, Stretch


class Course(NamedTuple):
    """Of B networks over n updates. After a network has stopped, unstable, its losses and norms are NaN."""

    losses: Array  # (B, n + 1) before each update and after the last
    gradient_norms: Array  # (B, n) before each update
    stopped: NDArray[np.int64]  # (B,) the update that would have made it unstable, -1 for none
    at: Array  # (B, len(updates), N, N) W before the updates asked for, NaN once stopped
    below: Array  # (B, len(parts), N, N) W when the loss first was below these parts of the first; NaN: never
    end: Network
    rounding: float


def follow(
    network: Network,
    rates: Rates,
    updates: int,
    at: tuple[int, ...] = (),
    parts: tuple[float, ...] = (),
    samples: Samples | None = None,
) -> Course:
    """Learn for so many updates; keep W before updates `at`, and where the loss falls below `parts` of the first."""
    batch, n = network.b.shape
    losses, norms = np.full((batch, updates + 1), np.nan), np.full((batch, updates), np.nan)
    stopped = np.full(batch, -1)
    kept_at, below = np.full((batch, len(at), n, n), np.nan), np.full((batch, len(parts), n, n), np.nan)
    reached = np.full((batch, len(parts)), False)
    end, rounding, first = network, 0.0, 0
    for stretch in networks.descend(network, rates, updates, samples=samples):
        m = stretch.losses.shape[1]
        seen = (np.arange(m) <= stretch.kept[:, np.newaxis]) & (stopped < 0)[:, np.newaxis]
        losses[:, first : first + m] = np.where(seen, stretch.losses, np.nan)
        norms[:, first : first + m] = np.where(seen, stretch.gradient_norms, np.nan)
        goals = losses[:, :1] * np.array(parts)
        for b, f, update in _crossings(losses[:, first : first + m], goals, reached):
            below[b, f], reached[b, f] = networks.at(stretch, b, update), True
        for i, update in enumerate(at):
            if first <= update < first + m:
                _keep(kept_at[:, i], stretch, update - first, seen)
        stopped = np.where((stretch.kept < m) & (stopped < 0), first + stretch.kept, stopped)
        end, rounding, first = stretch.end, max(rounding, stretch.rounding), first + m
    going = stopped < 0
    losses[going, updates] = networks.loss(end)[going]
    goals = losses[:, :1] * np.array(parts)
    for b, f, _ in _crossings(losses[:, updates:], goals, reached):
        below[b, f] = end.W[b]
    for i, update in enumerate(at):
        if update == updates:
            kept_at[going, i] = end.W[going]
    return Course(losses, norms, stopped, kept_at, below, end, rounding)


def updates_to(losses: Array, part: float) -> Array:
    """The first update before which losses (..., n + 1) are at most `part` of the first; NaN if none is."""
    under = losses <= part * losses[..., :1]
    return np.where(under.any(axis=-1), under.argmax(axis=-1), np.nan)


def irregular(course: Course) -> NDArray[np.bool_]:
    """(B,): whether the loss rose at any update (by more than rounding), or the network stopped."""
    rise = np.diff(course.losses, axis=1) > 1e-12 * course.losses[:, :-1]
    return rise.any(axis=1) | (course.stopped >= 0)


def _crossings(losses: Array, goals: Array, reached: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """(network, goal, update) of goals not yet reached that these losses reach."""
    under = (losses[:, np.newaxis] <= goals[..., np.newaxis]) & ~reached[..., np.newaxis]
    return [(int(b), int(f), int(under[b, f].argmax())) for b, f in np.argwhere(under.any(axis=-1))]


def _keep(into: Array, stretch: Stretch, update: int, seen: NDArray[np.bool_]) -> None:
    for b in np.flatnonzero(seen[:, update]):
        into[b] = networks.at(stretch, int(b), update)
