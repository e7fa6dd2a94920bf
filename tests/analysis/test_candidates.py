"""Candidate perturbations: their number, their meaning, and the choice of a pair."""

from itertools import permutations

import numpy as np
import pytest

from decoderd.analysis import candidates, manifolds
from decoderd.errors import ArrayError

N, M, K = 9, 4, 3


def draw(seed=1):
    return np.random.default_rng(seed)


def is_permutation(orders, size):
    return (np.sort(orders, axis=1) == np.arange(size)).all()


@pytest.mark.parametrize(("dimension", "number"), [(2, 2), (4, 24), (6, 720)])
def test_all_permutations_of_few_coordinates(dimension, number):
    orders = candidates.within(dimension, draw())
    assert orders.shape == (number, dimension)
    assert {tuple(order) for order in orders} == set(permutations(range(dimension)))


def test_eight_coordinates_are_listed_only_if_requested():
    assert candidates.within(8, draw(), listed=8).shape == (40320, 8)
    assert candidates.within(8, draw(), many=500).shape == (500, 8)
    with pytest.raises(ArrayError, match="at most 8"):
        candidates.within(9, draw(), listed=9)


def test_random_permutations_differ_from_one_another_and_repeat_with_their_generator():
    orders = candidates.within(10, draw(), many=2000)
    assert is_permutation(orders, 10)
    assert len(np.unique(orders, axis=0)) == 2000
    np.testing.assert_array_equal(orders, candidates.within(10, draw(), many=2000))
    assert (orders != candidates.within(10, draw(2), many=2000)).any()
    everywhere = np.array([(orders[:, 0] == i).mean() for i in range(10)])
    assert np.abs(everywhere - 0.1).max() < 0.04  # uniform: 6 standard errors


def test_outside_permutes_all_units_or_some():
    assert is_permutation(candidates.outside(N, draw(), 50), N)
    some = candidates.outside_among([1, 5, 6], N, draw(), 50)
    assert is_permutation(some, N)
    rest = [0, 2, 3, 4, 7, 8]
    assert (some[:, rest] == rest).all()
    assert len(np.unique(some, axis=0)) == 6


def test_outside_by_groups_permutes_whole_groups():
    groups = np.array([0, 1, 2, 0, 1, 2, -1, 2, 0, 1])
    orders = candidates.outside_by_groups(groups, draw())
    assert orders.shape == (6, 10)
    assert is_permutation(orders, 10)
    assert (orders[:, 6] == 6).all()
    for order in orders:
        came_from = [set(groups[order[groups == g]]) for g in range(3)]
        assert sorted(came_from, key=min) == [{0}, {1}, {2}]
    swapped = next(order for order in orders if list(groups[order[:3]]) == [1, 0, 2])
    assert swapped.tolist() == [1, 0, 2, 4, 3, 5, 6, 7, 9, 8]
    with pytest.raises(ArrayError, match="equally large"):
        candidates.outside_by_groups([0, 0, 1], draw())


def test_the_most_modulated_units():
    means = np.zeros((K, N))
    means[:, 7], means[:, 2], means[:, 4] = [0, 9, 0], [0, 0, 3], [1, 2, 1]
    assert candidates.most_modulated(means, 2).tolist() == [2, 7]
    with pytest.raises(ArrayError, match="there are 9"):
        candidates.most_modulated(means, 10)


def test_readouts_against_their_definition():
    decoder, axes = draw().normal(size=(2, M)), manifolds.orthonormal(draw(2).normal(size=(M, N)))
    inner, outer = candidates.within(M, draw()), candidates.outside(N, draw(), 30)
    for order, found in zip(inner, candidates.readouts_within(decoder, axes, inner), strict=True):
        np.testing.assert_allclose(found, decoder @ axes[order], atol=1e-14)
    for order, found in zip(outer, candidates.readouts_outside(decoder, axes, outer), strict=True):
        np.testing.assert_allclose(found, decoder @ axes[:, order], atol=1e-14)


def test_within_stays_in_the_manifold_and_outside_leaves_it():
    decoder, axes = draw().normal(size=(2, M)), manifolds.orthonormal(draw(2).normal(size=(M, N)))
    inner = candidates.readouts_within(decoder, axes, candidates.within(M, draw()))
    assert manifolds.principal_angles(inner, axes).max() < 1e-6
    outer = candidates.readouts_outside(decoder, axes, candidates.outside(N, draw(), 30))
    assert manifolds.principal_angles(outer, axes)[:, 1].min() > 0.1


def test_expected_losses_are_those_of_samples():
    generator = draw(3)
    readouts, means = generator.normal(size=(4, 2, N)), generator.normal(size=(N, K))
    mixing = 0.5 * generator.normal(size=(N, N))
    targets = generator.normal(size=(2, K))
    found = candidates.expected_losses(readouts, means, mixing @ mixing.T, targets)
    noise = mixing @ generator.normal(size=(N, 40000))
    for p in range(4):
        for k in range(K):
            missed = readouts[p] @ (means[:, [k]] + noise) - targets[:, [k]]
            assert found[p, k] == pytest.approx(0.5 * (missed**2).sum(axis=0).mean(), rel=0.03)


def test_the_pair_is_the_nearest_to_the_median_of_both_kinds():
    within = np.array([[1.0, 1], [5, 5], [4, 2]])
    outside = np.array([[3.0, 3], [9, 9]])
    pair = candidates.equally_hard(within, outside)
    assert pair.aim.tolist() == [4, 3]  # medians of 1 5 4 3 9 and of 1 5 2 3 9
    assert (pair.within, pair.outside) == (2, 0)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ([0, 1, 2], "permutation of 4 holds each of 0..3 once"),
        ([0, 1, 2, 2], "must hold each of 0..3 once"),
        ([0.0, 1, 2, 3], "whole numbers"),
        ([[0, 1, 2, 3], [1, 2, 3, 4]], r"order\[1\]"),
    ],
)
def test_an_order_that_is_no_permutation_is_refused(order, message):
    with pytest.raises(ArrayError, match=message) as error:
        candidates.readouts_within(np.ones((2, M)), np.eye(M, N), order)
    assert error.value.field == "order"


@pytest.mark.parametrize("members", [[3], [1, 1], [0, N], [-1, 2], [0.5, 1.0]])
def test_impossible_members_are_refused(members):
    with pytest.raises(ArrayError, match="members"):
        candidates.outside_among(members, N, draw())


def test_one_coordinate_is_refused():
    with pytest.raises(ArrayError, match="at least 2"):
        candidates.within(1, draw())
