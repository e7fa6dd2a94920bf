"""Training runs of static networks: losses, kept weights, networks that stop."""

import numpy as np
import pytest

from decoderd.experiments.manifold import static_network as networks
from decoderd.experiments.manifold import training
from decoderd.experiments.manifold.static_network import Rates


@pytest.fixture(scope="module")
def network():
    return networks.draw((1, 2), 0.8, units=20)


@pytest.fixture(scope="module")
def run(network):
    return training.train(network, Rates(np.array([5e-2, 4e-2])), 130, (0, 1, 50, 99, 130), (0.5, 0.25, 1e-6))


def test_the_last_loss_is_that_of_the_last_network(network, run):
    assert run.losses.shape == (2, 131)
    np.testing.assert_allclose(run.losses[:, 0], networks.loss(network))
    np.testing.assert_allclose(run.losses[:, -1], networks.loss(run.end))
    assert (run.stopped == -1).all()


def test_kept_weights_have_the_losses_of_their_update(network, run):
    for i, update in enumerate((0, 1, 50, 99, 130)):
        found = networks.loss(network._replace(W=run.at[:, i]))
        np.testing.assert_allclose(found, run.losses[:, update], atol=1e-12)


def test_the_first_weights_below_a_fraction_of_the_loss(network, run):
    for f, part in enumerate((0.5, 0.25)):
        found = networks.loss(network._replace(W=run.below[:, f]))
        for b in range(2):
            first = int(np.argmax(run.losses[b] <= part * run.losses[b, 0]))
            assert first > 0
            assert found[b] == pytest.approx(run.losses[b, first])
            assert training.updates_to(run.losses, part)[b] == first
    assert np.isnan(run.below[:, 2]).all()
    assert np.isnan(training.updates_to(run.losses, 1e-6)).all()


def test_a_stopped_network_has_no_further_losses(network):
    found = training.train(network, Rates(np.array([1e-3, 5.0])), 120, (0, 120))
    assert found.stopped[0] == -1
    last = found.stopped[1]
    assert 0 <= last < 60
    assert np.isfinite(found.losses[1, : last + 1]).all()
    assert np.isnan(found.losses[1, last + 1 :]).all()
    assert np.isfinite(found.losses[0]).all()
    assert np.isfinite(found.at[:, 0]).all()
    assert np.isnan(found.at[1, 1]).all()
    assert training.irregular(found).tolist() == [False, True]


def test_a_rising_loss_is_irregular():
    empty = np.empty((3, 0, 2, 2))
    losses = np.array([[3.0, 2, 1], [3, 2, 2.1], [3, 2, 2]])
    found = training.TrainingRun(losses, losses, np.array([-1, -1, -1]), empty, empty, None, 0.0)
    assert training.irregular(found).tolist() == [False, True, False]
