"""Event rate and burst fraction in bins, and what of the burst fraction is chance.

Two events that follow one another within the threshold look like a burst. Of events with a burst probability p, a
fraction p + (1 - p) q looks like bursts, q = 1 - exp(-lambda (theta - r)): theta is the threshold, r the refractory
time after which the next event is possible, and lambda its hazard (Naud et al. 2022, bioRxiv 2022.10.07.511138).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from decoderd.analysis.bursts.events import THRESHOLD_S, Events, check_threshold
from decoderd.arrays import Array, check_array
from decoderd.errors import ArrayError


class Sums(NamedTuple):
    """Sums of events and of times, arrays of one shape, such as (T, N): T bins of N units.

    Every measure is a ratio of two of them: sum first, over units, bins or trials, and divide last.
    """

    events: Array
    bursts: Array  # events of two or more spikes
    at_risk_s: Array  # time in which a spike would have begun an event, s
    observed_s: Array  # all time, s


def binned(found: Sequence[Events], edges_s: ArrayLike, threshold_s: float = THRESHOLD_S) -> Sums:
    """Sums (T, N) of the events of N units in T bins, between edges (T + 1,), s; `threshold_s` is that of the events.

    An event belongs to the bin of its first spike; at an edge, to the bin that begins there. Spikes before the first
    edge count for the time at risk. Raises ArrayError for no unit, and for edges that are not ascending.
    """
    check_threshold(threshold_s)
    edges = check_array("edges_s", edges_s, (None,))
    if len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise ArrayError("edges_s: expected two edges or more, each above the one before", "edges_s")
    if not found:
        raise ArrayError("found: has no unit, expected the events of one or more", "found")
    units = [
        (
            _per_bin(unit.times_s, edges),
            _per_bin(unit.times_s[unit.sizes > 1], edges),
            np.diff(edges - _within(unit.spikes_s, edges, threshold_s)),
            np.diff(edges),
        )
        for unit in found
    ]
    return Sums(*(np.stack(columns, axis=1) for columns in zip(*units, strict=True)))


def _per_bin(times: Array, edges: Array) -> Array:
    """How many of ascending times lie in each bin, from its edge to below the next."""
    return np.diff(np.searchsorted(times, edges)).astype(np.float64)


def _within(spikes: Array, until: Array, threshold_s: float) -> Array:
    """How much of the time before each of the times (M,) was within the threshold after a spike, s."""
    if not len(spikes):
        return np.zeros_like(until)
    after_each = np.minimum(np.diff(spikes, append=np.inf), threshold_s)  # until the next spike at most
    before_each = np.concatenate([[0.0], np.cumsum(after_each)])
    last = np.searchsorted(spikes, until) - 1  # the last spike before; -1: none
    since = np.minimum(until - spikes[last], after_each[last])
    return np.where(last >= 0, before_each[last] + since, 0.0)


def pooled(sums: Sums) -> Sums:
    """Sums over the last axis, the units: (T,) of (T, N)."""
    return Sums(*(array.sum(axis=-1) for array in sums))


def smoothed(sums: Sums, bins: int) -> Sums:
    """Moving sums along the first axis over `bins` bins, an odd number; at the ends over those of them that exist.

    Numerators and denominators are so smoothed apart, all events weigh the same, and sums stay counts, whose errors
    `interval` knows. They overlap: neighbours are not independent. Raises ArrayError for a number that is not odd.
    """
    if bins < 1 or bins % 2 == 0:
        raise ArrayError(f"bins = {bins}: must be an odd number from 1, as many before a bin as after it", "bins")
    length = len(sums.events)
    low, high = (np.clip(np.arange(length) + shift, 0, length) for shift in (-(bins // 2), bins // 2 + 1))
    totals = (np.concatenate([np.zeros_like(array[:1]), np.cumsum(array, axis=0)]) for array in sums)
    return Sums(*(total[high] - total[low] for total in totals))


def event_rate(sums: Sums) -> Array:
    """Events per second, Hz."""
    return _ratio(sums.events, sums.observed_s)


def burst_fraction(sums: Sums) -> Array:
    """The fraction of events that look like bursts, those by chance included; NaN without events."""
    return _ratio(sums.bursts, sums.events)


def hazard(sums: Sums) -> Array:
    """Events per second at risk, Hz: their rate at times farther than the threshold from the spike before."""
    return _ratio(sums.events, sums.at_risk_s)


def chance(hazard_hz: ArrayLike, threshold_s: float, refractory_s: float) -> Array:
    """q, the probability that the next event follows within the threshold and so makes an event look like a burst.

    q = 1 - exp(-lambda (theta - r)) for a constant hazard lambda in Hz; 0 if the refractory time r is theta or more
    (Naud et al. 2022). Raises ArrayError for a refractory time below 0.
    """
    check_threshold(threshold_s)
    if not refractory_s >= 0:
        raise ArrayError(f"refractory_s = {refractory_s}: must be 0 s or more", "refractory_s")
    exposed_s = max(threshold_s - refractory_s, 0.0)
    return np.asarray(-np.expm1(-np.asarray(hazard_hz, dtype=np.float64) * exposed_s))


def pooled_chance(chances: ArrayLike, events: ArrayLike) -> Array:
    """The chance of the pooled events of units that differ in theirs: the mean over the last axis, weighted by events.

    chances (N,) or (T, N), events (T, N). Take chances of hazards that many events determine, such as a unit's in the
    whole recording. The chance of the pooled hazard is too low where units differ. NaN without events.
    """
    counted = np.asarray(events, dtype=np.float64)
    return _ratio((np.asarray(chances) * counted).sum(axis=-1), counted.sum(axis=-1))


def corrected(fraction: ArrayLike, chances: ArrayLike) -> Array:
    """p = (f - q) / (1 - q), the burst fraction without chance bursts, of the one measured and the chance.

    NaN at q = 1. Noise may take it below 0; it is not cut there, because means of cut values are too high. Raises
    ArrayError for a chance that is not in [0, 1]. Naud et al. 2022.
    """
    f, q = np.asarray(fraction, dtype=np.float64), np.asarray(chances, dtype=np.float64)
    if ((q < 0) | (q > 1)).any():
        raise ArrayError("chances: some are not in [0, 1]", "chances")
    return _ratio(f - q, 1 - q)


def corrected_fraction(sums: Sums, threshold_s: float, refractory_s: float) -> Array:
    """The burst fraction without chance bursts, with the hazard of the same sums; NaN without events.

    Raises ArrayError as `chance` does.
    """
    return corrected(burst_fraction(sums), chance(hazard(sums), threshold_s, refractory_s))


def standard_error(fraction: ArrayLike, events: ArrayLike, chances: ArrayLike) -> Array:
    """The standard error of the corrected fraction, of the fraction f measured in n events and the chance q.

    sqrt(f (1 - f) + ((1 - f) log(1 - q))^2) / ((1 - q) sqrt(n)). The second term is due to the hazard, which the same
    n events determine up to 1 / sqrt(n) of itself (delta method). NaN without events and at q = 1.
    """
    f, n, q = (np.asarray(value, dtype=np.float64) for value in (fraction, events, chances))
    exposed = np.log1p(-np.minimum(q, 1 - np.finfo(np.float64).eps))
    return _ratio(np.sqrt(f * (1 - f) + ((1 - f) * exposed) ** 2), (1 - q) * np.sqrt(n))


def interval(sums: Sums, chances: ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
    """The confidence interval (low, high) of the corrected fraction, with the chance q; NaN without events.

    z^2 / 2 bursts and as many single spikes are added (at 95 % two of each), so that the level holds with few events
    (Agresti & Coull 1998, Am. Stat. 52). Events count as independent: where units burst together, resample trials, as
    `changes.compare` does. Raises ArrayError as `corrected` does, and for a level that is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ArrayError(f"level = {level}: must be between 0 and 1", "level")
    z = float(stats.norm.ppf(0.5 + level / 2))
    counted = sums.events + z**2
    fraction = np.where(sums.events > 0, (sums.bursts + z**2 / 2) / counted, np.nan)
    middle, half = corrected(fraction, chances), z * standard_error(fraction, counted, chances)
    return middle - half, middle + half


def _ratio(above: Array, below: Array) -> Array:
    """above / below; NaN where below is not above 0."""
    a, b = np.broadcast_arrays(above, below)
    return np.asarray(np.divide(a, b, out=np.full(a.shape, np.nan), where=b > 0))
