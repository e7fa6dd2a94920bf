"""Predicts the target of a reach from its counts by multinomial logistic regression (Rajeswaran et al. 2024).

The counts of some units in all bins are one feature vector. Features are standardised; the regression has an L2
penalty with C = 1. It is trained on 25 random reaches to each target; all others are split into two halves, and the
score is the mean of the accuracies in the two. The regression is solved as scikit-learn does by default: a coarser
tolerance is an early stop, which regularises and raises the accuracy by up to several per cent.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from decoderd.analysis.neuron_adding import Score
from decoderd.arrays import Array
from decoderd.errors import ArrayError


class Split(NamedTuple):
    """Indices of training reaches and of two halves of test reaches."""

    train: NDArray[np.int64]
    halves: tuple[NDArray[np.int64], NDArray[np.int64]]


def draw(targets: NDArray[np.int64], generator: np.random.Generator, train_per_target: int = 25) -> Split:
    """A random split. Raises ArrayError if a target has too few reaches, or fewer than two are left for testing."""
    present, number = np.unique(targets, return_counts=True)
    if len(present) < 2:
        raise ArrayError("reaches to at least two targets are needed", "targets")
    if number.min() < train_per_target:
        fewest = present[number.argmin()]
        raise ArrayError(f"target {fewest} has {number.min()} reaches, {train_per_target} are needed", "targets")
    rest = len(targets) - train_per_target * len(present)
    if rest < 2:
        raise ArrayError(f"{rest} test reaches are left after training; 2 are needed", "targets")
    shuffled = generator.permutation(len(targets))
    train = np.concatenate([shuffled[targets[shuffled] == target][:train_per_target] for target in present])
    tested = shuffled[~np.isin(shuffled, train)]
    middle = len(tested) // 2
    return Split(train, (tested[:middle], tested[middle:]))


def draws(
    targets: NDArray[np.int64], repeats: int, generator: np.random.Generator, train_per_target: int = 25
) -> tuple[Split, ...]:
    """Several random splits."""
    return tuple(draw(targets, generator, train_per_target) for _ in range(repeats))


def _fitted(counts: Array, targets: NDArray[np.int64], split: Split) -> tuple[StandardScaler, LogisticRegression]:
    rows = counts[split.train].reshape(len(split.train), -1)
    scaler = StandardScaler().fit(rows)
    return scaler, LogisticRegression(C=1.0, max_iter=1000).fit(scaler.transform(rows), targets[split.train])


def halves(counts: Array, targets: NDArray[np.int64], split: Split) -> Array:
    """Accuracies (2,) in the two halves of a split, with all units of `counts` (T, N, B)."""
    scaler, model = _fitted(counts, targets, split)
    predicted = [model.predict(scaler.transform(counts[half].reshape(len(half), -1))) for half in split.halves]
    return np.array([(predicted[n] == targets[half]).mean() for n, half in enumerate(split.halves)])


def scores_by_half(counts: Array, targets: NDArray[np.int64], splits: Sequence[Split]) -> tuple[Score, ...]:
    """For each split, a function from a set of units to its accuracies (2,) in the two halves.

    Every set is computed once, as the same sets often occur again.
    """

    def of(split: Split) -> Score:
        @cache
        def known(units: tuple[int, ...]) -> Array:
            return halves(counts[:, units, :], targets, split)

        return lambda units: known(tuple(sorted(units)))

    return tuple(of(split) for split in splits)


def accuracy(by_half: Sequence[Score]) -> Score:
    """A function from a set of units to its accuracies (R,), one for each split: the mean of the two halves."""
    return lambda units: np.array([score(units).mean() for score in by_half])


def coefficients(counts: Array, targets: NDArray[np.int64], splits: Sequence[Split]) -> Array:
    """Coefficients (targets, N, B) of the standardised features, averaged over the splits."""
    _, units, bins = counts.shape
    fitted = [_fitted(counts, targets, split)[1].coef_ for split in splits]
    several = np.mean(fitted, axis=0)  # scikit-learn gives one row for two classes
    return several.reshape(len(several), units, bins)


def correlation(a: Array, b: Array) -> float:
    """Pearson's r between two tensors of coefficients of one shape, as of two days."""
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def cosine(a: Array, b: Array) -> float:
    """Cosine of the angle between two tensors of coefficients of one shape."""
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))
