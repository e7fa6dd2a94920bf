"""The static network against sampled activity, finite differences, and plain gradient descent."""

import numpy as np
import pytest

from decoderd.errors import NumericalError
from decoderd.experiments.manifold import static_network as networks
from decoderd.experiments.manifold.static_network import Rates


def small(seeds=(1, 2, 3), exponent=0.7, units=12, inputs=5):
    return networks.draw(seeds, exponent, units, inputs)


def with_bias(network, seed=9):
    return network._replace(b=np.random.default_rng(seed).normal(0, 0.3, network.b.shape))


def plain_loss(W, U, b, V, targets, noise_var):
    """The loss as published, one network, with an explicit inverse."""
    A = np.linalg.inv(np.eye(len(W)) - W)
    K = targets.shape[1]
    out = 0.5 * np.trace(V @ (noise_var * A @ A.T) @ V.T)
    for k in range(K):
        x = np.eye(K)[k]
        out += 0.5 / K * np.sum((V @ A @ (b + U @ x) - targets[:, k]) ** 2)
    return out


def plain_gradient(W, U, b, V, targets, noise_var):
    """dL/dW as published: A' V' [V S + mean of (V mu - t) mu']."""
    A = np.linalg.inv(np.eye(len(W)) - W)
    K = targets.shape[1]
    inner = V @ (noise_var * A @ A.T)
    for k in range(K):
        mu = A @ (b + U[:, k])
        inner = inner + np.outer(V @ mu - targets[:, k], mu) / K
    return A.T @ V.T @ inner


def parts(network, i):
    return network.W[i], network.U[i], network.b[i], network.V[i], network.targets, network.noise_var


def test_targets_are_on_the_unit_circle():
    np.testing.assert_allclose(networks.targets(4), [[1, 0, -1, 0], [0, 1, 0, -1]], atol=1e-15)


def test_draws_are_as_stated():
    network = networks.draw(tuple(range(30)), 0.55)
    assert network.W.std() == pytest.approx(100**-0.55, rel=0.01)
    assert network.U.min() >= -1
    assert network.U.var() == pytest.approx(1 / 3, rel=0.02)
    np.testing.assert_allclose(np.linalg.norm(network.V, axis=(1, 2)), 0.2 * np.sqrt(8))
    assert not network.b.any()
    np.testing.assert_array_equal(networks.draw((7,), 0.55).W[0], network.W[7])  # a seed has its own numbers


def test_moments_are_those_of_samples():
    network = with_bias(small((4,)))
    draw = np.random.default_rng(5)
    n, K, samples = 12, 5, 60000
    xi = np.sqrt(network.noise_var) * draw.normal(size=(samples, n))
    k = draw.integers(0, K, samples)
    v = np.linalg.solve(np.eye(n) - network.W[0], (network.b[0] + network.U[0].T[k] + xi).T).T
    found = networks.moments(network)
    for target in range(K):
        np.testing.assert_allclose(v[k == target].mean(axis=0), found.means[0, :, target], atol=0.01)
    scale = np.abs(found.total).max()
    np.testing.assert_allclose(np.cov(v[k == 0], rowvar=False), found.private[0], atol=0.05 * found.private.max())
    np.testing.assert_allclose(np.cov(v, rowvar=False), found.total[0], atol=0.02 * scale)
    np.testing.assert_allclose(v.T @ v / samples, found.second[0], atol=0.02 * np.abs(found.second).max())


def test_loss_is_as_published():
    network = with_bias(small())
    np.testing.assert_allclose(networks.loss(network), [plain_loss(*parts(network, i)) for i in range(3)], rtol=1e-13)


@pytest.mark.parametrize("which", ["W", "U", "b"])
@pytest.mark.parametrize("exponent", [0.55, 1.0])
def test_gradients_are_finite_differences(which, exponent):
    network = with_bias(networks.draw((1, 2), exponent))
    exact = getattr(networks.gradients(network), which)
    value, step = getattr(network, which), 1e-4
    draw = np.random.default_rng(3)
    for _ in range(40):
        at = tuple(draw.integers(0, size) for size in value.shape)
        sides = []
        for sign in (1, -1):
            moved = value.copy()
            moved[at] += sign * step
            sides.append(plain_loss(*parts(network._replace(**{which: moved}), at[0])))
        assert (sides[0] - sides[1]) / (2 * step) == pytest.approx(exact[at], abs=1e-7)


@pytest.mark.parametrize("exponent", [0.55, 1.0])
def test_descent_is_gradient_descent(exponent):
    """Low-rank updates against gradients by the published formula and a fresh inverse at every update."""
    network = networks.draw((1, 2), exponent)
    W, losses = network.W.copy(), []
    for _ in range(120):
        now = network._replace(W=W)
        losses.append([plain_loss(*parts(now, i)) for i in range(2)])
        W = W - 1e-2 * np.array([plain_gradient(*parts(now, i)) for i in range(2)])
    blocks = list(networks.descend(network, Rates(np.full(2, 1e-2)), 120))
    found = np.concatenate([block.losses for block in blocks], axis=1)
    np.testing.assert_allclose(found, np.transpose(losses), rtol=0, atol=1e-12)
    np.testing.assert_allclose(blocks[-1].end.W, W, atol=1e-12)
    assert max(block.rounding for block in blocks) < 1e-12
    norms = np.concatenate([block.gradient_norms for block in blocks], axis=1)
    np.testing.assert_allclose(norms[:, 0], [np.linalg.norm(plain_gradient(*parts(network, i))) for i in range(2)])


def test_losses_do_not_depend_on_how_often_A_is_inverted():
    network = networks.draw((1,), 0.55)
    often, seldom = (
        np.concatenate([s.losses for s in networks.descend(network, Rates(np.array([1e-2])), 300, every)], axis=1)
        for every in (10, 300)
    )
    np.testing.assert_allclose(often, seldom, rtol=0, atol=1e-11)


def test_all_of_W_U_and_b_can_learn():
    network = small()
    W, U, b = network.W, network.U, network.b
    for _ in range(30):
        slope = networks.gradients(network._replace(W=W, U=U, b=b))
        W, U, b = W - 0.01 * slope.W, U - 0.02 * slope.U, b - 0.03 * slope.b
    *_, last = networks.descend(network, Rates(np.full(3, 0.01), 0.02, 0.03), 30, every=7)
    for found, expected in zip(last.end[:3], (W, U, b), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_descent_by_samples():
    """Against the gradient of the samples' own loss, by finite differences of the activity written out."""
    network, draw = with_bias(small((1,))), np.random.default_rng(4)
    xi = draw.normal(size=(3, 1, 12, 5))
    W = network.W[0]

    def loss(W, sample):
        v = np.linalg.solve(np.eye(12) - W, network.b[0][:, np.newaxis] + network.U[0] + 0.1 * sample)
        return 0.5 * ((network.V[0] @ v - network.targets) ** 2).sum() / 5

    for sample in xi[:, 0]:
        slope = np.empty_like(W)
        for at in np.ndindex(W.shape):
            step = np.zeros_like(W)
            step[at] = 1e-5
            slope[at] = (loss(W + step, sample) - loss(W - step, sample)) / 2e-5
        W = W - 0.05 * slope
    (block,) = networks.descend(network, Rates(np.array([0.05])), 3, samples=lambda update: xi[update])
    np.testing.assert_allclose(block.end.W[0], W, atol=1e-8)
    assert block.losses[0, 0] == pytest.approx(networks.loss(network)[0])  # expected, not the sample's


def test_a_rate_of_0_keeps_parameters_fixed():
    network = small()
    *_, last = networks.descend(network, Rates(np.zeros(3), 0.1), 20)
    np.testing.assert_array_equal(last.end.W, network.W)
    np.testing.assert_array_equal(last.end.b, network.b)
    assert (networks.loss(last.end) < networks.loss(network)).all()


def test_weights_within_a_block():
    network = small()
    (block,) = networks.descend(network, Rates(np.array([0.01, 0.02, 0.03])), 20)
    for i in range(20):
        W = np.array([networks.weights_before(block, b, i) for b in range(3)])
        np.testing.assert_allclose(networks.loss(network._replace(W=W)), block.losses[:, i], atol=1e-12)


def test_networks_of_a_batch_do_not_affect_one_another():
    network = networks.draw((1, 2, 3), 0.55)
    rates = np.array([1e-2, 0.3, 2e-2])
    *_, together = networks.descend(network, Rates(rates), 100)
    for i in range(3):
        *_, alone = networks.descend(networks.chosen(network, [i]), Rates(rates[[i]]), 100)
        np.testing.assert_array_equal(alone.end.W[0], together.end.W[i])


def test_a_network_stops_before_it_becomes_unstable():
    network, rate = networks.draw((6, 1), 0.55), np.array([0.2, 1e-2])
    W, until = network.W[[0]], 0
    while True:
        after = (
            W - rate[0] * networks.gradients(network._replace(W=W, U=network.U[:1], b=network.b[:1], V=network.V[:1])).W
        )
        if np.abs(np.linalg.eigvals(after)).max() >= 1:
            break
        W, until = after, until + 1
    assert 0 < until < 40
    blocks = list(networks.descend(network, Rates(rate, 0.01), 80, every=40))
    assert [block.kept.tolist() for block in blocks] == [[until, 40], [0, 40]]
    assert blocks[1].rates.tolist() == [0, 1e-2]
    *_, exact = networks.descend(network, Rates(rate, 0.01), until, every=until)
    np.testing.assert_allclose(blocks[-1].end.W[0], exact.end.W[0], atol=1e-12)
    np.testing.assert_allclose(blocks[-1].end.U[0], exact.end.U[0], atol=1e-12)  # U and b stop as well


def test_an_unstable_network_is_refused():
    network = small()
    with pytest.raises(NumericalError, match="unit circle"):
        list(networks.descend(network._replace(W=network.W * 5), Rates(np.full(3, 1e-3)), 10))
