"""Telling the target from counts, against scikit-learn's own pipeline and against chance."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from decoderd.analysis import classification
from decoderd.errors import ArrayError
from tests.analysis.tuning import tuned


def test_a_split_is_balanced_and_has_every_reach_once():
    targets = np.random.default_rng(1).integers(0, 8, 400)
    split = classification.draw(targets, np.random.default_rng(2))
    assert np.bincount(targets[split.train]).tolist() == [25] * 8
    assert sorted(np.concatenate([split.train, *split.halves]).tolist()) == list(range(400))
    assert abs(len(split.halves[0]) - len(split.halves[1])) <= 1


def test_draws_differ_and_are_repeatable():
    targets = np.repeat(np.arange(8), 30)
    first, second = classification.draws(targets, 2, np.random.default_rng(3))
    again, _ = classification.draws(targets, 2, np.random.default_rng(3))
    assert set(first.train) != set(second.train)
    np.testing.assert_array_equal(first.train, again.train)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.repeat([0, 1], [30, 24]), "target 1 has 24 reaches, 25 are needed"),
        (np.repeat([0, 1], 25), "0 test reaches are left after training"),
        (np.zeros(100, dtype=int), "at least two targets"),
    ],
)
def test_too_few_reaches_are_refused(targets, message):
    with pytest.raises(ArrayError, match=message):
        classification.draw(targets, np.random.default_rng(0))


def test_accuracies_against_a_scikit_learn_pipeline():
    counts, targets = tuned(np.random.default_rng(4))
    split = classification.draw(targets, np.random.default_rng(5), 10)
    rows = counts.reshape(len(counts), -1)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000))
    model.fit(rows[split.train], targets[split.train])
    expected = [model.score(rows[half], targets[half]) for half in split.halves]
    assert 0.3 < min(expected) < 1
    np.testing.assert_allclose(classification.halves(counts, targets, split), expected)


def test_a_score_is_the_mean_of_the_halves_of_each_split():
    counts, targets = tuned(np.random.default_rng(4))
    splits = classification.draws(targets, 3, np.random.default_rng(5), 10)
    by_half = classification.scores_by_half(counts, targets, splits)
    score = classification.accuracy(by_half)
    expected = [classification.halves(counts[:, [1, 4]], targets, split).mean() for split in splits]
    np.testing.assert_allclose(score((4, 1)), expected)
    np.testing.assert_array_equal(score((1, 4)), score([4, 1]))


def test_shuffled_labels_give_chance_accuracy():
    generator = np.random.default_rng(6)
    counts, targets = tuned(generator, reaches_per_target=60, units=4, bins=2, depth=7.0)
    true, by_chance = [], []
    for labels, found in [(targets, true), *[(generator.permutation(targets), by_chance) for _ in range(6)]]:
        (split,) = classification.draws(labels, 1, generator)
        found.append(classification.halves(counts, labels, split).mean())
    assert true[0] > 0.35
    deviation = np.sqrt(0.125 * 0.875 / (280 * 6))
    assert np.mean(by_chance) == pytest.approx(0.125, abs=3 * deviation)


def test_the_default_tolerance_is_near_the_optimum_and_a_coarse_one_is_not():
    """An early stop regularises: it must not pass for a faster way to the same number."""
    counts, targets = tuned(np.random.default_rng(8), reaches_per_target=75, units=10, bins=8, depth=4.0)
    split = classification.draw(targets, np.random.default_rng(8))

    def accuracy(**options):
        rows = counts.reshape(len(counts), -1)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000, **options))
        model.fit(rows[split.train], targets[split.train])
        return np.mean([model.score(rows[half], targets[half]) for half in split.halves])

    ours = classification.halves(counts, targets, split).mean()
    exact, coarse = accuracy(tol=1e-9), accuracy(tol=1e-2)
    assert ours == pytest.approx(exact, abs=0.003)  # one reach of 400 is 0.0025
    assert coarse > exact + 0.02


def test_coefficients_of_days_with_one_tuning_agree():
    def day(tuning, noise):
        counts, targets = tuned(np.random.default_rng(tuning), reaches_per_target=30)
        generator = np.random.default_rng(noise)
        counts = generator.poisson(counts).astype(float)
        return classification.coefficients(counts, targets, classification.draws(targets, 2, generator, 20))

    first, same, other = day(1, 1), day(1, 2), day(2, 3)
    assert first.shape == (8, 6, 3)
    assert classification.correlation(first, first) == pytest.approx(1.0)
    assert classification.cosine(first, -first) == pytest.approx(-1.0)
    assert classification.correlation(first, same) > 0.6
    assert abs(classification.correlation(first, other)) < 0.4
