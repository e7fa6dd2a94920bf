"""Fits, against normal equations written out, against simulations whose parameters are known, and their refusals."""

import numpy as np
import pytest

from decoderd.decoders import Calibration, CalibrationData, fitting
from decoderd.decoders.intrinsic_manifold import INTRINSIC_MANIFOLD
from decoderd.decoders.kalman import KALMAN
from decoderd.decoders.linear import LINEAR
from decoderd.errors import ArrayError

BIN_S = 0.05


def recording(bins=3000, units=10, seed=1, noise=None):
    """Counts = C (p v 1) + q with known C and Q, velocities of SD 0.05 m/s."""
    draw = np.random.default_rng(seed)
    velocity = np.zeros((bins, 2))
    for t in range(1, bins):
        velocity[t] = 0.9 * velocity[t - 1] + 0.05 * np.sqrt(1 - 0.81) * draw.standard_normal(2)
    position = np.cumsum(velocity, axis=0) * BIN_S
    C = np.column_stack([draw.normal(0, 4, (units, 2)), draw.normal(0, 25, (units, 2)), draw.uniform(2, 6, units)])
    mixing = draw.normal(0, 0.5, (units, units))
    Q = mixing @ mixing.T + 0.5 * np.eye(units) if noise is None else noise
    states = np.hstack([position, velocity, np.ones((bins, 1))])
    counts = states @ C.T + draw.multivariate_normal(np.zeros(units), Q, bins)
    return CalibrationData(counts, position, velocity, BIN_S), states, C, Q


# --- dynamics ---------------------------------------------------------------------------------------------------


def test_dynamics_of_published_decoders():
    """BMI3D: velocity keeps 0.8 of itself over bins of 100 ms, position integrates it."""
    A, W = fitting.dynamics(Calibration(decay_per_100ms=0.8), 0.1, position=True)
    expected = np.array([[1, 0, 0.1, 0, 0], [0, 1, 0, 0.1, 0], [0, 0, 0.8, 0, 0], [0, 0, 0, 0.8, 0], [0, 0, 0, 0, 1.0]])
    np.testing.assert_allclose(A, expected)
    assert np.flatnonzero(np.diag(W)).tolist() == [2, 3]
    A, W = fitting.dynamics(Calibration(decay_per_100ms=0.8), 0.1, position=False)
    np.testing.assert_allclose(A, np.diag([0.8, 0.8, 1.0]))


@pytest.mark.parametrize("bin_s", [0.01, 0.05, 0.1])
def test_velocity_has_its_sd_for_any_bin_length(bin_s):
    A, W = fitting.dynamics(Calibration(speed_sd_m_s=0.06), bin_s, position=False)
    variance = 0.0
    for _ in range(3000):
        variance = A[0, 0] * variance * A[0, 0] + W[0, 0]
    assert np.sqrt(variance) == pytest.approx(0.06)


def test_two_short_bins_are_one_long_one():
    short, long = (fitting.dynamics(Calibration(), bin_s, position=False) for bin_s in (0.05, 0.1))
    np.testing.assert_allclose(short[0] @ short[0], long[0])
    np.testing.assert_allclose(short[0] @ short[1] @ short[0].T + short[1], long[1])


def test_dynamics_fitted_to_velocities_that_have_them():
    draw, keep = np.random.default_rng(3), np.array([[0.8, 0.1], [-0.2, 0.7]])
    mixing = np.array([[0.02, 0.0], [0.01, 0.03]])
    velocity = np.zeros((40_000, 2))
    for t in range(1, len(velocity)):
        velocity[t] = keep @ velocity[t - 1] + mixing @ draw.standard_normal(2)
    A, W = fitting.fitted_dynamics(velocity, None, True, BIN_S)
    np.testing.assert_allclose(A[2:4, 2:4], keep, atol=0.015)
    np.testing.assert_allclose(W[2:4, 2:4], mixing @ mixing.T, rtol=0.03, atol=1e-5)
    expected = np.eye(5)
    expected[2:4, 2:4] = A[2:4, 2:4]
    expected[0, 2] = expected[1, 3] = BIN_S
    np.testing.assert_array_equal(A, expected)
    W[2:4, 2:4] = 0
    assert not W.any()


def test_fitted_dynamics_are_the_normal_equations_within_trials():
    """No pair of bins is of two trials; without positions the state is v 1."""
    velocity, trial = np.random.default_rng(4).normal(size=(30, 2)), np.repeat([0, 1, 2], 10)
    A, W = fitting.fitted_dynamics(velocity, trial, False, BIN_S)
    pairs = [(velocity[t], velocity[t + 1]) for t in range(29) if t % 10 != 9]
    before, after = (np.array(side) for side in zip(*pairs, strict=True))
    keep = np.linalg.solve(before.T @ before, before.T @ after).T
    residual = after - before @ keep.T
    np.testing.assert_allclose(A[:2, :2], keep, rtol=1e-10)
    np.testing.assert_allclose(W[:2, :2], residual.T @ residual / 27, rtol=1e-10)
    assert A.shape == W.shape == (3, 3)
    assert A[2].tolist() == [0, 0, 1]
    assert not W[2].any()
    assert not np.allclose(A, fitting.fitted_dynamics(velocity, None, False, BIN_S)[0])


def test_published_dynamics_leave_out_as_many_second_bins_as_there_are_trials():
    """With the published loop over trials and bins: an index among all bins is compared with the number of pairs."""
    velocity, trial = np.random.default_rng(5).normal(size=(40, 2)), np.repeat([0, 1, 2, 3], 10)
    before, after = [], []
    for one in range(4):
        for t in range(9):
            before.append(velocity[10 * one + t])
            after.append(velocity[10 * one + t + 1] if 10 * one + t + 1 < 36 else np.zeros(2))
    first, second = np.array(before), np.array(after)
    assert (second == 0).all(axis=1).sum() == 4
    keep = np.linalg.solve(first.T @ first, first.T @ second).T
    residual = second - first @ keep.T
    A, W = fitting.published_dynamics(velocity, trial, True, BIN_S)
    np.testing.assert_allclose(A[2:4, 2:4], keep, rtol=1e-10)
    np.testing.assert_allclose(W[2:4, 2:4], residual.T @ residual / 35, rtol=1e-10)
    plain, _ = fitting.fitted_dynamics(velocity, trial, True, BIN_S)
    assert (A[2:4, 2:4] != plain[2:4, 2:4]).all()
    A[2:4, 2:4] = plain[2:4, 2:4]
    np.testing.assert_array_equal(A, plain)


def test_smooth_reaches_fitted_as_published_slow_down_sooner_and_expect_more_noise():
    """40 reaches of 100 bins that go on at their speed to the end, as reaches without a hold do."""
    time = np.arange(1, 101) / 100
    angles = 2 * np.pi * np.arange(40) / 8
    velocity = np.concatenate([0.1 * np.outer(time**2, [np.cos(a), np.sin(a)]) for a in angles])
    velocity += np.random.default_rng(6).normal(0, 1e-4, velocity.shape)
    trial = np.repeat(np.arange(40), 100)
    (A, W), (B, X) = (
        fit(velocity, trial, False, 0.01) for fit in (fitting.fitted_dynamics, fitting.published_dynamics)
    )
    assert B[0, 0] < A[0, 0]
    assert X[0, 0] > 2 * W[0, 0]


def test_too_few_bins_for_dynamics_are_refused():
    with pytest.raises(ArrayError, match="3 pairs of bins are too few"):
        fitting.fitted_dynamics(np.ones((4, 2)), None, False, BIN_S)
    with pytest.raises(ArrayError, match="2 pairs of bins are too few"):
        fitting.fitted_dynamics(np.ones((6, 2)), np.array([0, 0, 1, 2, 2, 3]), False, BIN_S)


@pytest.mark.parametrize(("dynamics", "fit"), [("fitted", "fitted_dynamics"), ("as_published", "published_dynamics")])
@pytest.mark.parametrize("state", ["velocity", "position_velocity"])
def test_a_filter_has_the_dynamics_asked_for(state, dynamics, fit):
    recorded, *_ = recording()
    fitted = KALMAN.fit(recorded, Calibration(dynamics=dynamics), KALMAN.Config(state=state))
    A, W = getattr(fitting, fit)(recorded.velocity, None, state == "position_velocity", BIN_S)
    np.testing.assert_array_equal(fitted["A"], A)
    np.testing.assert_array_equal(fitted["W"], W)
    assumed = KALMAN.fit(recorded, Calibration(), KALMAN.Config(state=state))
    np.testing.assert_array_equal(fitted["C"], assumed["C"])
    assert (fitted["A"] != assumed["A"]).any()


# --- observation ------------------------------------------------------------------------------------------------


def test_observation_solves_the_normal_equations():
    recorded, states, _, _ = recording(bins=200)
    C, Q = fitting.observation(recorded.counts, states, 0.0)
    expected = np.linalg.solve(states.T @ states, states.T @ recorded.counts).T
    np.testing.assert_allclose(C, expected, rtol=0, atol=1e-8)
    for i in range(10):
        for j in range(10):
            r_i = recorded.counts[:, i] - states @ expected[i]
            r_j = recorded.counts[:, j] - states @ expected[j]
            assert Q[i, j] == pytest.approx(sum(r_i * r_j) / (200 - 5), rel=1e-6)


def test_observation_recovers_the_model_that_made_the_counts():
    recorded, states, C_true, Q_true = recording(bins=20_000)
    C, Q = fitting.observation(recorded.counts, states, 0.0)
    spread = np.sqrt(np.outer(np.diag(Q_true), np.diag(np.linalg.inv(states.T @ states))))
    assert (np.abs(C - C_true) < 4.5 * spread).all()
    spread = np.sqrt((np.outer(np.diag(Q_true), np.diag(Q_true)) + Q_true**2) / 20_000)
    assert (np.abs(Q - Q_true) < 4.5 * spread).all()


@pytest.mark.parametrize("shrinkage", [0.1, 1.0])
def test_shrinkage_draws_q_towards_its_diagonal(shrinkage):
    recorded, states, _, _ = recording(bins=100)
    _, sample = fitting.observation(recorded.counts, states, 0.0)
    _, Q = fitting.observation(recorded.counts, states, shrinkage)
    expected = (1 - shrinkage) * sample + shrinkage * np.diag(np.diag(sample))
    np.testing.assert_allclose(Q, expected, rtol=1e-12, atol=1e-14)


def test_a_silent_unit_gets_a_small_variance():
    recorded, states, _, _ = recording(bins=100)
    counts = recorded.counts.copy()
    counts[:, 3] = 0.0
    _, Q = fitting.observation(counts, states, 0.1)
    assert Q[3, 3] == 1 / 100
    KALMAN.load(fitting.kalman(recorded._replace(counts=counts), Calibration(), "velocity"))


@pytest.mark.parametrize("bins", [3, 5])
def test_too_few_bins_are_refused(bins):
    recorded, states, _, _ = recording(bins=bins)
    with pytest.raises(ArrayError, match=f"counts: {bins} bins are too few to fit 5 coefficients a unit"):
        fitting.observation(recorded.counts, states, 0.1)


# --- decoders ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["velocity", "position_velocity"])
def test_a_fitted_kalman_filter_decodes(plain, state):
    train, test = recording(seed=1)[0], recording(seed=1)[0]
    train = train._replace(counts=train.counts[:2000], velocity=train.velocity[:2000], position=train.position[:2000])
    parameters = KALMAN.load(fitting.kalman(train, Calibration(), state))
    assert len(parameters.A) == (3 if state == "velocity" else 5)
    rows = plain.decoded(KALMAN, parameters, test.counts[2000:])
    for axis in range(2):
        v = rows[:, axis + (2 if state == "position_velocity" else 0)]
        assert np.corrcoef(v, test.velocity[2000:, axis])[0, 1] > 0.8


def test_a_position_filter_needs_positions():
    recorded = recording(bins=100)[0]._replace(position=None)
    KALMAN.load(fitting.kalman(recorded, Calibration(), "velocity"))
    with pytest.raises(ArrayError, match="position: the data have none; fit a velocity filter"):
        fitting.kalman(recorded, Calibration(), "position_velocity")


def test_linear_is_ridge_regression_smoothed():
    """A ridge of one bin's worth is N more rows of least squares, each a single count that means nothing."""
    recorded, _, _, _ = recording(bins=300)
    y = recorded.counts - recorded.counts.mean(axis=0)
    v = recorded.velocity - recorded.velocity.mean(axis=0)
    weights = np.linalg.lstsq(np.vstack([y, np.eye(10)]), np.vstack([v, np.zeros((10, 2))]), rcond=None)[0].T
    keep = 0.8**0.5
    p = LINEAR.load(fitting.linear(recorded, Calibration(decay_per_100ms=0.8)))
    np.testing.assert_allclose(p.M2, (1 - keep) * weights, rtol=0, atol=1e-12)
    np.testing.assert_allclose(p.M1, keep * np.eye(2))
    still = np.linalg.solve(np.eye(2) - p.M1, p.M2 @ recorded.counts.mean(axis=0) + p.m0)
    np.testing.assert_allclose(still, recorded.velocity.mean(axis=0), atol=1e-12)


# --- factors ----------------------------------------------------------------------------------------------------


def factor_data(bins=20_000, units=12, factors=3, seed=1):
    draw = np.random.default_rng(seed)
    L, psi = draw.normal(0, 1, (units, factors)), draw.uniform(0.3, 1.0, units)
    counts = draw.normal(size=(bins, factors)) @ L.T + np.sqrt(psi) * draw.normal(size=(bins, units)) + 5
    return counts, L, psi


def test_factor_analysis_finds_the_covariance():
    counts, L, psi = factor_data()
    fa = fitting.factor_analysis(counts, 3)
    sd = 1 / fa["count_scale"]
    found = (fa["fa_loadings"] @ fa["fa_loadings"].T + np.diag(fa["fa_private_var"])) * np.outer(sd, sd)
    expected = L @ L.T + np.diag(psi)
    spread = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / len(counts))
    assert (np.abs(found - expected) < 4.5 * spread).all()
    np.testing.assert_allclose(fa["fa_private_var"] * sd**2, psi, rtol=0.1)
    np.testing.assert_allclose(fa["count_mean"], counts.mean(axis=0))


def test_loadings_are_orthogonal_strongest_first():
    fa = fitting.factor_analysis(factor_data(2000)[0], 3)
    gram = fa["fa_loadings"].T @ fa["fa_loadings"]
    assert np.abs(gram - np.diag(np.diag(gram))).max() < 1e-10
    assert (np.diff(np.diag(gram)) < 0).all()


def test_factors_are_posterior_means():
    counts = factor_data(500)[0]
    fa = fitting.factor_analysis(counts, 3)
    L, psi = fa["fa_loadings"], np.diag(fa["fa_private_var"])
    scores = (counts - fa["count_mean"]) / counts.std(axis=0)
    expected = scores @ (L.T @ np.linalg.inv(L @ L.T + psi)).T
    np.testing.assert_allclose(fitting.factors_of(counts, fa), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("counts", "factors", "says"),
    [
        (np.random.default_rng(1).random((20, 20)), 3, "20 bins x 20 units are too few for 3 factors"),
        (np.random.default_rng(1).random((50, 3)), 3, "50 bins x 3 units are too few for 3 factors"),
        (
            np.random.default_rng(1).random((50, 4)) * [1, 1, 0, 1],
            3,
            r"3 units whose counts differ \(4 in all\)",
        ),
    ],
)
def test_a_factor_analysis_of_too_few_bins_or_units_is_refused(counts, factors, says):
    with pytest.raises(ArrayError, match=says):
        fitting.factor_analysis(counts, factors)


def test_units_whose_count_never_changes_have_no_loadings():
    counts = factor_data(500)[0]
    constant = np.insert(counts, [0, 4], [0.0, 7.0], axis=1)  # before units 0 and 4
    fa, others = fitting.factor_analysis(constant, 3), fitting.factor_analysis(counts, 3)
    for name, at_constant in {"count_mean": [0, 7], "count_scale": 1, "fa_loadings": 0, "fa_private_var": 1}.items():
        assert (fa[name][[0, 5]] == at_constant).all()
        np.testing.assert_array_equal(np.delete(fa[name], [0, 5], axis=0), others[name])
    np.testing.assert_array_equal(fitting.factors_of(constant, fa), fitting.factors_of(counts, others))


def test_the_manifold_filter_reads_factors_of_unit_variance(plain):
    recorded = recording(noise=np.eye(10))[0]
    arrays = fitting.intrinsic_manifold(recorded, Calibration(factors=4))
    factors = (fitting.factors_of(recorded.counts, arrays) - arrays["factor_mean"]) * arrays["factor_scale"]
    np.testing.assert_allclose(factors.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(factors.std(axis=0), 1)
    rows = plain.decoded(INTRINSIC_MANIFOLD, INTRINSIC_MANIFOLD.load(arrays), recorded.counts)
    for axis in range(2):
        assert np.corrcoef(rows[:, axis], recorded.velocity[:, axis])[0, 1] > 0.6


def test_a_factor_analysis_made_before_is_used():
    recorded = recording(bins=500)[0]
    fa = fitting.factor_analysis(recorded.counts, 2)
    arrays = fitting.intrinsic_manifold(recorded, Calibration(factors=9), fa)
    np.testing.assert_array_equal(arrays["fa_loadings"], fa["fa_loadings"])
    assert arrays["kf_C"].shape == (2, 2)
