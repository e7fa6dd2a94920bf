"""Measures of compaction of one day, and of the change from an earlier day to a later one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from decoderd.analysis import (
    classification,
    dimensionality,
    features,
    modes,
    neuron_adding,
    readouts,
    resampling,
    shared_variance,
)
from decoderd.analysis.dimensionality import Moments
from decoderd.arrays import Array
from decoderd_plugins.compaction import Config
from decoderd_plugins.compaction.days import DayData

NAN = float("nan")


class MeasurementPlan(NamedTuple):
    """Options and sizes that the measures of all days of a session need."""

    config: Config
    tick_s: float
    units: int
    targets: int
    readouts: tuple[int, ...]  # of day 1

    def with_readouts_of(self, day: DayData) -> MeasurementPlan:
        """The plan with the readouts of a day; readouts given as an option stay."""
        swapped = None if self.config.readouts else day.readouts
        return self if swapped is None else self._replace(readouts=swapped)


class Estimate(NamedTuple):
    """A value, its 95 % interval and, for a change, the p of a one-sided permutation test; NaN where there is none."""

    value: float
    low: float = NAN
    high: float = NAN
    p: float = NAN


class ComparisonData(NamedTuple):
    """Data of a day that later days are compared with."""

    scores: Array  # (n, R) adding curve of the readouts
    mode_scores: Array | None
    sums: Moments
    coefficients: Array


class DayMeasures(NamedTuple):
    """Measures of one day. A day with too few reaches is not kept and has only their number."""

    day: int
    per_target: list[int]
    kept: bool
    estimates: dict[str, Estimate]
    order: list[int]  # units of the adding curve, best first
    curves: dict[str, Array]  # (n, R)
    comparison_data: ComparisonData | None
    readouts: tuple[int, ...]


def measure_day(day: DayData, plan: MeasurementPlan) -> DayMeasures:
    """All measures of one day. Depends on the day, the plan and its seed alone."""
    plan = plan.with_readouts_of(day)
    config, generator = plan.config, np.random.default_rng([plan.config.seed, day.day])
    cut = features.reaches(
        day.counts,
        day.trials,
        plan.tick_s,
        day.first_tick,
        config.outcomes,
        config.bin_s,
        config.window_s,
    )
    known = (cut.targets >= 0) & (cut.targets < plan.targets)
    counts, targets, filled = cut.counts[known], cut.targets[known], cut.filled[known]
    number = features.per_target(targets, plan.targets)
    estimates = {"reaches": Estimate(float(len(targets)))}
    kept = number.min() >= config.per_target and number.sum() >= config.per_target * plan.targets + 2
    if not kept:
        return DayMeasures(day.day, number.tolist(), False, estimates, [], {}, None, plan.readouts)

    splits = classification.draws(targets, config.repeats, generator, config.per_target)
    by_half = classification.scores_by_half(counts, targets, splits)
    score = classification.accuracy(by_half)
    estimates["accuracy"] = _mean(score(plan.readouts), config, generator)
    curve = neuron_adding.adding_curve(score, plan.readouts)
    curves = {"units": neuron_adding.nested_curve(by_half, plan.readouts) if config.nested else curve.scores}
    estimates |= _required("n_c", curves["units"], config, generator)
    if len(plan.readouts) < plan.units:
        groups = readouts.compare(score, plan.readouts, plan.units, generator)
        for name, values in groups._asdict().items():
            if name != "readouts":
                estimates[f"accuracy_{name}"] = _mean(values, config, generator)

    read = counts[:, plan.readouts]
    if config.modes:
        estimates |= _of_modes(read, targets, splits, curves, config, generator)
    used = None if config.padded else filled
    sums = dimensionality.moments(features.square_root(read) if config.square_root else read, used)
    estimates |= _dimensions(sums, config, generator)
    estimates |= _shared(read, used, config, generator)
    coefficients = classification.coefficients(read, targets, splits)
    comparison_data = ComparisonData(curves["units"], curves.get("modes"), sums, coefficients)
    return DayMeasures(
        day.day, number.tolist(), True, estimates, curve.order.tolist(), curves, comparison_data, plan.readouts
    )


def _mean(values: Array, config: Config, generator: np.random.Generator) -> Estimate:
    return Estimate(float(values.mean()), *resampling.mean_interval(values, config.bootstrap, generator))


NORMALISED = {"": neuron_adding.by_range, "_peak": neuron_adding.to_peak}


def _required(name: str, scores: Array, config: Config, generator: np.random.Generator) -> dict[str, Estimate]:
    weights = resampling.bootstrap_weights(scores.shape[1], config.bootstrap, generator)
    return {
        name + suffix: Estimate(
            float(neuron_adding.n_c(scores.mean(axis=1), normalise)),
            *resampling.interval(neuron_adding.resampled(scores, weights, normalise)),
        )
        for suffix, normalise in NORMALISED.items()
    }


def _of_modes(
    read: Array, targets: Any, splits: Any, curves: dict[str, Array], config: Config, generator: np.random.Generator
) -> dict[str, Estimate]:
    found = modes.modes(features.standardised(read))
    all_modes = range(found.counts.shape[1])
    by_half = classification.scores_by_half(found.counts, targets, splits)
    score = classification.accuracy(by_half)
    curve = neuron_adding.adding_curve(score, all_modes)
    curves["modes"] = neuron_adding.nested_curve(by_half, all_modes) if config.nested else curve.scores
    estimates = _required("n_c_modes", curves["modes"], config, generator)
    estimates["best_mode"] = Estimate(float(curve.order[0] + 1))  # 1: the one of largest variance
    for name, half in zip(("high", "low"), modes.halves(len(all_modes)), strict=True):
        if half:
            estimates[f"accuracy_{name}_variance"] = _mean(score(half), config, generator)
    return estimates


def _dimensions(sums: Moments, config: Config, generator: np.random.Generator) -> dict[str, Estimate]:
    if sums.first.shape[1] < 2:
        return {}
    weights = resampling.bootstrap_weights(len(sums.number), config.bootstrap, generator)
    low, high = resampling.interval(dimensionality.resampled(sums, weights))
    return {"pr_norm": Estimate(_pr_norm(sums), low, high)}


def _pr_norm(sums: Moments) -> float:
    return float(dimensionality.normalised(dimensionality.correlation(dimensionality.covariance(sums))))


def _shared(read: Array, filled: Any, config: Config, generator: np.random.Generator) -> dict[str, Estimate]:
    varying = shared_variance.varying(read)
    most = min(config.factors, len(varying) - 1)
    if most < 1:
        return {}
    sums = dimensionality.moments(read[:, varying], filled)
    factors = shared_variance.choose(sums, most, generator).factors
    model = shared_variance.fit(dimensionality.covariance(sums), factors)
    weights = resampling.bootstrap_weights(len(sums.number), config.factor_bootstrap, generator)
    draws = [shared_variance.fit(one, factors) for one in dimensionality.covariance(sums, weights)]
    sot = [shared_variance.shared_over_total(draw).mean() for draw in draws]
    d_shared = [shared_variance.d_shared(draw) for draw in draws]
    return {
        "sot": Estimate(float(shared_variance.shared_over_total(model).mean()), *resampling.interval(np.array(sot))),
        "d_shared": Estimate(float(shared_variance.d_shared(model)), *resampling.interval(np.array(d_shared))),
        "factors": Estimate(float(factors)),
    }


def changes_between(early: DayMeasures, late: DayMeasures, plan: MeasurementPlan) -> dict[str, Estimate]:
    """Changes from the day `early` to the day `late`, both kept. Tests: N_c has fallen, PR_norm has risen.

    Where readouts were swapped between the two days there is no test of PR_norm, which would shuffle reaches of
    different units, and no correlation of coefficients.
    """
    assert early.comparison_data is not None
    assert late.comparison_data is not None
    config, generator = plan.config, np.random.default_rng([plan.config.seed, late.day, early.day])
    then, now = early.comparison_data, late.comparison_data
    estimates = {}
    pairs = {"n_c": (then.scores, now.scores), "n_c_modes": (then.mode_scores, now.mode_scores)}
    for name, (before, after) in pairs.items():
        if before is not None and after is not None and len(before) == len(after):
            estimates[f"{name}_change"] = _change_of_n_c(before, after, config, generator)
    if "pr_norm" in late.estimates:
        weights = [
            resampling.bootstrap_weights(len(one.number), config.bootstrap, generator) for one in (then.sums, now.sums)
        ]
        spread = dimensionality.resampled(now.sums, weights[1]) - dimensionality.resampled(then.sums, weights[0])
        change, p = _pr_norm(now.sums) - _pr_norm(then.sums), NAN
        if early.readouts == late.readouts:
            numbers = (len(then.sums.number), len(now.sums.number))
            labels = resampling.permuted_labels(*numbers, config.permutations, generator)
            p = resampling.permutation_test(change, dimensionality.relabelled(then.sums, now.sums, labels), "greater").p
        estimates["pr_norm_change"] = Estimate(change, *resampling.interval(spread), p)
    if early.readouts == late.readouts:
        estimates["coefficients_r"] = Estimate(classification.correlation(then.coefficients, now.coefficients))
    return estimates


def _change_of_n_c(before: Array, after: Array, config: Config, generator: np.random.Generator) -> Estimate:
    numbers = (before.shape[1], after.shape[1])
    spread = [
        neuron_adding.resampled(scores, resampling.bootstrap_weights(number, config.bootstrap, generator))
        for scores, number in zip((before, after), numbers, strict=True)
    ]
    pooled = np.concatenate([before, after], axis=1)
    labels = resampling.permuted_labels(*numbers, config.permutations, generator)
    null = neuron_adding.resampled(pooled, labels) - neuron_adding.resampled(pooled, ~labels)
    change = float(neuron_adding.n_c(after.mean(axis=1)) - neuron_adding.n_c(before.mean(axis=1)))
    p = resampling.permutation_test(change, null, "less").p
    return Estimate(change, *resampling.interval(spread[1] - spread[0]), p)
