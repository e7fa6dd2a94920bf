"""Candidate permutations and the choice of the pair."""

from __future__ import annotations

from math import factorial

import numpy as np
import pytest

from decoderd.analysis import open_loop
from decoderd.errors import ArrayError
from decoderd_client.plugins import Unable
from decoderd_plugins.manifold import kalman_decoder, permutation_choice
from decoderd_plugins.manifold.trials import outward_bins
from tests.clients.plugins.manifold import simulated

Q, BIN_S, LABELS = 4, 0.05, np.arange(simulated.K)


@pytest.fixture(scope="module")
def before():
    return outward_bins(simulated.bins(), LABELS, BIN_S)


@pytest.fixture(scope="module")
def intuitive():
    return kalman_decoder.fit("intrinsic_manifold", {}, simulated.bins(), BIN_S, Q, simulated.config())


def choose(intuitive, before, **fields):
    return permutation_choice.choose_permutations(intuitive, before, simulated.config(**fields))


def test_all_permutations_of_few_factors_and_random_ones_of_units(intuitive, before):
    choice = choose(intuitive, before)
    assert choice.of["wmp"].orders.shape == (factorial(Q), Q)
    assert choice.of["omp"].orders.shape == (200, 14)
    assert len(choose(intuitive, before, listed=3, candidates=10).of["wmp"].orders) == 10


def test_the_pair_is_as_hard_as_the_typical_candidate(intuitive, before):
    choice = choose(intuitive, before)
    pooled = np.concatenate([choice.of[side].predicted.progress for side in permutation_choice.SIDES])
    aim = np.median(pooled, axis=0)
    for side in permutation_choice.SIDES:
        away = np.linalg.norm(choice.of[side].predicted.progress - aim, axis=1)
        assert choice.of[side].chosen == away.argmin()
    for side in permutation_choice.SIDES:  # and it is hard: the intuitive mapping does better
        assert choice.of[side].predicted.progress[choice.of[side].chosen].mean() < 0.6 * choice.progress.mean()


def test_predictions_do_not_depend_on_the_size_of_pieces(intuitive, before, monkeypatch):
    whole = choose(intuitive, before).of["omp"].predicted
    monkeypatch.setattr(permutation_choice, "AT_ONCE", 37)
    for a, b in zip(whole, choose(intuitive, before).of["omp"].predicted, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_the_pair_depends_on_the_seed_and_not_on_the_kind(intuitive, before):
    first, second = choose(intuitive, before), choose(intuitive, before, kind="omp")
    other = choose(intuitive, before, seed=1)
    for side in permutation_choice.SIDES:
        np.testing.assert_array_equal(first.order(side), second.order(side))
    assert (first.of["omp"].orders != other.of["omp"].orders).any()


def test_limits_keep_candidates_out(intuitive, before):
    free = choose(intuitive, before)
    low, high = np.percentile(np.degrees(free.of["omp"].predicted.direction_change), [20, 60])
    found = choose(intuitive, before, direction_change_deg=(low, high))
    for side in permutation_choice.SIDES:
        chosen = found.of[side]
        assert low <= np.degrees(chosen.predicted.direction_change[chosen.chosen]) <= high
        assert 0 < chosen.allowed.sum() < len(chosen.orders)
    with pytest.raises(Unable, match="none of 24 candidates"):
        choose(intuitive, before, angle_deg=(89.9, 90))


def test_only_the_most_modulated_units_are_permuted(intuitive, before):
    orders = choose(intuitive, before, modulated=5).of["omp"].orders
    means = np.array([before.counts[before.target == k].mean(axis=0) for k in range(simulated.K)])
    expected = set(np.argsort(means.std(axis=0))[-5:])
    assert set(np.flatnonzero((orders != np.arange(14)).any(axis=0))) == expected


def test_whole_groups_of_units_are_permuted(intuitive, before):
    orders = choose(intuitive, before, groups=4).of["omp"].orders
    assert len(orders) == factorial(4)
    moved = (orders != np.arange(14)).any(axis=0)
    assert moved.sum() == 12  # of 14 units, in groups of three
    with pytest.raises(ArrayError, match="groups = 15: must be at most the number of units, 14"):
        choose(intuitive, before, groups=15)


def test_a_given_order_is_used(intuitive, before):
    mine = (3, 2, 0, 1)
    choice = choose(intuitive, before, order=mine, angle_deg=(0, 90))
    assert choice.order("wmp").tolist() == list(mine)
    expected = open_loop.progress(intuitive.mappings("wmp", mine), before)
    np.testing.assert_allclose(choice.of["wmp"].predicted.progress, expected)
    for wrong in ((0, 1, 2), (0, 1, 1, 2)):
        with pytest.raises(ArrayError, match=r"each of 0\.\.3"):
            choose(intuitive, before, order=wrong)
    with pytest.raises(ArrayError, match=r"each of 0\.\.13"):
        choose(intuitive, before, kind="omp", order=mine)
