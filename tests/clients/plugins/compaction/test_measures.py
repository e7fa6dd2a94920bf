"""Measures of simulated days whose tuning is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from decoderd_plugins.compaction import Config, measures
from decoderd_plugins.compaction.days import COLUMNS, DayData
from tests.analysis.tuning import bits, tuned

BINS = 3
BRIEF = {
    "per_target": 8,
    "repeats": 2,
    "modes": False,
    "bootstrap": 60,
    "factor_bootstrap": 5,
    "permutations": 99,
    "factors": 2,
}


def day_data(day, counts, targets):
    """A day of ticks of 100 ms: each reach takes as many as it has bins, with one tick of 7 spikes before it."""
    reaches, units, bins = counts.shape
    ticks = np.full((reaches, bins + 1, units), 7.0)
    ticks[:, 1:] = counts.transpose(0, 2, 1)
    first = 1000
    trials = [
        (row + 1, target, first + row * (bins + 1) + 1, first + (row + 1) * (bins + 1), "success")
        for row, target in enumerate(targets.tolist())
    ]
    return DayData(day, first, ticks.reshape(-1, units), np.array(trials, dtype=COLUMNS), None)


def plan(units, readouts=None, **fields):
    config = Config(window_s=0.1 * BINS, **{**BRIEF, **fields})
    return measures.MeasurementPlan(config, 0.1, units, 8, tuple(range(units) if readouts is None else readouts))


@pytest.fixture(scope="module")
def spread():
    """Twelve units, each slightly tuned to the target."""
    return day_data(1, *tuned(np.random.default_rng(1), 25, units=12, bins=BINS, depth=2.5))


@pytest.fixture(scope="module")
def compact():
    """Twelve units of which three determine the target; and the indices of these three."""
    counts, targets, informative = bits(np.random.default_rng(2), 25, noise_units=9, bins=BINS)
    return day_data(2, counts, targets), informative


def test_n_c_falls_from_a_spread_to_a_compact_day(spread, compact):
    late, informative = compact
    options = plan(12, repeats=4)
    early, late = measures.measure_day(spread, options), measures.measure_day(late, options)
    assert early.per_target == late.per_target == [25] * 8
    assert early.estimates["reaches"].value == 200
    assert set(late.order[:3]) == informative
    assert late.estimates["n_c"][:3] == (3.0, 3.0, 3.0)
    assert late.estimates["accuracy"].value > 0.85
    assert early.estimates["n_c"].value > 4
    changes = measures.changes_between(early, late, options)
    assert changes["n_c_change"].value == 3.0 - early.estimates["n_c"].value
    assert changes["n_c_change"].high < 0
    # of 8 choose 4 ways to call half of the draws late, one is as extreme
    assert changes["n_c_change"].p < 0.1
    assert abs(changes["coefficients_r"].value) < 0.3
    assert measures.changes_between(early, early, options)["n_c_change"].p > 0.3


def test_estimates_are_finite_and_within_their_intervals(spread):
    found = measures.measure_day(spread, plan(6, nested=True, square_root=True, modes=True))
    assert {"accuracy", "n_c", "n_c_peak", "n_c_modes", "pr_norm", "sot", "d_shared"} <= set(found.estimates)
    for name, estimate in found.estimates.items():
        assert math.isfinite(estimate.value), name
        if math.isfinite(estimate.low):
            assert estimate.low <= estimate.high, name
    for name in ("accuracy", "n_c", "sot"):
        assert found.estimates[name].low <= found.estimates[name].value <= found.estimates[name].high


def test_accuracy_of_readouts_and_nonreadouts(compact):
    day, informative = compact
    found = measures.measure_day(day, plan(12, readouts=sorted(informative)))
    assert found.estimates["accuracy"].value > 0.95
    assert found.estimates["accuracy_nonreadouts"].value < 0.3
    assert found.estimates["accuracy_everything"].value > 0.9
    assert set(found.order) == informative
    assert "n_c_modes" not in found.estimates


def test_measures_depend_on_the_seed_and_the_day_alone(spread):
    few = range(4)
    first, again, other = (measures.measure_day(spread, plan(12, few, seed=seed)) for seed in (0, 0, 1))
    assert repr(first.estimates) == repr(again.estimates)
    assert first.estimates["accuracy"] != other.estimates["accuracy"]


def test_padding_of_short_reaches_can_be_left_out(spread):
    """Half of the reaches end after one bin of three: the zeros that follow are common to all units."""
    short = spread._replace(trials=spread.trials.copy())
    short.trials["end_tick"][::2] -= 2
    padded = measures.measure_day(short, plan(12)).estimates
    filled = measures.measure_day(short, plan(12, padded=False)).estimates
    assert padded["sot"].value > filled["sot"].value + 0.2
    assert padded["pr_norm"].value < filled["pr_norm"].value - 0.2


def test_a_day_with_too_few_reaches_is_not_kept(spread):
    options = plan(12, per_target=25)  # none would be left to test on
    found = measures.measure_day(spread, options)
    assert (found.kept, found.per_target, list(found.estimates)) == (False, [25] * 8, ["reaches"])
    fewer = spread._replace(trials=spread.trials[:-20])
    assert measures.measure_day(fewer, plan(12)).kept is False


def test_a_silent_readout_is_measured(spread):
    counts = spread.counts.copy()
    counts[:, 4] = 0
    found = measures.measure_day(spread._replace(counts=counts), plan(12))
    assert found.kept
    assert all(math.isfinite(estimate.value) for estimate in found.estimates.values())


def test_swapped_readouts_are_measured_and_not_tested(spread, compact):
    """The day is measured with the readouts it had, and not tested against reaches of other units."""
    day, informative = compact
    chosen = tuple(informative) + tuple(set(range(12)) - set(informative))[:2]
    others = tuple(range(5))
    swapped = measures.measure_day(day._replace(readouts=chosen), plan(12, others))
    directly = measures.measure_day(day, plan(12, chosen))
    assert swapped.readouts == chosen
    assert swapped.estimates["accuracy"] == directly.estimates["accuracy"]
    asked = plan(12, others)
    asked = asked._replace(config=asked.config.model_copy(update={"readouts": others}))
    assert measures.measure_day(day._replace(readouts=chosen), asked).readouts == others
    first = measures.measure_day(spread, plan(12, others))
    changes = measures.changes_between(first, swapped, plan(12, others))
    assert np.isnan(changes["pr_norm_change"].p)
    assert "coefficients_r" not in changes
    assert not np.isnan(changes["n_c_change"].p)
