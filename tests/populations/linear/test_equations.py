"""The equations of the static network, against central differences and against samples."""

import numpy as np
import pytest

from decoderd.populations.linear import equations
from decoderd.populations.linear.equations import Noise

N, D, K, m = 6, 4, 3, 2
SMALL = 1e-5


def network(seed=1):
    draw = np.random.default_rng(seed)
    W, U, b = draw.normal(0, 0.25, (N, N)), draw.normal(size=(N, D)), draw.normal(size=N)
    G, X, B = draw.normal(size=(2, N)), draw.normal(size=(K, D)), draw.normal(0, 0.3, (K, D, m))
    return W, U, b, G, X, B


def averages(W, U, b, G, X, B, variance=0.05):
    """Mean squared error of each target, and the arguments of `gradients` in trials of all targets."""
    A = equations.gain(W)
    means = (b + X @ U.T) @ A.T
    error, Z = means @ G.T - equations.targets(K).T, np.broadcast_to(G @ A, (K, 2, N))
    noise = Noise(variance, U @ B, B)
    return equations.mean_squared_error(Z, error, noise), (Z, error, noise, A, means, X)


def test_targets_are_on_the_unit_circle():
    np.testing.assert_allclose(equations.targets(4), [[1, 0, -1, 0], [0, 1, 0, -1]], atol=1e-15)


@pytest.mark.parametrize("name", ["W", "U", "b"])
def test_gradients_are_those_of_central_differences(name):
    given = dict(zip("WUbGXB", network(), strict=True))
    amounts = np.array([0.7, -0.2, 1.1])
    _, arguments = averages(**given)
    found = getattr(equations.gradients(*arguments, amounts), name)
    for entry in np.ndindex(given[name].shape):
        moved = []
        for sign in (1, -1):
            changed = given[name].copy()
            changed[entry] += sign * SMALL
            moved.append(amounts @ averages(**{**given, name: changed})[0])
        assert found[entry] == pytest.approx((moved[0] - moved[1]) / (2 * SMALL), abs=1e-7)


def test_mean_squared_error_is_that_of_samples():
    W, U, b, G, X, B = network()
    draw, many = np.random.default_rng(2), 200_000
    expected, _ = averages(W, U, b, G, X, B, variance=0.05)
    for k in range(K):
        x = X[k] + draw.normal(size=(many, m)) @ B[k].T
        v = np.linalg.solve(np.eye(N) - W, (b + x @ U.T + np.sqrt(0.05) * draw.normal(size=(many, N))).T).T
        squares = np.sum((v @ G.T - equations.targets(K)[:, k]) ** 2, axis=1)
        assert abs(squares.mean() - expected[k]) < 4 * squares.std() / np.sqrt(many)


def test_axes_in_front_are_independent_networks():
    several = [averages(*network(seed))[1] for seed in (1, 2)]
    draw = np.random.default_rng(3)
    amounts = draw.normal(size=(2, K))
    stacked = []
    for parts in zip(*several, strict=True):
        if isinstance(parts[0], Noise):
            stacked.append(Noise(0.05, *(np.stack(field) for field in list(zip(*parts, strict=True))[1:])))
        else:
            stacked.append(np.stack(parts))
    together = equations.gradients(*stacked, amounts)
    for one in range(2):
        alone = equations.gradients(*several[one], amounts[one])
        for name in alone._fields:
            np.testing.assert_allclose(getattr(together, name)[one], getattr(alone, name), rtol=1e-12)
