"""Regression from running sums is regression on the rows."""

import numpy as np
import pytest

from decoderd.decoders import fitting
from decoderd.errors import NumericalError
from decoderd.state import Observation
from decoderd.updaters import sums


def rows(count=400, units=7, states=5, seed=1):
    draw = np.random.default_rng(seed)
    scales = np.array([0.05, 0.05, 0.1, 0.1])[: states - 1]
    x = np.hstack([draw.normal(0, scales, (count, states - 1)), np.ones((count, 1))])
    C = draw.normal(0, 15, (units, states))
    C[:, -1] = draw.uniform(0.5, 4, units)
    return x, draw.poisson(np.maximum(x @ C.T, 0.05)).astype(float)


def of(x, y):
    return sums.total(sums.added(none(x, y), x, y))


def none(x, y):
    return sums.empty(Observation(np.zeros((y.shape[1], x.shape[1])), np.eye(y.shape[1])))


@pytest.mark.parametrize("shrinkage", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("states", [3, 5])
def test_a_batch_is_fitted_as_a_calibration_is(shrinkage, states):
    """The decoder's own fit, by QR on the rows, from a recording with a silent unit in it."""
    x, y = rows(states=states)
    y[:, 3] = 0
    C, Q = fitting.observation(y, x, shrinkage)
    fitted = sums.regression(of(x, y), len(x) - states, shrinkage)
    np.testing.assert_allclose(fitted.C, C, rtol=0, atol=1e-10)
    np.testing.assert_allclose(fitted.Q, Q, rtol=0, atol=1e-11)
    assert fitted.Q[3, 3] == 1 / len(x)


def test_equivalent_sums_give_the_model_from_which_they_were_made():
    x, y = rows()
    C, Q = fitting.observation(y, x, 0.1)
    R = x.T @ x / len(x)
    past = sums.equivalent(Observation(C, Q), R, 1730.0)
    again = sums.regression(past, past.rows, 0.0)
    np.testing.assert_allclose(again.C, C, atol=1e-11)
    np.testing.assert_allclose(again.Q, Q, atol=1e-11)


def test_faded_sums_are_those_of_weighted_rows():
    x, y = rows(30)
    both = sums.faded(of(x[:20], y[:20]), 0.7, of(x[20:], y[20:]))
    weight = np.sqrt(np.where(np.arange(30) < 20, 0.7, 1.0))[:, np.newaxis]
    expected = of(weight * x, weight * y)
    for name in "RST":
        np.testing.assert_allclose(getattr(both, name), getattr(expected, name), rtol=1e-13)
    assert both.rows == pytest.approx(0.7 * 20 + 10)


@pytest.mark.parametrize("lengths", [[150], [1] * 150, [64, 64, 22], [63, 2, 85], [130, 20]])
def test_sums_do_not_depend_on_how_many_rows_come_at_once(lengths):
    x, y = rows(150)
    gathered, first = none(x, y), 0
    for length in lengths:
        gathered = sums.added(gathered, x[first : first + length], y[first : first + length])
        first += length
        assert gathered.rows == first
    for found, at_once in zip(sums.total(gathered), of(x, y), strict=True):
        np.testing.assert_array_equal(found, at_once)
    R, S, T, _ = sums.total(gathered)
    for found, expected in ((R, x.T @ x), (S, y.T @ x), (T, y.T @ y)):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_rows_that_determine_no_model_are_refused():
    x, y = rows(50)
    with pytest.raises(NumericalError, match="3 bins are too few to fit 5 coefficients"):
        sums.regression(of(x[:3], y[:3]), 3 - 5, 0.1)
    still = x * [1, 1, 0, 0, 1]
    with pytest.raises(NumericalError, match="all zero"):
        sums.regression(of(still, y), 45, 0.1)
    line = x.copy()
    line[:, 3] = 2 * line[:, 2]
    with pytest.raises(NumericalError, match="do not span the plane"):
        sums.regression(of(line, y), 45, 0.1)
