"""Whether the burst fraction differs between two conditions, and at which bins it changes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from decoderd.analysis import resampling
from decoderd.analysis.bursts.fraction import Sums, burst_fraction, chance, corrected, hazard, standard_error
from decoderd.arrays import Array
from decoderd.errors import ArrayError

# Of 20 events, a burst fraction of .4 differs from .1 by three standard errors in three of four cases.
LEAST_EVENTS = 20


class Comparison(NamedTuple):
    """Corrected burst fractions of two conditions; their difference, its 95 % interval, and the p of a test."""

    first: float
    second: float
    difference: float  # second - first
    low: float
    high: float
    p: float


def compare(
    first: Sums,
    second: Sums,
    threshold_s: float,
    refractory_s: float,
    draws: int,
    generator: np.random.Generator,
    alternative: resampling.Alternative,
) -> Comparison:
    """Two conditions compared, of which each has sums (R,) of its R trials, by a permutation of their labels.

    `alternative` says how the second is expected to differ from the first. Each is corrected with its own hazard, so
    event rates may differ. What is permuted is the difference in its standard errors, which holds its level where the
    conditions differ in variance (Chung & Romano 2013, Ann. Stat. 41); the interval is Welch's. Both take trials as
    independent, not the events within them. Raises ArrayError for a condition of fewer than 2 trials or LEAST_EVENTS
    events.
    """
    _check_trials("first", first)
    _check_trials("second", second)
    trials = np.concatenate([np.stack(sums[:3], axis=1) for sums in (first, second)])  # (R, 3)
    numbers = len(first.events), len(second.events)
    permuted = resampling.permuted_labels(*numbers, draws, generator)
    labels = np.concatenate([[np.repeat([False, True], numbers)], permuted])  # the conditions as they are, and permuted
    p0, v0 = _of_trials(~labels, trials, threshold_s, refractory_s)
    p1, v1 = _of_trials(labels, trials, threshold_s, refractory_s)
    difference, error = p1 - p0, np.sqrt(v0 + v1)
    z = difference / error
    null = np.where(np.isnan(z), z[0], z)[1:]  # draws in which one side has no events count against a difference
    p = resampling.permutation_test(float(z[0]), null, alternative).p
    degrees = error[0] ** 4 / (v0[0] ** 2 / (numbers[0] - 1) + v1[0] ** 2 / (numbers[1] - 1))
    half = stats.t.ppf(0.975, degrees) * error[0]
    found = p0[0], p1[0], difference[0], difference[0] - half, difference[0] + half, p
    return Comparison(*map(float, found))


def _of_trials(
    chosen: NDArray[np.bool_], trials: Array, threshold_s: float, refractory_s: float
) -> tuple[Array, Array]:
    """Corrected fractions (D,) and their variances (D,), of those chosen (D, R) of trials (R, 3).

    A trial has events, bursts and time at risk. The variance is that of the trials' influences on the fraction (delta
    method). It is at least that of half an event, the resolution of a fraction.
    """
    counted, bursts, at_risk_s = (chosen @ trials).T
    sums, number = Sums(counted, bursts, at_risk_s, at_risk_s), chosen.sum(axis=1)
    f, rate = burst_fraction(sums), hazard(sums)
    q = chance(rate, threshold_s, refractory_s)
    slope = -(1 - f) * np.log1p(-q)  # by how much the fraction falls when the hazard rises by as much as itself
    influence = np.stack([-f - slope, np.ones_like(f), slope * rate], axis=1) @ trials.T
    spread = (chosen * influence**2).sum(axis=1) * number / (number - 1)
    return corrected(f, q), np.maximum(spread, 0.25) / (counted * (1 - q)) ** 2


def _check_trials(name: str, sums: Sums) -> None:
    if sums.events.ndim != 1 or len(sums.events) < 2:
        raise ArrayError(f"{name}: has shape {sums.events.shape}, expected the sums of 2 trials or more", name)
    if sums.events.sum() < LEAST_EVENTS:
        raise ArrayError(f"{name}: {sums.events.sum():.0f} events are too few; {LEAST_EVENTS} are needed", name)


class Step(NamedTuple):
    """A bin in which the burst fraction differs from what it was since the step before."""

    bin: int
    before: float  # corrected fraction since the step before
    after: float  # corrected fraction of the bin
    z: float  # their difference in standard errors


def steps(sums: Sums, chances: ArrayLike, sigmas: float = 3.0, least_events: int = LEAST_EVENTS) -> list[Step]:
    """The steps of the corrected burst fraction over bins (T,), with chances (T,) or one; each from the past alone.

    A bin is compared with all bins since the step before, by the z of two proportions: the standard error of their
    difference is that which it would have without a step. Only bins of `least_events` or more are judged; the others
    add to the past. Do not smooth: bins that overlap are no independent evidence. At 3 sigmas about 3 in 1,000 bins are
    steps by chance. Raises ArrayError where fewer than two bins can be judged, and as `corrected` does.
    """
    counted, q = sums.events, np.broadcast_to(np.asarray(chances, dtype=np.float64), sums.events.shape)
    judged = np.flatnonzero(counted >= least_events) if counted.ndim == 1 else np.zeros(0, dtype=np.intp)
    if len(judged) < 2:
        raise ArrayError(
            f"sums: expected bins (T,), two or more with {least_events} events; pool units or widen the bins", "sums"
        )
    by_chance = np.where(counted > 0, counted * q, 0.0)
    upto = np.cumsum(np.stack([counted, sums.bursts, by_chance]), axis=1)
    found: list[Step] = []
    start = np.zeros(3)  # sums before the last step
    for t in judged[1:]:
        past, own = upto[:, t - 1] - start, np.array([counted[t], sums.bursts[t], by_chance[t]])
        before, after = _corrected(past), _corrected(own)
        error = np.hypot(_error(past, past + own), _error(own, past + own))
        z = float((after - before) / error) if error > 0 else 0.0  # without error both are 0, or both 1
        if abs(z) >= sigmas:
            found.append(Step(int(t), before, after, z))
            start = upto[:, t - 1]
    return found


def _corrected(summed: Array) -> float:
    """The corrected fraction of summed events, bursts, and bursts expected by chance, (3,)."""
    events, bursts, by_chance = summed
    return float(corrected(bursts / events, by_chance / events))


def _error(summed: Array, everything: Array) -> float:
    """The standard error of `_corrected(summed)` if its burst probability is that of everything."""
    p, q = _corrected(everything), summed[2] / summed[0]
    return float(standard_error(np.clip(p + (1 - p) * q, 0.0, 1.0), summed[0], q))
