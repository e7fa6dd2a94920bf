"""Trains static networks for a number of updates and keeps losses and selected weights."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.experiments.manifold import static_network as networks
from decoderd.experiments.manifold.static_network import Network, Rates, Samples, UpdateBlock


class TrainingRun(NamedTuple):
    """Losses and weights of B networks over n updates.

    A network that would become unstable stops; its losses and norms are NaN from then on.
    """

    losses: Array  # (B, n + 1) before each update and after the last
    gradient_norms: Array  # (B, n) before each update
    stopped: NDArray[np.int64]  # (B,) the update that would have made it unstable, -1 for none
    at: Array  # (B, len(at), N, N) W before the updates `at`, NaN once stopped
    below: Array  # (B, len(fractions), N, N) W when the loss first was below these fractions of the first; NaN: never
    end: Network
    rounding: float


def train(
    network: Network,
    rates: Rates,
    updates: int,
    at: tuple[int, ...] = (),
    fractions: tuple[float, ...] = (),
    samples: Samples | None = None,
) -> TrainingRun:
    """Learn for a number of updates.

    W is kept before the updates `at`, and where the loss first falls below each of `fractions` of the first loss.
    """
    batch, n = network.b.shape
    losses, norms = np.full((batch, updates + 1), np.nan), np.full((batch, updates), np.nan)
    stopped = np.full(batch, -1)
    kept_at, below = np.full((batch, len(at), n, n), np.nan), np.full((batch, len(fractions), n, n), np.nan)
    reached = np.full((batch, len(fractions)), False)
    end, rounding, first = network, 0.0, 0
    for block in networks.descend(network, rates, updates, samples=samples):
        m = block.losses.shape[1]
        seen = (np.arange(m) <= block.kept[:, np.newaxis]) & (stopped < 0)[:, np.newaxis]
        losses[:, first : first + m] = np.where(seen, block.losses, np.nan)
        norms[:, first : first + m] = np.where(seen, block.gradient_norms, np.nan)
        goals = losses[:, :1] * np.array(fractions)
        for b, f, update in _crossings(losses[:, first : first + m], goals, reached):
            below[b, f], reached[b, f] = networks.weights_before(block, b, update), True
        for i, update in enumerate(at):
            if first <= update < first + m:
                _keep(kept_at[:, i], block, update - first, seen)
        stopped = np.where((block.kept < m) & (stopped < 0), first + block.kept, stopped)
        end, rounding, first = block.end, max(rounding, block.rounding), first + m
    going = stopped < 0
    losses[going, updates] = networks.loss(end)[going]
    goals = losses[:, :1] * np.array(fractions)
    for b, f, _ in _crossings(losses[:, updates:], goals, reached):
        below[b, f] = end.W[b]
    for i, update in enumerate(at):
        if update == updates:
            kept_at[going, i] = end.W[going]
    return TrainingRun(losses, norms, stopped, kept_at, below, end, rounding)


def updates_to(losses: Array, fraction: float) -> Array:
    """The first update before which losses (..., n + 1) are at most `fraction` of the first; NaN if there is none."""
    under = losses <= fraction * losses[..., :1]
    return np.where(under.any(axis=-1), under.argmax(axis=-1), np.nan)


def irregular(run: TrainingRun) -> NDArray[np.bool_]:
    """Whether the loss (B,) rose at any update, by more than rounding, or the network stopped."""
    rise = np.diff(run.losses, axis=1) > 1e-12 * run.losses[:, :-1]
    return rise.any(axis=1) | (run.stopped >= 0)


def _crossings(losses: Array, goals: Array, reached: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """(network, goal, update) of goals not yet reached that these losses reach."""
    under = (losses[:, np.newaxis] <= goals[..., np.newaxis]) & ~reached[..., np.newaxis]
    return [(int(b), int(f), int(under[b, f].argmax())) for b, f in np.argwhere(under.any(axis=-1))]


def _keep(into: Array, block: UpdateBlock, update: int, seen: NDArray[np.bool_]) -> None:
    for b in np.flatnonzero(seen[:, update]):
        into[b] = networks.weights_before(block, int(b), update)
