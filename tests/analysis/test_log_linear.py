"""Log-linear counts: derivatives against differences, maxima against SciPy's, units that say nothing."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import gammaln

from decoderd.analysis import log_linear
from decoderd.errors import ArrayError


def log_likelihood(law, eta, y):
    """Of each count, as the laws are defined."""
    mu = np.exp(eta)
    if law == "poisson":
        return y * eta - mu - gammaln(y + 1)
    return np.where(y > 0, np.log(-np.expm1(-mu)), -mu)


def example(law, bins=600, units=5, seed=1, scale=(0.05, 0.05)):
    """(states, counts, beta) of units that fire a spike in 3 to 30 bins."""
    draw = np.random.default_rng(seed)
    states = np.column_stack([draw.normal(0, scale, (bins, 2)), np.ones(bins)])
    beta = np.column_stack([draw.normal(0, 1, (units, 2)) / np.array(scale), draw.uniform(-3.4, -1.1, units)])
    counts = draw.poisson(np.exp(states @ beta.T)).astype(float)
    return states, np.minimum(counts, 1.0) if law == "bernoulli" else counts, beta


@pytest.mark.parametrize("law", log_linear.LAWS)
@pytest.mark.parametrize("y", [0.0, 1.0, 4.0])
def test_score_and_information_are_the_derivatives(law, y):
    eta, h = np.linspace(-6.0, 3.0, 19), 1e-4
    score, information = log_linear.LAWS[law](eta, np.full_like(eta, y))
    above, here, below = (log_likelihood(law, eta + move, y) for move in (h, 0, -h))
    np.testing.assert_allclose(score, (above - below) / (2 * h), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(information, (2 * here - above - below) / h**2, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("law", log_linear.LAWS)
@pytest.mark.parametrize("eta", [-1e300, -800.0, 800.0, 1e300])
def test_no_exponent_overflows(law, eta):
    for y in (0.0, 1.0, 1e6):
        score, information = log_linear.LAWS[law](np.array([eta]), np.array([y]))
        assert np.isfinite([score, information]).all()
        assert information[0] >= 0


@pytest.mark.parametrize("law", log_linear.LAWS)
def test_derivatives_are_sums_over_rows(law):
    x, y, beta = example(law, bins=20)
    gradient, information = log_linear.derivatives(law, beta, x, y)
    for i in range(len(beta)):
        slope, curvature = np.zeros(3), np.zeros((3, 3))
        for t in range(20):
            score, weight = log_linear.LAWS[law](x[[t]] @ beta[i], y[[t], i])
            slope += x[t] * score
            curvature += weight * np.outer(x[t], x[t])
        np.testing.assert_allclose(gradient[i], slope, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(information[i], curvature, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("law", log_linear.LAWS)
def test_the_regression_is_the_maximum_that_scipy_finds(law, monkeypatch):
    monkeypatch.setattr(log_linear, "ROWS", 100)
    states, counts, _ = example(law)
    found = log_linear.regression(counts, states, law)
    penalty = np.append(states[:, :2].var(axis=0), 0.0)

    def loss(b, y):
        return 0.5 * penalty @ b**2 - log_likelihood(law, states @ b, y).sum()

    for y, beta in zip(counts.T, found, strict=True):
        best = minimize(loss, np.array([0.0, 0.0, -2.0]), (y,), method="Nelder-Mead", options={"fatol": 1e-11})
        assert loss(beta, y) <= best.fun + 1e-9
        np.testing.assert_allclose(beta, best.x, rtol=1e-3, atol=1e-3 * np.abs(beta).max())


@pytest.mark.parametrize("law", log_linear.LAWS)
def test_true_weights_are_recovered_within_their_errors(law):
    states, counts, beta = example(law, bins=40_000)
    found = log_linear.regression(counts, states, law)
    _, information = log_linear.derivatives(law, beta, states, counts)
    errors = np.sqrt([np.diag(np.linalg.inv(one)) for one in information])
    assert (np.abs(found - beta) < 3.5 * errors).all()


def test_states_of_any_scale_are_fitted_alike():
    states, counts, _ = example("poisson")
    scale = np.array([1e-4, 1e3, 1.0])
    found = log_linear.regression(counts, states * scale, "poisson")
    np.testing.assert_allclose(found * scale, log_linear.regression(counts, states, "poisson"), rtol=1e-7)


def test_units_that_never_vary_have_no_weight():
    states, counts, _ = example("poisson")
    counts[:, 1], counts[:, 3] = 0.0, 2.0
    found = log_linear.regression(counts, states, "poisson")
    np.testing.assert_array_equal(found[[1, 3], :2], 0.0)
    np.testing.assert_allclose(np.exp(found[[1, 3], 2]), [1 / 600, 2.0])
    fired = log_linear.regression(counts, states, "bernoulli")
    np.testing.assert_array_equal(fired[[1, 3], :2], 0.0)
    np.testing.assert_allclose(-np.expm1(-np.exp(fired[3, 2])), 1 - 1 / 600)


@pytest.mark.parametrize("law", log_linear.LAWS)
def test_one_spike_in_one_direction_does_not_lead_to_infinity(law):
    """Without a prior the likelihood of such a unit has no maximum."""
    states, counts, _ = example(law)
    counts[:, 0] = states[:, 0] == states[:, 0].max()
    assert np.abs(log_linear.regression(counts, states, law)[0] * states.std(axis=0)).max() < 10


def test_a_step_is_limited():
    """A unit said to be silent that fires in every bin: its rate rises e-fold at most."""
    x, y = np.ones((50, 1)), np.ones((50, 1))
    gradient, information = log_linear.derivatives("poisson", np.array([[-10.0]]), x, y)
    np.testing.assert_allclose(log_linear.newton_steps(gradient, information, np.ones((1, 1))), [[1.0]])
    gradient, information = log_linear.derivatives("poisson", np.array([[-0.01]]), x, y)
    np.testing.assert_allclose(log_linear.newton_steps(gradient, information, np.ones((1, 1))), [[np.exp(0.01) - 1]])


def test_too_few_bins_and_counts_below_zero_are_refused():
    states, counts, _ = example("poisson")
    with pytest.raises(ArrayError, match="counts: 3 bins are too few to fit 3 coefficients a unit"):
        log_linear.regression(counts[:3], states[:3], "poisson")
    with pytest.raises(ArrayError, match="counts: some are below 0"):
        log_linear.regression(counts - 1, states, "poisson")
