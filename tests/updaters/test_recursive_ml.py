"""Recursive maximum likelihood is the maximum-likelihood fit to all bins, each with its weight."""

import numpy as np
import pytest

from decoderd.state import Observation, Timing
from decoderd.updaters.recursive_ml import RECURSIVE_ML, RecursiveMLConfig

TIMING = Timing(0.01, 5)
BATCHES, BINS, UNITS = 37, 20, 6


def experience(n, seed=4):
    draw = np.random.default_rng(seed)
    x = np.hstack([draw.normal(0, 0.1, (BATCHES * BINS, n - n % 2)), np.ones((BATCHES * BINS, n % 2))])
    return x, draw.poisson(np.maximum(3 + x @ draw.normal(0, 10, (n, UNITS)), 0.1)).astype(float)


def decoder(n, seed=5):
    draw = np.random.default_rng(seed)
    mixing = draw.normal(size=(UNITS, UNITS))
    return Observation(draw.normal(0, 10, (UNITS, n)), mixing @ mixing.T + np.eye(UNITS))


def updated(config, model, x, y):
    plan = RECURSIVE_ML.plan(config, TIMING)
    state = RECURSIVE_ML.init(plan, model)
    for k in range(len(x)):
        state = RECURSIVE_ML.observe(plan, state, x[k : k + 1], y[k : k + 1])
        assert RECURSIVE_ML.due(plan, state, False) == (k % BINS == BINS - 1)
        if k % BINS == BINS - 1:
            state, model = RECURSIVE_ML.update(plan, state, model)
    return model


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_it_equals_the_weighted_fit_to_all_bins(n):
    """The first decoder stands for a past that varies as configured: rows X0, Y0 are made that have its moments."""
    config, model = RecursiveMLConfig(half_life_s=8.0, speed_sd_m_s=0.05, position_sd_m=0.02), decoder(n)
    x, y = experience(n)
    rho = 0.5 ** (1 / 8)
    weight = rho ** (BATCHES - 1 - np.arange(len(x)) // BINS)
    before = BINS / (1 - rho)
    sd = np.array([0.02, 0.02, 0.05, 0.05, 1.0] if n >= 4 else [0.05, 0.05, 1.0])[:n]
    past = before * rho**BATCHES
    root, noise = np.diag(sd), np.linalg.cholesky(model.Q)
    # n rows of the states, then N rows of noise: x'x/rows = diag(sd^2), residuals' covariance Q
    X0 = np.sqrt(past) * np.vstack([root, np.zeros((UNITS, n))])
    Y0 = np.sqrt(past) * np.vstack([root @ model.C.T, noise.T])
    X, Y = np.vstack([X0, np.sqrt(weight)[:, None] * x]), np.vstack([Y0, np.sqrt(weight)[:, None] * y])
    C = np.linalg.lstsq(X, Y, rcond=None)[0].T
    residual = Y - X @ C.T
    new = updated(config, model, x, y)
    np.testing.assert_allclose(new.C, C, rtol=0, atol=1e-9)
    np.testing.assert_allclose(new.Q, residual.T @ residual / (past + weight.sum()), rtol=0, atol=1e-10)


def test_after_a_half_life_the_past_has_half_its_weight():
    """Once the memory is full, n stays what it is, and so every half-life halves the first decoder's part in it."""
    plan = RECURSIVE_ML.plan(RecursiveMLConfig(batch_s=1.0, half_life_s=10.0), TIMING)
    model = decoder(3)
    state = RECURSIVE_ML.init(plan, model)
    n = state.past.rows
    first = state.past.S
    for _ in range(10):
        state = RECURSIVE_ML.observe(plan, state, np.zeros((BINS, 3)), np.ones((BINS, UNITS)))
        state, model = RECURSIVE_ML.update(plan, state, model)
        assert state.past.rows == pytest.approx(n, rel=1e-14)
    np.testing.assert_allclose(state.past.S, 0.5 * first, rtol=1e-13)


def test_it_begins_with_the_given_decoder():
    model = decoder(5)
    plan = RECURSIVE_ML.plan(RecursiveMLConfig(), TIMING)
    _, same = RECURSIVE_ML.update(plan, RECURSIVE_ML.init(plan, model), model)
    np.testing.assert_allclose(same.C, model.C, atol=1e-11)
    np.testing.assert_allclose(same.Q, model.Q, atol=1e-10)
