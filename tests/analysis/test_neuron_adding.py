"""Neuron-adding curves: against a plain recomputation, and where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoderd.analysis import classification, neuron_adding
from tests.analysis.tuning import bits, tuned


def test_a_curve_against_a_plain_computation():
    counts, targets = tuned(np.random.default_rng(1), units=5)
    splits = classification.draws(targets, 2, np.random.default_rng(2), 10)

    def plainly(units):
        return np.array([classification.halves(counts[:, sorted(units)], targets, split).mean() for split in splits])

    curve = neuron_adding.adding_curve(
        classification.accuracy(classification.scores_by_half(counts, targets, splits)), range(5)
    )
    single = {unit: plainly([unit]).mean() for unit in range(5)}
    order = sorted(range(5), key=lambda unit: -single[unit])
    assert curve.order.tolist() == order
    for k in range(1, 6):
        np.testing.assert_allclose(curve.scores[k - 1], plainly(order[:k]))


@pytest.mark.parametrize("normalise", [neuron_adding.by_range, neuron_adding.to_peak, neuron_adding.first_to_last])
def test_n_c_is_the_number_of_informative_units(normalise):
    counts, targets, informative = bits(np.random.default_rng(3), reaches_per_target=60)
    splits = classification.draws(targets, 2, np.random.default_rng(4), 12)
    by_half = classification.scores_by_half(counts, targets, splits)
    curve = neuron_adding.adding_curve(classification.accuracy(by_half), range(10))
    assert set(curve.order[:3].tolist()) == informative
    np.testing.assert_allclose(curve.scores.mean(axis=1)[:3], [0.25, 0.5, 1.0], atol=0.1)
    assert neuron_adding.n_c(curve.scores.mean(axis=1), normalise) == 3
    nested = neuron_adding.nested_curve(by_half, range(10))
    assert neuron_adding.n_c(nested.mean(axis=1), normalise) == 3


@given(st.integers(1, 12), st.integers(0, 6))
def test_any_score_can_be_used(needed, useless):
    """Here a reward that is earned once all units that matter are there."""
    n = needed + useless
    matter = set(np.random.default_rng(n).permutation(n)[:needed].tolist())

    def reward(units):
        return np.array([0.01 * len(matter & set(units)) + (matter <= set(units))])

    curve = neuron_adding.adding_curve(reward, range(n))
    assert set(curve.order[:needed].tolist()) == matter
    assert neuron_adding.n_c(curve.scores[:, 0]) == (needed if n > 1 else 1)


def test_only_the_units_given_are_added():
    asked = []

    def score(units):
        asked.append(set(units))
        return np.array([float(sum(units))])

    curve = neuron_adding.adding_curve(score, [7, 2, 9])
    assert curve.order.tolist() == [9, 7, 2]
    assert curve.scores[:, 0].tolist() == [9.0, 16.0, 18.0]
    assert set().union(*asked) == {2, 7, 9}


def test_equal_units_keep_their_order():
    assert neuron_adding.ranked(np.array([[1.0], [2.0], [1.0], [2.0]]), [3, 1, 0, 2]).tolist() == [1, 2, 3, 0]


# --- ranking apart from evaluation


def noise(generator):
    """A score of pure noise: every set of units has a value of its own in each half, about 0."""
    known = {}

    def score(units):
        return known.setdefault(tuple(sorted(units)), generator.standard_normal(2))

    return score


def test_ranking_on_other_reaches_removes_the_bias():
    generator = np.random.default_rng(5)
    by_half = [noise(generator) for _ in range(400)]
    single = np.array([[score((unit,)).mean() for unit in range(12)] for score in by_half])
    assert single.max(axis=1).mean() > 1.0  # of twelve units without information the best looks good
    nested = neuron_adding.nested_curve(by_half, range(12))
    deviation = nested.std(axis=1, ddof=1) / np.sqrt(400)
    assert (np.abs(nested.mean(axis=1)) < 3.5 * deviation).all()


def test_uninformative_units_score_at_chance_when_ranked_on_other_reaches():
    generator = np.random.default_rng(6)
    plain, nested = [], []
    for _ in range(10):
        counts = generator.poisson(6.0, (80, 9, 1)).astype(float)
        targets = np.repeat(np.arange(4), 20)
        by_half = classification.scores_by_half(counts, targets, classification.draws(targets, 1, generator, 5))
        plain.append(neuron_adding.adding_curve(classification.accuracy(by_half), range(9)).scores[0, 0])
        nested.append(neuron_adding.nested_curve(by_half, range(9))[0, 0])
    deviation = np.sqrt(0.25 * 0.75 / 60 / 10)
    assert np.mean(nested) == pytest.approx(0.25, abs=3 * deviation)
    assert np.mean(plain) > 0.25 + 3 * deviation


def test_a_nested_curve_against_a_plain_computation():
    counts, targets = tuned(np.random.default_rng(7), units=4)
    splits = classification.draws(targets, 2, np.random.default_rng(8), 10)
    found = neuron_adding.nested_curve(classification.scores_by_half(counts, targets, splits), range(4))
    for column, split in enumerate(splits):
        both = []
        for rank, test in ((0, 1), (1, 0)):
            single = [classification.halves(counts[:, [unit]], targets, split)[rank] for unit in range(4)]
            order = np.argsort(-np.array(single), kind="stable")
            both.append(
                [classification.halves(counts[:, np.sort(order[:k])], targets, split)[test] for k in range(1, 5)]
            )
        np.testing.assert_allclose(found[:, column], np.mean(both, axis=0))


# --- normalisation and N_c

CURVE = np.array([0.2, 0.5, 0.45, 0.6, 0.55])


def test_three_ways_to_normalise():
    np.testing.assert_allclose(neuron_adding.by_range(CURVE), [0, 0.75, 0.625, 1, 0.875])
    np.testing.assert_allclose(neuron_adding.to_peak(CURVE), CURVE / 0.6)
    np.testing.assert_allclose(
        neuron_adding.first_to_last(CURVE), [0, 0.3 / 0.35, 0.25 / 0.35, 0.4 / 0.35, 1], atol=1e-12
    )
    assert neuron_adding.n_c(CURVE, neuron_adding.by_range) == 4
    assert neuron_adding.n_c(CURVE, neuron_adding.to_peak) == 2
    assert neuron_adding.n_c(CURVE, neuron_adding.first_to_last) == 2


def test_the_number_of_units_counts_from_one_and_is_taken_column_by_column():
    curves = np.stack([CURVE, np.arange(5) / 4, np.full(5, 0.3)], axis=1)
    assert neuron_adding.n_c(curves).tolist() == [4, 5, 1]
    assert neuron_adding.n_c(np.array([0.4])) == 1
    assert neuron_adding.n_c(np.array([-5.0, -9.0]), neuron_adding.first_to_last, 1.5) == 2


def test_samples_of_repetitions():
    scores = np.stack([CURVE, np.arange(5) / 4], axis=1)
    found = neuron_adding.resampled(scores, np.array([[2, 0], [0, 1], [1, 1]]))
    assert found.tolist() == [4, 5, neuron_adding.n_c(scores.mean(axis=1))]


def test_a_threshold_reached_exactly_counts():
    assert neuron_adding.n_c(np.array([0.1, 0.1 + 0.8 * 0.7, 0.8])) == 2
