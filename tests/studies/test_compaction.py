"""Measures of the readouts' counts in reaches."""

import numpy as np
import pytest

from decoderd.analysis import dimensionality, features
from decoderd.errors import ArrayError
from decoderd.protocol import protocol
from decoderd.studies import measures
from decoderd.studies.measures import Day
from tests.protocols import centre_out

TICKS = 150
TYPES = [("trial", "i8"), ("target", "i8"), ("go_tick", "i8"), ("end_tick", "i8"), ("outcome", object)]


def day_of(outcome="success"):
    """80 reaches of 1.5 s to two targets, which the first of five units distinguishes, and the second nearly."""
    draw = np.random.default_rng(4)
    targets = np.arange(80) % 2
    rates = np.full((80, 5), 0.2)
    rates[:, 0] += 0.2 * targets
    rates[:, 1] += 0.03 * targets
    counts = draw.poisson(rates[:, np.newaxis], (80, TICKS, 5))
    begins = 1000 + 200 * np.arange(80)
    rows = [(k, targets[k], begins[k], begins[k] + TICKS, outcome) for k in range(80)]
    return Day(protocol.parse(centre_out()), 1, np.array(rows, dtype=TYPES), np.zeros(0), tuple(counts))


def of(kind, day):
    (one,) = measures.asked([kind])
    return one.measure.of_day(one.config, day)


def test_one_unit_is_enough_where_one_tells_the_targets_apart():
    found = of({"kind": "n_c", "repeats": 2}, day_of())
    assert found["n_c"] == 1
    assert found["accuracy"] > 0.9
    assert of({"kind": "n_c", "repeats": 2}, day_of("missed")) == found


def test_too_few_reaches_are_no_measure():
    found = of({"kind": "n_c", "per_target": 41}, day_of())
    assert np.isnan(found["n_c"])
    assert np.isnan(found["accuracy"])
    assert np.isnan(of("n_c", day_of("reach_timeout"))["n_c"])
    assert np.isnan(of("pr_norm", day_of("reach_timeout"))["pr_norm"])


def test_participation_ratio_is_that_of_counts_in_bins():
    day = day_of()
    bins = np.stack([counts[: 10 * 14].reshape(14, 10, 5).sum(axis=1).T for counts in day.counts])
    padded = np.zeros((80, 5, 18))
    padded[..., :14] = bins
    padded[..., 14] = np.stack([counts[140:150].sum(axis=0) for counts in day.counts])
    assert of("pr_norm", day)["pr_norm"] == pytest.approx(dimensionality.pr_norm(padded), rel=1e-12)
    shared = np.corrcoef(padded.transpose(1, 0, 2).reshape(5, -1))
    ratio = np.trace(shared) ** 2 / (shared**2).sum()
    assert of("pr_norm", day)["pr_norm"] == pytest.approx((ratio - 1) / 4, rel=1e-9)
    assert set(features.ARRIVED) == {"success", "hold_broken"}


def test_bins_that_do_not_fill_the_window_are_refused():
    with pytest.raises(ArrayError, match="whole number of bins"):
        of({"kind": "pr_norm", "window_s": 1.85}, day_of())
