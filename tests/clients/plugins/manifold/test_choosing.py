"""Candidates and the pair that is chosen among them."""

from __future__ import annotations

from math import factorial

import numpy as np
import pytest

from decoderd.analysis import open_loop
from decoderd.errors import ArrayError
from decoderd_client.plugins import Unable
from decoderd_plugins.manifold import choosing, filtered
from decoderd_plugins.manifold.gathering import recorded
from tests.clients.plugins.manifold import simulated

Q, BIN_S, LABELS = 4, 0.05, np.arange(simulated.K)


@pytest.fixture(scope="module")
def before():
    return recorded(simulated.bins(), LABELS, BIN_S)


@pytest.fixture(scope="module")
def intuitive():
    return filtered.fit("intrinsic_manifold", {}, simulated.bins(), BIN_S, Q, simulated.config())


def choose(intuitive, before, **fields):
    return choosing.choose(intuitive, before, simulated.config(**fields))


def test_all_permutations_of_few_factors_and_random_ones_of_units(intuitive, before):
    choice = choose(intuitive, before)
    assert choice.of["wmp"].orders.shape == (factorial(Q), Q)
    assert choice.of["omp"].orders.shape == (200, 14)
    assert len(choose(intuitive, before, listed=3, candidates=10).of["wmp"].orders) == 10


def test_the_pair_is_as_hard_as_the_typical_candidate(intuitive, before):
    choice = choose(intuitive, before)
    pooled = np.concatenate([choice.of[side].predicted.progress for side in choosing.SIDES])
    aim = np.median(pooled, axis=0)
    for side in choosing.SIDES:
        away = np.linalg.norm(choice.of[side].predicted.progress - aim, axis=1)
        assert choice.of[side].chosen == away.argmin()
    for side in choosing.SIDES:  # and it is hard: the intuitive mapping does better
        assert choice.of[side].predicted.progress[choice.of[side].chosen].mean() < 0.6 * choice.progress.mean()


def test_predictions_in_pieces_are_those_of_the_whole(intuitive, before, monkeypatch):
    whole = choose(intuitive, before).of["omp"].predicted
    monkeypatch.setattr(choosing, "AT_ONCE", 37)
    for a, b in zip(whole, choose(intuitive, before).of["omp"].predicted, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_the_seed_decides_and_the_kind_does_not(intuitive, before):
    first, second = choose(intuitive, before), choose(intuitive, before, kind="omp")
    other = choose(intuitive, before, seed=1)
    for side in choosing.SIDES:
        np.testing.assert_array_equal(first.order(side), second.order(side))
    assert (first.of["omp"].orders != other.of["omp"].orders).any()


def test_limits_keep_candidates_out(intuitive, before):
    free = choose(intuitive, before)
    low, high = np.percentile(np.degrees(free.of["omp"].predicted.direction_change), [20, 60])
    found = choose(intuitive, before, direction_change_deg=(low, high))
    for side in choosing.SIDES:
        chosen = found.of[side]
        assert low <= np.degrees(chosen.predicted.direction_change[chosen.chosen]) <= high
        assert 0 < chosen.allowed.sum() < len(chosen.orders)
    with pytest.raises(Unable, match="none of 24 candidates"):
        choose(intuitive, before, angle_deg=(89.9, 90))


def test_only_the_most_modulated_units_change_places(intuitive, before):
    orders = choose(intuitive, before, modulated=5).of["omp"].orders
    means = np.array([before.counts[before.target == k].mean(axis=0) for k in range(simulated.K)])
    expected = set(np.argsort(means.std(axis=0))[-5:])
    assert set(np.flatnonzero((orders != np.arange(14)).any(axis=0))) == expected


def test_groups_of_units_change_places_as_wholes(intuitive, before):
    orders = choose(intuitive, before, groups=4).of["omp"].orders
    assert len(orders) == factorial(4)
    moved = (orders != np.arange(14)).any(axis=0)
    assert moved.sum() == 12  # of 14 units, in groups of three
    with pytest.raises(ArrayError, match="15 groups of 14 units"):
        choose(intuitive, before, groups=15)


def test_an_order_of_one_s_own(intuitive, before):
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
