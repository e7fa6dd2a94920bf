import numpy as np
import pytest

from decoderd.experiments.manifold import static_network as networks
from decoderd.experiments.manifold import training
from decoderd.experiments.manifold.static_network import Rates


@pytest.fixture(scope="module")
def network():
    return networks.draw((1, 2), 0.8, units=20)


@pytest.fixture(scope="module")
def course(network):
    return training.follow(network, Rates(np.array([5e-2, 4e-2])), 130, (0, 1, 50, 99, 130), (0.5, 0.25, 1e-6))


def test_losses_end_with_that_of_the_last_network(network, course):
    assert course.losses.shape == (2, 131)
    np.testing.assert_allclose(course.losses[:, 0], networks.loss(network))
    np.testing.assert_allclose(course.losses[:, -1], networks.loss(course.end))
    assert (course.stopped == -1).all()


def test_what_was_kept_has_the_losses_of_its_update(network, course):
    for i, update in enumerate((0, 1, 50, 99, 130)):
        found = networks.loss(network._replace(W=course.at[:, i]))
        np.testing.assert_allclose(found, course.losses[:, update], atol=1e-12)


def test_the_first_network_below_a_part_of_the_loss(network, course):
    for f, part in enumerate((0.5, 0.25)):
        found = networks.loss(network._replace(W=course.below[:, f]))
        for b in range(2):
            first = int(np.argmax(course.losses[b] <= part * course.losses[b, 0]))
            assert first > 0
            assert found[b] == pytest.approx(course.losses[b, first])
            assert training.updates_to(course.losses, part)[b] == first
    assert np.isnan(course.below[:, 2]).all()
    assert np.isnan(training.updates_to(course.losses, 1e-6)).all()


def test_a_network_that_stops_has_no_losses_after(network):
    found = training.follow(network, Rates(np.array([1e-3, 5.0])), 120, (0, 120))
    assert found.stopped[0] == -1
    last = found.stopped[1]
    assert 0 <= last < 60
    assert np.isfinite(found.losses[1, : last + 1]).all()
    assert np.isnan(found.losses[1, last + 1 :]).all()
    assert np.isfinite(found.losses[0]).all()
    assert np.isfinite(found.at[:, 0]).all()
    assert np.isnan(found.at[1, 1]).all()
    assert training.irregular(found).tolist() == [False, True]


def test_irregular_is_a_loss_that_rises():
    empty = np.empty((3, 0, 2, 2))
    losses = np.array([[3.0, 2, 1], [3, 2, 2.1], [3, 2, 2]])
    found = training.Course(losses, losses, np.array([-1, -1, -1]), empty, empty, None, 0.0)
    assert training.irregular(found).tolist() == [False, True, False]
