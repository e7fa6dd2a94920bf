"""Mean rates of units by direction, of a recording and of its twin side by side. T bins, N units, K directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array

# More distinct directions than this are put into sectors, so that each mean is of many bins.
MOST_DIRECTIONS, SECTORS = 16, 12
CURVE_POINTS = 72


class Tuning(NamedTuple):
    """Rates in Hz."""

    direction: Array  # (K,) rad, ascending, from 0 to below 2 pi
    bins: NDArray[np.int64]  # (K,) recorded bins of each
    recorded: Array  # (K, N) mean rates of the recording
    error: Array  # (K, N) their standard errors
    twin: Array  # (K, N) mean rates of the twin over the same bins
    curve_direction: Array  # (CURVE_POINTS,) rad, of the whole circle
    curve: Array  # (CURVE_POINTS, N) the twin's rates there


def tuning(
    direction: Array,
    counts: Array,
    bin_s: float,
    in_bins: Callable[[NDArray[np.intp]], Array],
    at_directions: Callable[[Array], Array],
) -> Tuning:
    """Tuning of counts (T, N) to directions (T,) rad, and of a twin.

    Mean counts of the twin are `in_bins(rows)` (R, N) in bins of these indices (R,), and `at_directions(angles)` (A, N)
    for the curve.
    """
    group = _groups(direction)
    members = [np.flatnonzero(group == k) for k in np.unique(group)]
    circle = np.linspace(0, 2 * np.pi, CURVE_POINTS)
    means = np.array([np.angle(np.exp(1j * direction[of]).mean()) % (2 * np.pi) for of in members])
    order = np.argsort(means)
    members = [members[k] for k in order]
    return Tuning(
        means[order],
        np.array([len(of) for of in members]),
        np.stack([counts[of].mean(axis=0) for of in members]) / bin_s,
        np.stack([counts[of].std(axis=0) / np.sqrt(len(of)) for of in members]) / bin_s,
        np.stack([in_bins(of).mean(axis=0) for of in members]) / bin_s,
        circle,
        at_directions(circle) / bin_s,
    )


def _groups(direction: Array) -> NDArray[np.int64]:
    """Which of the distinct directions each one is, or in which sector, if they are many."""
    turn = np.round(direction % (2 * np.pi), 6) % round(2 * np.pi, 6)
    distinct, group = np.unique(turn, return_inverse=True)
    if len(distinct) > MOST_DIRECTIONS:
        group = np.round(turn / (2 * np.pi) * SECTORS).astype(np.int64) % SECTORS
    return group


def first_harmonic(direction: Array, rates: Array) -> tuple[Array, Array, Array]:
    """Baseline, depth (Hz) and preferred direction (rad) of units (N,): rate = baseline + depth cos(angle - preferred).

    The least-squares fit of rates (K, N) to directions (K,).
    """
    waves = np.stack([np.ones_like(direction), np.cos(direction), np.sin(direction)], axis=1)
    baseline, x, y = np.linalg.lstsq(waves, rates, rcond=None)[0]
    return baseline, np.hypot(x, y), np.arctan2(y, x) % (2 * np.pi)


def correlation(tuning: Tuning) -> float:
    """Correlation of recorded and twin means, each without its unit's mean over directions; nan without variance."""
    recorded, twin = (rates - rates.mean(axis=0) for rates in (tuning.recorded, tuning.twin))
    both = float(np.sqrt((recorded**2).sum() * (twin**2).sum()))
    return float((recorded * twin).sum() / both) if both > 0 else float("nan")
