"""Event rates, burst fractions and the error recovered from them, of a few trials at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.analysis.bursts import feedback_error, fraction
from decoderd.analysis.bursts.feedback_error import Regression
from decoderd.analysis.bursts.fraction import Sums
from decoderd.arrays import Array
from decoderd_plugins.demultiplex.plan import Plan
from decoderd_plugins.demultiplex.trials import Trial


class Codes(NamedTuple):
    """The two signals, arrays of one shape: event rates, and burst fractions as measured, by chance, and corrected."""

    events: Array
    event_rate_hz: Array
    burst_fraction: Array
    chance: Array
    corrected: Array
    low: Array  # of the corrected fraction, 95 %
    high: Array


# Errors recovered: with K by projection, up to a scale; without K by regression, in m/s, in trials that are held out.
RECOVERED = ("bursts_projected", "events_projected", "bursts_regressed", "events_regressed")


class Course(NamedTuple):
    """The B bins of a window in time, all units pooled."""

    trial: NDArray[np.int64]
    tick: NDArray[np.int64]  # the bin's first
    pooled: Codes  # (B,)
    enough: NDArray[np.bool_]  # whether it has events enough
    seen: Array  # (B, 2) m/s, the error
    recovered: dict[str, Array]  # (B, 2) by the names of RECOVERED; NaN where there is none


class Window(NamedTuple):
    """Measures of a few trials in a row."""

    day: int
    first: int
    last: int
    units: Codes  # (N,)
    pooled: Codes  # ()
    course: Course
    correlations: dict[str, float]  # r of the errors recovered with those seen; NaN where there is none


class Fit(NamedTuple):
    """Regressions of the error seen, fitted to the trials up to `last`."""

    last: int
    fractions: Array  # (N,) of bursts in events, in those trials
    bursts: Regression
    events: Regression


def codes(sums: Sums, chances: Array) -> Codes:
    """Both signals of sums with their chances."""
    low, high = fraction.interval(sums, chances)
    measured = fraction.burst_fraction(sums)
    corrected = fraction.corrected(measured, chances)
    return Codes(sums.events, fraction.event_rate(sums), measured, np.asarray(chances), corrected, low, high)


def joined(trials: Sequence[Trial]) -> Sums:
    """The sums (B, N) of the bins of several trials."""
    return Sums(*(np.concatenate(parts) for parts in zip(*(trial.sums for trial in trials), strict=True)))


def fit(trials: Sequence[Trial]) -> Fit:
    """Regressions on bursts and on events, of all bins of trials. Raises ArrayError where they are too few."""
    sums, error = joined(trials), np.concatenate([trial.seen for trial in trials])
    number = np.repeat([trial.number for trial in trials], [len(trial.seen) for trial in trials])
    fractions = np.nan_to_num(fraction.burst_fraction(Sums(*(array.sum(axis=0) for array in sums))))
    features = feedback_error.burst_features(sums, fractions)
    return Fit(
        int(number.max()),
        fractions,
        feedback_error.regression(features, error, number),
        feedback_error.regression(sums.events, error, number),
    )


def measure(trials: Sequence[Trial], plan: Plan, fitted: Fit | None) -> Window:
    """All measures of trials in a row. Units' chances are of their hazards in all of these trials."""
    sums = joined(trials)
    whole = Sums(*(array.sum(axis=0) for array in sums))
    hazard = np.nan_to_num(fraction.hazard(whole))
    chances = fraction.chance(hazard, plan.layout.threshold_s, plan.refractory_s)
    course = _course(trials, sums, chances, plan, fitted)
    used = course.enough
    correlations = {
        name: feedback_error.correlation(errors[used], course.seen[used]) for name, errors in course.recovered.items()
    }
    first, last = trials[0], trials[-1]
    units, pooled = codes(whole, chances), _pooled(whole, chances)
    return Window(first.day, first.number, last.number, units, pooled, course, correlations)


def _pooled(sums: Sums, chances: Array) -> Codes:
    """Codes of all units together; the event rate is that of a unit on average."""
    return codes(fraction.pooled(sums), np.nan_to_num(fraction.pooled_chance(chances, sums.events)))


def _course(trials: Sequence[Trial], sums: Sums, chances: Array, plan: Plan, fitted: Fit | None) -> Course:
    number = np.repeat([trial.number for trial in trials], [len(trial.seen) for trial in trials])
    tick = np.concatenate([trial.start_tick + plan.layout.bin_ticks * np.arange(len(trial.seen)) for trial in trials])
    seen = np.concatenate([trial.seen for trial in trials])
    pooled = _pooled(sums, chances)
    recovered = {name: np.full_like(seen, np.nan) for name in RECOVERED}
    if plan.K is not None and len(seen):
        recovered["bursts_projected"] = feedback_error.projected(sums, chances, plan.K)
        recovered["events_projected"] = feedback_error.projected_events(sums, plan.K)
    held_out = np.zeros(len(number), bool) if fitted is None else number > fitted.last
    if fitted is not None and held_out.any():
        features = feedback_error.burst_features(sums, fitted.fractions)
        recovered["bursts_regressed"][held_out] = fitted.bursts.predict(features[held_out])
        recovered["events_regressed"][held_out] = fitted.events.predict(sums.events[held_out])
    return Course(number, tick, pooled, pooled.events >= plan.config.least_events, seen, recovered)
