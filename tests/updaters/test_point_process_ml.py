"""Recursive maximum likelihood of log-linear counts: against a plain recursion, and what it converges to."""

import numpy as np
import pytest

from decoderd.analysis import log_linear
from decoderd.errors import NumericalError
from decoderd.state import LogLinear, Timing
from decoderd.updaters.point_process_ml import POINT_PROCESS_ML, PointProcessMLConfig

TIMING = Timing(0.005, 1)
BINS = 200  # of a batch
SDS = {2: [0.05, 0.05], 3: [0.05, 0.05, 1], 4: [0.02, 0.02, 0.05, 0.05], 5: [0.02, 0.02, 0.05, 0.05, 1]}


def decoder(n, units=6, seed=5, law="poisson"):
    """beta of units that fire about 20 spikes/s."""
    draw = np.random.default_rng(seed)
    beta = draw.normal(0, 0.5, (units, n)) / np.array(SDS[n])
    if n % 2:
        beta[:, -1] = np.log(draw.uniform(0.05, 0.2, units))
    return LogLinear(beta, law)


def experience(model, batches, seed=4):
    """States and counts that follow the model."""
    draw, n = np.random.default_rng(seed), model.beta.shape[1]
    x = draw.normal(0, SDS[n], (batches * BINS, n))
    if n % 2:
        x[:, -1] = 1.0
    y = draw.poisson(np.exp(x @ model.beta.T)).astype(float)
    return x, np.minimum(y, 1.0) if model.law == "bernoulli" else y


def updated(config, model, x, y):
    """The models after each batch."""
    plan = POINT_PROCESS_ML.plan(config, TIMING)
    state, models = POINT_PROCESS_ML.init(plan, model), []
    for first in range(0, len(x), BINS):
        assert not POINT_PROCESS_ML.due(plan, state, False)
        some = slice(first, first + BINS)
        state = POINT_PROCESS_ML.observe(plan, state, x[some], y[some])
        assert POINT_PROCESS_ML.due(plan, state, False)
        state, model = POINT_PROCESS_ML.update(plan, state, model)
        models.append(model)
    return models


def second_moments(b, sd):
    """E[exp(b'x) x x'] of independent normal states and a constant, by quadrature."""
    points, weights = np.polynomial.hermite_e.hermegauss(14)
    varying = len(b) - len(b) % 2
    x = np.stack(np.meshgrid(*[points] * varying), axis=-1).reshape(-1, varying) * sd[:varying]
    probability = np.stack(np.meshgrid(*[weights / weights.sum()] * varying), axis=-1).reshape(-1, varying).prod(axis=1)
    x = np.column_stack([x, np.ones((len(x), len(b) % 2))])
    return (x.T * (probability * np.exp(x @ b))) @ x


@pytest.mark.parametrize("law", ["poisson", "bernoulli"])
@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_it_is_the_plain_recursion_unit_by_unit(n, law):
    config = PointProcessMLConfig(half_life_s=8.0, speed_sd_m_s=0.05, position_sd_m=0.02)
    model = decoder(n, law=law)
    x, y = experience(decoder(n, seed=6, law=law), 3)
    found = updated(config, model, x, y)[-1]
    rho, sd = 0.5 ** (1 / 8), np.array(SDS[n])
    weight = BINS / (1 - rho)
    plan = POINT_PROCESS_ML.plan(config, TIMING)
    first = POINT_PROCESS_ML.init(plan, model).past
    for i, b in enumerate(model.beta):
        J = weight * second_moments(b, sd)
        np.testing.assert_allclose(first[i], J, rtol=1e-9)
        W, S = weight, weight * np.diag(sd**2)
        for batch in range(3):
            J, W, S, g = rho * J, rho * W + BINS, rho * S, np.zeros(n)
            for t in range(batch * BINS, (batch + 1) * BINS):
                score, information = log_linear.LAWS[law](x[[t]] @ b, y[[t], i])
                g += score * x[t]
                J = J + information * np.outer(x[t], x[t])
                S = S + np.outer(x[t], x[t])
            step = np.linalg.inv(J + S / W) @ g
            b = b + step / max(1.0, np.sqrt(step @ S @ step / W))
        np.testing.assert_allclose(found.beta[i] * sd, b * sd, rtol=0, atol=1e-10)


def test_after_a_half_life_the_past_has_half_its_weight():
    plan = POINT_PROCESS_ML.plan(PointProcessMLConfig(half_life_s=10.0), TIMING)
    model = decoder(3)
    state = POINT_PROCESS_ML.init(plan, model)
    past, weight = state.past, state.weight
    for _ in range(10):
        state = POINT_PROCESS_ML.observe(plan, state, np.zeros((BINS, 3)), np.ones((BINS, 6)))
        state, model = POINT_PROCESS_ML.update(plan, state, model)
        assert state.weight == pytest.approx(weight, rel=1e-13)
    np.testing.assert_allclose(state.past, 0.5 * past, rtol=1e-12)


def test_it_begins_with_the_given_decoder():
    model = decoder(5)
    plan = POINT_PROCESS_ML.plan(PointProcessMLConfig(), TIMING)
    _, same = POINT_PROCESS_ML.update(plan, POINT_PROCESS_ML.init(plan, model), model)
    np.testing.assert_array_equal(same.beta, model.beta)


@pytest.mark.parametrize("law", ["poisson", "bernoulli"])
def test_it_follows_units_that_have_changed(law):
    """After eight half-lives it is within the errors of a fit to two: a long memory has those of a fit to three."""
    true, first = decoder(3, units=20, seed=6, law=law), decoder(3, units=20, law=law)
    x, y = experience(true, 160)
    found = updated(PointProcessMLConfig(half_life_s=20.0, speed_sd_m_s=0.05), first, x, y)[-1]
    _, information = log_linear.derivatives(law, true.beta, x[-40 * BINS :], y[-40 * BINS :])
    errors = np.sqrt([np.diag(np.linalg.inv(one)) for one in information])
    off = np.abs(found.beta - true.beta)
    assert (np.abs(first.beta - true.beta) > 4 * errors).sum() > 20
    assert (off < 4 * errors).all()


def test_a_unit_that_was_silent_is_learned_without_overshoot():
    """Next to no information about it: Newton's step alone would be e^1000."""
    model = decoder(3)
    model.beta[2] = [0.0, 0.0, -12.0]
    x, y = experience(decoder(3), 40)
    rates = np.exp([one.beta[2, 2] for one in updated(PointProcessMLConfig(half_life_s=20.0), model, x, y)])
    assert rates.max() < 4 * y[:, 2].mean()
    assert rates[-1] == pytest.approx(y[:, 2].mean(), rel=0.4)


def test_a_subject_that_moves_along_a_line_determines_no_model():
    plan = POINT_PROCESS_ML.plan(PointProcessMLConfig(half_life_s=0.02), TIMING)
    model, (x, y) = decoder(3), experience(decoder(3), 1)
    x[:, 1] = x[:, 0]
    state = POINT_PROCESS_ML.observe(plan, POINT_PROCESS_ML.init(plan, model), x, y)
    with pytest.raises(NumericalError, match="do not span the plane: they do not determine the model"):
        POINT_PROCESS_ML.update(plan, state, model)
