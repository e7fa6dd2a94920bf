"""The experiment's parts, for a few seeds: what must hold of every network, and that processes change nothing."""

import numpy as np
import pytest

from decoderd.analysis import candidates, manifolds
from decoderd.experiments import pool
from decoderd.experiments.manifold import expected, experiment
from decoderd.experiments.manifold import static_network as networks

SEEDS = (1, 2)


@pytest.fixture(scope="module")
def prepared():
    return experiment.prepare(SEEDS, experiment.LAZY)


@pytest.fixture(scope="module")
def learnt():
    return experiment.learn(SEEDS, experiment.LAZY, 150)


def test_initial_training_learns(prepared):
    losses = prepared.course.losses
    assert losses.shape == (2, experiment.INITIAL_UPDATES + 1)
    assert (losses[:, -1] < 0.05 * losses[:, 0]).all()


def test_the_pair_is_equally_hard(prepared):
    """By the losses of networks with these readouts, worked out anew for all candidates of one kind."""
    network, s = prepared.network, 0
    readouts = candidates.readouts_within(
        prepared.decoder[s], prepared.axes[s], candidates.within(6, np.random.default_rng(0))
    )
    moments = networks.moments(network)

    def per_target(readout):
        missed = readout @ moments.means[s] - network.targets
        return 0.5 * (missed**2).sum(axis=0) + 0.5 * np.trace(readout @ moments.private[s] @ readout.T)

    within, outside = (per_target(prepared.readouts[s, k]) for k in (experiment.WITHIN, experiment.OUTSIDE))
    distance = np.linalg.norm([per_target(one) - outside for one in readouts], axis=1)
    nearer = (distance < np.linalg.norm(within - outside) - 0.05).sum()
    assert nearer < 0.05 * len(readouts)  # OMPs lie close to the aim, so few WMPs are closer to the one chosen


def test_the_readouts_are_the_orders(prepared):
    for s in range(2):
        np.testing.assert_allclose(
            prepared.readouts[s, 0], prepared.decoder[s] @ prepared.axes[s][prepared.within[s]], atol=1e-12
        )
        np.testing.assert_allclose(
            prepared.readouts[s, 1], (prepared.decoder[s] @ prepared.axes[s])[:, prepared.outside[s]], atol=1e-12
        )


def test_the_metrics_at_first(learnt):
    np.testing.assert_allclose(learnt.overlaps[:, :, 0], 1, atol=1e-12)
    np.testing.assert_allclose(learnt.angles[:, 0, 0], 0, atol=1e-6)  # a WMP reads the manifold
    assert np.degrees(learnt.angles[:, 1, 0]).min() > 45
    assert (learnt.projection[:, 1] > learnt.projection[:, 0]).all()


def test_weight_change_is_bounded_by_its_path(learnt):
    path = experiment.RATE * learnt.gradient_norms.sum(axis=-1)
    assert (learnt.weight_change <= path).all()
    assert (learnt.weight_change > 0.2 * path).all()


def test_strategies_against_projectors(prepared):
    """The perturbed decoder is the one that the readout applies to the coordinates."""
    W = prepared.network.W * 0.9
    found = experiment._strategies(prepared, W[:, np.newaxis])
    now = networks.moments(prepared.network._replace(W=W)).total
    for s in range(2):
        C, V0, V1 = prepared.axes[s], prepared.moments.total[s], now[s]
        perturbed = prepared.readouts[s, 0] @ C.T
        for j, decoder in enumerate((prepared.decoder[s], perturbed, prepared.decoder[s][:, prepared.within[s]])):
            P = np.linalg.pinv(decoder) @ decoder
            change = np.trace(P @ C @ V1 @ C.T @ P) / np.trace(P @ C @ V0 @ C.T @ P) - 1
            assert found[s, j, 0] == pytest.approx(change)


def test_the_angle_of_an_update_is_that_of_a_small_step(prepared):
    network = experiment.perturbed(prepared)
    axes = np.concatenate([prepared.axes] * 2)
    _, _, angle = experiment._activity(network, network.W, axes, prepared.moments)
    before = networks.moments(network).total
    after = networks.moments(network._replace(W=network.W - 1e-7 * networks.gradients(network).W)).total
    for b in range(4):
        values, vectors = np.linalg.eigh(after[b] - before[b])
        largest = vectors[:, np.argsort(-np.abs(values))[:4]].T
        assert manifolds.principal_angles(largest, network.V[b])[0] == pytest.approx(angle[b], abs=1e-3)


def test_increments_end_on_the_whole_perturbation(prepared):
    found = experiment.increments(SEEDS, experiment.LAZY)
    assert found.stepwise_losses.shape == found.direct_losses.shape == (2, experiment.INCREMENTAL_UPDATES + 1)
    np.testing.assert_allclose(found.stepwise_losses[:, 0], found.direct_losses[:, 0])
    np.testing.assert_array_equal(found.stepwise, found.stepwise_losses[:, -1])
    assert (found.stepwise < found.stepwise_losses[:, 0]).all()


def test_a_high_rate_is_unstable_and_a_low_one_is_not():
    low, high = (experiment.sweep(SEEDS, experiment.LAZY, rate, 60) for rate in (1e-3, 0.5))
    assert not low.unstable.any()
    assert high.unstable.all()
    assert high.irregular.all()


def test_learning_from_samples_is_near_to_learning_by_the_gradient(learnt):
    found = experiment.sampled(SEEDS, experiment.LAZY, 150)
    np.testing.assert_allclose(found.losses[..., 0], learnt.losses[..., 0])
    assert (found.losses != learnt.losses)[..., 1:].all()
    assert np.abs(found.losses - learnt.losses).max() < 0.2 * learnt.losses.max()


def test_bands_of_every_kind(learnt):
    whole = learnt._replace(losses=np.pad(learnt.losses, ((0, 0), (0, 0), (0, 1850)), mode="edge"))
    bands = expected.of_learning("lazy", whole)
    swept = [experiment.Swept(np.zeros((20, 2)), np.ones((20, 2)), np.zeros((20, 2, 3)))] * 6
    bands += expected.of_sweep(swept)
    assert len({band.name for band in bands}) == len(bands) > 60
    assert all(band.low < band.high for band in bands)
    by_name = {band.name: band for band in bands}
    assert by_name["lazy: WMP: loss at first"].value == pytest.approx(learnt.losses[:, 0, 0].mean())
    assert by_name["rate 0.01: OMP unstable"].ok
    assert not by_name["rate 0.001: WMP irregular"].ok


def test_the_same_on_any_number_of_processes_and_in_any_company():
    alone = [pool.Part(experiment.sweep, ((seed,), experiment.LAZY, 1e-2, 60)) for seed in SEEDS]
    together = pool.Part(experiment.sweep, (SEEDS, experiment.LAZY, 1e-2, 60))
    two = experiment.together(pool.run(alone, 2).results)
    (one,) = pool.run([together], 1).results
    for apart, at_once in zip(two, one, strict=True):
        np.testing.assert_array_equal(apart, at_once)
