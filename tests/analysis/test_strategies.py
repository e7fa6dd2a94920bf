"""Ways of learning: each does what defines it, in activity of which that is known."""

import numpy as np
import pytest

from decoderd.analysis import open_loop, strategies
from decoderd.analysis.open_loop import Calibration, Mappings
from decoderd.errors import ArrayError

N, K, T = 12, 4, 400


def direction(target):
    angle = 2 * np.pi * target / K
    return np.column_stack([np.cos(angle), np.sin(angle)])


@pytest.fixture
def recorded():
    draw = np.random.default_rng(1)
    target = np.arange(T) % K
    preferred = draw.uniform(0, 2 * np.pi, N)
    towards = direction(target)
    rates = 6 + 3 * towards @ np.array([np.cos(preferred), np.sin(preferred)])
    return Calibration(draw.poisson(rates).astype(float), towards, target, 0.05)


@pytest.fixture
def intuitive(recorded):
    about = recorded.counts.mean(axis=0)
    weights = np.linalg.lstsq(recorded.counts - about, recorded.towards, rcond=None)[0].T
    return Mappings(weights[np.newaxis], -(weights @ about)[np.newaxis])


@pytest.fixture
def perturbed(intuitive, recorded):
    order = np.random.default_rng(2).permutation(N)
    weights = intuitive.weights[:, :, order]
    return Mappings(weights, -weights @ recorded.counts.mean(axis=0))


def spread(recorded):
    return recorded.counts.std(axis=0)


def test_realigned_patterns_move_as_they_did_with_the_least_change(recorded, intuitive, perturbed):
    found = strategies.realigned(recorded, intuitive, perturbed)
    before = open_loop.velocities(intuitive, recorded.counts)
    np.testing.assert_allclose(open_loop.velocities(perturbed, found.counts), before, atol=1e-9)
    change = (found.counts - recorded.counts) / spread(recorded)
    unread = np.linalg.svd(perturbed.weights[0] * spread(recorded))[2][2:]  # what the mapping does not see
    np.testing.assert_allclose(change @ unread.T, 0, atol=1e-9)


def test_rescaling_multiplies_every_unit_and_restores_mean_velocities(recorded, intuitive, perturbed):
    found = strategies.rescaled(recorded, intuitive, perturbed)
    mean = recorded.counts.mean(axis=0)
    factors = (found.counts - mean).std(axis=0) / spread(recorded)
    np.testing.assert_allclose(found.counts - mean, factors * (recorded.counts - mean), atol=1e-9)

    def missed(one):
        means = np.array([one.counts[one.target == k].mean(axis=0) for k in range(K)])
        meant = np.array([recorded.counts[recorded.target == k].mean(axis=0) for k in range(K)])
        gap = open_loop.velocities(perturbed, means) - open_loop.velocities(intuitive, meant)
        return np.linalg.norm(gap)

    assert missed(found) < 0.5 * missed(recorded)


def test_rescaling_undoes_a_readout_that_scales_units(recorded, intuitive):
    """Where units' weights are halved and the mean counts for nothing, doubled modulation is the answer."""
    about = recorded.counts.mean(axis=0)
    halved = 0.5 * intuitive.weights
    found = strategies.rescaled(recorded, intuitive, Mappings(halved, -halved @ about))
    after = Mappings(halved, -halved @ about)
    means = np.array([found.counts[found.target == k].mean(axis=0) for k in range(K)])
    meant = np.array([recorded.counts[recorded.target == k].mean(axis=0) for k in range(K)])
    np.testing.assert_allclose(open_loop.velocities(after, means), open_loop.velocities(intuitive, meant), atol=1e-6)


def test_reassociation_of_a_turned_readout_takes_the_patterns_of_the_target_before(recorded, intuitive):
    """Turned by a quarter, what moved to target k now moves to k + 1: so k gets the patterns of k - 1."""
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    turned = Mappings(turn @ intuitive.weights, intuitive.constant @ turn.T)
    found = strategies.reassociated(recorded, turned)
    for k in range(K):
        mine = found.counts[found.target == k]
        np.testing.assert_array_equal(mine, recorded.counts[recorded.target == (k - 1) % K])
    np.testing.assert_allclose(found.towards, direction(found.target), atol=1e-12)
    expected = open_loop.progress(intuitive, recorded)
    np.testing.assert_allclose(open_loop.progress(turned, found), np.roll(expected, 1, axis=1), atol=1e-9)


def test_the_repertoire_of_the_same_process_has_not_changed_and_a_scaled_one_has(recorded):
    draw = np.random.default_rng(3)
    mixing = draw.normal(size=(5, 5))
    samples = draw.normal(size=(60, 4, 300, 5)) @ mixing
    same = [strategies.repertoire_change(a, b[:100]) for a, b, _, _ in samples]
    assert np.median(same) == pytest.approx(1, abs=0.2)
    assert strategies.repertoire_change(samples[0, 0], 2 * samples[0, 1]) > 5


def test_distance_is_in_z_scores_over_common_targets(recorded):
    moved = recorded._replace(counts=recorded.counts + 0.7 * spread(recorded))
    assert strategies.distance(recorded, moved, recorded) == pytest.approx(0.7)
    some = moved.target < 2
    part = moved._replace(counts=moved.counts[some], towards=moved.towards[some], target=moved.target[some])
    assert strategies.distance(recorded, part, recorded) == pytest.approx(0.7)
    with pytest.raises(ArrayError, match="no target"):
        strategies.distance(recorded, part, recorded._replace(target=recorded.target + 2 * K))


def test_too_few_bins_are_refused():
    with pytest.raises(ArrayError, match="3 bins before and 2 after"):
        strategies.repertoire_change(np.zeros((3, 2)), np.zeros((2, 2)))
