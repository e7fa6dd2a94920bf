"""Events and bursts in continuous time: a renewal process of events, of which some begin a burst.

An event is an isolated spike or the first spike of a burst. It becomes a burst with the burst probability P of its
moment: further spikes follow, after intervals shorter than the burst threshold theta. After its last spike the unit is
refractory for tau; then its hazard h leads to the next event (see `decoderd.populations.renewal`). With bursts of mean
duration d

    h = e / (1 - e (tau + P d)),    mean interval of events tau + P d + 1 / h = 1 / e

so the event rate is e whatever P is. Spikes are counted as their times alone say (Payeur, Guerguiev, Zenke,
Richards & Naud 2021): a spike after more than theta without one is an event, and a burst is counted at its second
spike. With tau >= theta the two agree. With a shorter tau, events closer than theta look like bursts. Spikes fall
anywhere within a tick, so that any tick gives the same statistics.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.populations import renewal
from decoderd.spiking.compilation import COMPILED


class Law(NamedTuple):
    """Constants of the process."""

    refractory_s: float  # tau, after an event without a burst, and after the last spike of a burst
    threshold_s: float  # theta: spikes at most this far apart belong to one burst
    interval_s: tuple[float, float]  # within a burst, drawn uniformly
    spikes: tuple[int, int]  # of a burst, drawn uniformly, both ends included


@stored("populations.burst_process")
class Units(NamedTuple):
    """What units keep from one tick to the next, (B, N) each."""

    wait_s: Array  # until the next spike of the burst; without one, until the unit can fire again
    threshold: Array  # integral of the hazard that is left until the next event
    pending: NDArray[np.uint8]  # spikes that are left of the burst
    age_s: Array  # time since the last spike, at most theta
    alone: NDArray[np.bool_]  # whether the last spike was an event


class Uniform(NamedTuple):
    """Numbers uniform on [0, 1) for the spikes that each unit can fire in a tick, (B, most, N) each."""

    threshold: Array  # the hazard until the next event
    burst: Array  # whether an event becomes a burst, and of how many spikes
    interval: Array  # until the next spike of the burst


class Tally(NamedTuple):
    """What units did in a tick, (B, N) each."""

    counts: NDArray[np.uint8]  # spikes
    events: NDArray[np.uint8]
    bursts: NDArray[np.uint8]
    at_risk_s: Array  # time in which a spike would have been an event: later than theta after the one before


def mean_duration_s(law: Law) -> float:
    """Mean time in s from the first spike of a burst to its last."""
    return (sum(law.spikes) / 2 - 1) * (sum(law.interval_s) / 2)


def most_spikes(law: Law, duration_s: float) -> int:
    """The largest number of spikes that a unit can fire in a time."""
    return renewal.most_spikes(duration_s, min(law.refractory_s, law.interval_s[0]))


def begin(law: Law, uniform: Array) -> Units:
    """Units that have not fired for long, from a number (B, N) uniform on [0, 1) for the first event of each."""
    shape = uniform.shape
    return Units(
        wait_s=np.zeros(shape),
        threshold=renewal.thresholds(uniform, 1.0),
        pending=np.zeros(shape, np.uint8),
        age_s=np.full(shape, law.threshold_s),
        alone=np.zeros(shape, np.bool_),
    )


def advance(
    law: Law, units: Units, rates: Array, probability: Array, duration_s: float, uniform: Uniform
) -> tuple[Units, Tally]:
    """Let time pass at constant event rates (B, N) in Hz and burst probabilities (B, N).

    Returns the units after it and what they did. A burst that has begun ends, whatever the rate is. Event rates are
    limited as in `renewal.hazard`. With numba a compiled loop does it, with the same bits.
    """
    return (by_loop if COMPILED else by_arrays)(law, units, rates, probability, duration_s, uniform)


def by_loop(
    law: Law, units: Units, rates: Array, probability: Array, duration_s: float, uniform: Uniform
) -> tuple[Units, Tally]:
    """The same as `advance`, unit after unit; compiled at its first call, which takes a second or two."""
    thresholds, shape = renewal.thresholds(uniform.threshold, 1.0), rates.shape
    numbers = np.concatenate((units.wait_s, units.threshold, units.age_s, rates, probability)).reshape(5, *shape)
    marks = np.concatenate((units.pending, units.alone), dtype=np.uint8).reshape(2, *shape)
    drawn = np.concatenate((thresholds, uniform.burst, uniform.interval)).reshape(3, *thresholds.shape)
    numbers_after, marks_after = np.empty((4, *shape)), np.empty((5, *shape), np.uint8)
    _loop().advance(*law, mean_duration_s(law), duration_s, numbers, marks, drawn, numbers_after, marks_after)
    wait, threshold, age, at_risk = numbers_after
    pending, alone, counts, events, bursts = marks_after
    return Units(wait, threshold, pending, age, alone.view(np.bool_)), Tally(counts, events, bursts, at_risk)


@cache
def _loop() -> Any:
    """The module of the loop, imported when it is first used: numba takes a second."""
    return importlib.import_module("decoderd.populations.burst_loop")


def by_arrays(
    law: Law, units: Units, rates: Array, probability: Array, duration_s: float, uniform: Uniform
) -> tuple[Units, Tally]:
    """The same as `advance`, all units at once."""
    wait, threshold, pending, age, alone = units
    hazard = renewal.hazard(rates, law.refractory_s + probability * mean_duration_s(law))
    remaining, at_risk = np.full(rates.shape, duration_s), np.zeros(rates.shape)
    counts, events, bursts = (np.zeros(rates.shape, np.uint8) for _ in range(3))
    for i in range(most_spikes(law, duration_s)):
        step = wait + _until_event(threshold, hazard, pending)
        fired = step <= remaining
        if not fired.any():
            break
        remaining = np.where(fired, remaining - step, remaining)
        at_risk += np.where(fired, _beyond(law, age, step), 0.0)
        event = fired & (age + step > law.threshold_s)
        counts += fired
        events += event
        bursts += fired & ~event & alone
        alone, age = np.where(fired, event, alone), np.where(fired, 0.0, age)
        first = fired & (pending == 0)  # spikes that no burst under way has made
        threshold = np.where(first, renewal.thresholds(uniform.threshold[:, i], 1.0), threshold)
        drawn = _further_spikes(law, probability, uniform.burst[:, i])
        pending = np.where(first, drawn, pending - (fired & ~first)).astype(np.uint8)
        low, high = law.interval_s
        after = np.where(pending > 0, low + (high - low) * uniform.interval[:, i], law.refractory_s)
        wait = np.where(fired, after, wait)
    free = np.maximum(remaining - wait, 0.0)  # 0 within a burst
    units = Units(
        np.maximum(wait - remaining, 0.0),
        np.maximum(threshold - hazard * free, 0.0),
        pending,
        np.minimum(age + remaining, law.threshold_s),
        alone,
    )
    return units, Tally(counts, events, bursts, at_risk + _beyond(law, age, remaining))


def _until_event(threshold: Array, hazard: Array, pending: NDArray[np.uint8]) -> Array:
    """Time (B, N) outside the refractory time until the next event; 0 within a burst."""
    out = np.full(hazard.shape, np.inf)
    np.divide(threshold, hazard, out=out, where=hazard > 0)
    out[pending > 0] = 0.0
    return out


def _beyond(law: Law, age: Array, step: Array) -> Array:
    """The part (B, N) of the times `step` from age on in which the age is above theta."""
    return np.maximum(age + step - np.maximum(age, law.threshold_s), 0.0)


def _further_spikes(law: Law, probability: Array, uniform: Array) -> Array:
    """Spikes (B, N) that follow an event, 0 without a burst; a number below the probability is uniform below it."""
    low, high = law.spikes
    burst = uniform < probability
    part = np.divide(uniform, probability, out=np.zeros(uniform.shape), where=burst)
    return np.where(burst, low - 1 + np.minimum(np.floor(part * (high - low + 1)), high - low), 0)
