"""The point-process filter: against a plain recursion and, in their common limit, the Kalman filter; its guards."""

import numpy as np
import pytest

from decoderd.decoders import Calibration, CalibrationData, files
from decoderd.decoders.kalman import KALMAN
from decoderd.decoders.point_process import POINT_PROCESS, PointProcessConfig
from decoderd.errors import ArrayError, NumericalError
from tests import protocols

BINS = 300


def model(plain, kind, bin_s=0.005, seed=3):
    """A, W of a plausible filter with bins of 5 ms, and beta of 8 units with 2 to 50 spikes/s."""
    A, W, C, _ = plain.model(kind, bin_s=bin_s)
    v = A[-2, -2] if A[-1, -1] == 1 and not W[-1].any() else A[-1, -1]
    assert v == 0.9
    draw = np.random.default_rng(seed)
    beta = C / 15 * 3
    if "1" in kind:
        beta[:, -1] = draw.uniform(np.log(2 * bin_s), np.log(50 * bin_s), len(beta))
    return A, W, beta


def arrays(A, W, beta, **more):
    return {"A": A, "W": W, "beta": beta, **more}


def simulated(A, W, beta, bins=BINS, seed=2):
    """Counts (bins, N) of a state that wanders as A and W say."""
    draw, x = np.random.default_rng(seed), np.zeros(len(A))
    if not W[-1, -1]:
        x[-1] = 1.0
    counts = np.empty((bins, len(beta)))
    for t in range(bins):
        x = A @ x + draw.multivariate_normal(np.zeros(len(A)), W)
        counts[t] = draw.poisson(np.exp(np.minimum(beta @ x, 5.0)))
    return counts


def recursion(A, W, beta, counts, x0, P0, position=None, bernoulli=False):
    """(rows (T, n), covariances (T, n, n)) unit by unit, with inverses of covariances as the equations have them.

    A covariance with rows of zeros, as of a constant, is inverted on its other rows.
    """
    x, P = np.array(x0, dtype=float), np.array(P0, dtype=float)
    rows, covariances = [], []
    for t, y in enumerate(counts):
        x = A @ x
        P = A @ P @ A.T + W
        if position is not None:
            x[0], x[1] = position[t]
            P[:2] = P[:, :2] = 0.0
        slope, curvature = np.zeros(len(x)), np.zeros_like(P)
        for b, spikes in zip(beta, y, strict=True):
            rate = np.exp(b @ x)
            score, weight = spikes - rate, rate
            if bernoulli and spikes > 0:  # log(1 - exp(-rate)), once and twice differentiated by log(rate)
                score = rate / (np.exp(rate) - 1)
                weight = score * (rate * np.exp(rate) / (np.exp(rate) - 1) - 1)
            slope += b * score
            curvature += np.outer(b, b) * weight
        unknown = np.ix_(P.any(axis=0), P.any(axis=0))
        posterior = np.zeros_like(P)
        posterior[unknown] = np.linalg.inv(np.linalg.inv(P[unknown]) + curvature[unknown])
        P = posterior
        x = x + P @ slope
        rows.append(x)
        covariances.append(P)
    return np.array(rows), np.array(covariances)


def close(found, expected, tolerance=1e-10):
    """Entry by entry of a state or covariance: none may hide behind a larger one."""
    scale = np.abs(expected).max(axis=0)
    assert (np.abs(found - expected).max(axis=0) <= tolerance * scale).all()


def decoded(parameters, counts, position=None):
    """(rows (T, n), covariances (T, n, n)) that the filter puts out."""
    state, rows, covariances = POINT_PROCESS.init(parameters, 1), [], []
    for t, y in enumerate(counts):
        state, _ = POINT_PROCESS.step(parameters, state, y[np.newaxis], None if position is None else position[[t]])
        rows.append(state.x[0])
        covariances.append(state.P[0])
    return np.array(rows), np.array(covariances)


def start(n, kind):
    """x0 and P0, the constant being certain."""
    x0, P0 = np.linspace(0.01, 0.05, n), np.diag(np.linspace(1e-4, 1e-2, n))
    if "1" in kind:
        x0[-1], P0[-1, -1] = 1.0, 0.0
    return x0, P0


@pytest.mark.parametrize("bernoulli", [False, True])
@pytest.mark.parametrize("kind", ["pv1", "pv", "v1", "v"])
def test_state_and_covariance_are_those_of_the_plain_recursion(plain, kind, bernoulli):
    A, W, beta = model(plain, kind)
    counts = simulated(A, W, beta)
    x0, P0 = start(len(A), kind)
    expected = recursion(A, W, beta, counts, x0, P0, bernoulli=bernoulli)
    parameters = POINT_PROCESS.load(arrays(A, W, beta, x0=x0, P0=P0, bernoulli=np.array(float(bernoulli))))
    for found, plainly in zip(decoded(parameters, counts), expected, strict=True):
        close(found, plainly)


@pytest.mark.parametrize("kind", ["pv1", "pv"])
def test_it_is_the_plain_recursion_where_the_cursor_is_known(plain, kind):
    A, W, beta = model(plain, kind)
    counts = simulated(A, W, beta)
    position = np.random.default_rng(3).normal(0, 0.05, (BINS, 2))
    x0, P0 = start(len(A), kind)
    expected = recursion(A, W, beta, counts, x0, P0, position)
    for found, plainly in zip(
        decoded(POINT_PROCESS.load(arrays(A, W, beta, x0=x0, P0=P0)), counts, position), expected, strict=True
    ):
        close(found, plainly)


def test_a_batch_has_a_covariance_for_each_row(plain):
    A, W, beta = model(plain, "v1")
    parameters = POINT_PROCESS.load(arrays(A, W, beta))
    counts = np.stack([simulated(A, W, beta, 50, seed) for seed in range(4)], axis=1)
    state = POINT_PROCESS.init(parameters, 4)
    for y in counts:
        state, _ = POINT_PROCESS.step(parameters, state, y, None)
    for b in range(4):
        rows, covariances = decoded(parameters, counts[:, b])
        np.testing.assert_allclose(state.x[b], rows[-1], rtol=0, atol=1e-13)
        np.testing.assert_allclose(state.P[b], covariances[-1], rtol=0, atol=1e-15)
    assert np.ptp(state.P[:, 0, 0]) > 0


def test_with_high_rates_and_small_modulation_it_is_the_kalman_filter(plain):
    """Counts of mean m and small modulation are y = m + m beta x + q with q ~ N(0, m): C = m beta and Q = diag(m).

    The difference is of second order in the modulation: a tenth of it with 100 times the rate leaves what units say
    about the state as it is, and a tenth of the difference.
    """
    A, W, beta = model(plain, "v1")
    draw = np.random.default_rng(7)
    x, off = np.array([0.0, 0.0, 1.0]), []
    states = np.empty((500, 3))
    for t in range(500):
        x = A @ x + draw.multivariate_normal(np.zeros(3), W)
        states[t] = x
    noise = draw.normal(size=(500, 8))
    for rate in (1e2, 1e4, 1e6):
        weights = beta.copy()
        weights[:, :2] *= np.sqrt(1.0 / rate)
        weights[:, 2] = np.log(rate)
        C = np.column_stack([rate * weights[:, :2], np.full(8, rate)])
        counts = states @ C.T + np.sqrt(rate) * noise
        kalman = KALMAN.load({"A": A, "W": W, "C": C, "Q": rate * np.eye(8)})
        expected = plain.decoded(KALMAN, kalman, counts)[:, :2]
        found = plain.decoded(POINT_PROCESS, POINT_PROCESS.load(arrays(A, W, weights)), counts)[:, :2]
        off.append(np.abs(found - expected).max() / np.abs(expected).max())
    assert off[0] > 5 * off[1] > 25 * off[2]
    assert off[2] < 1e-3


def test_bernoulli_is_poisson_where_spikes_are_rare(plain):
    A, W, beta = model(plain, "v1")
    beta[:, -1] -= 6.0
    counts = np.minimum(simulated(A, W, beta), 1.0)
    counts[::100, 2] = 1.0
    poisson, _ = decoded(POINT_PROCESS.load(arrays(A, W, beta)), counts)
    bernoulli, _ = decoded(POINT_PROCESS.load(arrays(A, W, beta, bernoulli=np.ones(1))), counts)
    assert np.abs(bernoulli - poisson).max() < 0.01 * np.abs(poisson[:, :2]).max()


def test_bernoulli_reads_whether_a_unit_fired_and_not_how_often(plain):
    A, W, beta = model(plain, "v1")
    counts = simulated(A, W, beta, 200)
    parameters = POINT_PROCESS.load(arrays(A, W, beta, bernoulli=np.ones(1)))
    np.testing.assert_array_equal(decoded(parameters, 3 * counts)[0], decoded(parameters, np.minimum(counts, 1))[0])


# --- closed loop -----------------------------------------------------------------------------------------------


def performance(kind, seed, baseline_hz, seconds=60.0):
    """(successes a minute, median time in s from go to success) with 40 Poisson units and bins of 5 ms."""
    hard = {"radius_m": 0.012, "centre_radius_m": 0.012, "centre_hold_s": 0.3, "target_hold_s": 0.3}
    data = protocols.lasting(
        seconds,
        seed=seed,
        tick_s=0.005,
        bin_ticks=1,
        task={"kind": "centre_out", **hard, "reach_timeout_s": 3.0, "inter_trial_s": 0.2},
        population={"kind": "tuned", "units": 40, "baseline_hz": baseline_hz},
        decoder={"kind": kind, "calibration": {"reaches": 40}},
    )
    won = [trial["k"] - trial["o"] for trial in protocols.run(data).of("trial") if trial["x"] == "success"]
    return len(won) / seconds * 60, float(np.median(won)) * 0.005


@pytest.mark.campaign
@pytest.mark.parametrize(("baseline_hz", "more"), [([5.0, 25.0], -0.2), ([1.0, 8.0], 2.0)])
def test_in_closed_loop_it_is_at_least_as_good_as_the_kalman_filter(baseline_hz, more):
    """The same units and calibrations, 20 seeds; better where units fire little. `more`: successes a minute of 23."""
    kinds = ("point_process", "kalman")
    gains = [np.subtract(*(performance(kind, seed, baseline_hz) for kind in kinds)) for seed in range(1, 21)]
    mean, half = np.mean(gains, axis=0), 2.09 * np.std(gains, axis=0, ddof=1) / np.sqrt(20)
    print(f"successes a minute {mean[0]:+.2f} +- {half[0]:.2f}, reaches {mean[1]:+.3f} +- {half[1]:.3f} s")
    assert mean[0] - half[0] > more
    assert mean[1] + half[1] < 0


# --- guards -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bernoulli", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["pv1", "v1"])
def test_absurd_counts_leave_a_covariance_and_are_forgotten(plain, kind, bernoulli):
    """A million spikes in a bin, a state that is not known at all: no overflow, and later it decodes as ever."""
    A, W, beta = model(plain, kind)
    n = len(A)
    P0 = np.diag(np.append(np.full(n - 1, 1e6), 0.0))
    parameters = POINT_PROCESS.load(arrays(A, W, beta, P0=P0, bernoulli=np.array(bernoulli)))
    plain_start = POINT_PROCESS.load(arrays(A, W, beta, bernoulli=np.array(bernoulli)))
    draw = np.random.default_rng(8)
    counts = simulated(A, W, beta, 600)
    absurd = counts.copy()
    absurd[:60:3] = draw.choice([0.0, 1.0, 1e3, 1e6], (20, 8))
    position = np.zeros((600, 2))
    rows, covariances = decoded(parameters, absurd, position)
    assert np.isfinite(rows).all()
    assert np.isfinite(covariances).all()
    for P in covariances:
        np.testing.assert_array_equal(P, P.T)
        eigenvalues = np.linalg.eigvalsh(P)
        assert eigenvalues[0] >= -1e-12 * eigenvalues[-1]
    np.testing.assert_allclose(rows[-100:], decoded(plain_start, counts, position)[0][-100:], atol=1e-6)


def test_many_silent_bins_lead_nowhere(plain):
    A, W, beta = model(plain, "v1")
    rows, covariances = decoded(POINT_PROCESS.load(arrays(A, W, beta)), np.zeros((500, 8)))
    np.testing.assert_allclose(rows[-1], rows[-200], rtol=1e-9)
    np.testing.assert_allclose(covariances[-1], covariances[-200], rtol=1e-9)
    assert np.abs(rows[:, :2]).max() < 6 * np.sqrt(W[0, 0] / (1 - 0.9**2))


@pytest.mark.parametrize(
    ("name", "value", "error", "says"),
    [
        ("beta", np.ones((8, 2)), ArrayError, r"beta: has shape \(8, 2\), expected any x 3"),
        ("beta", np.full((8, 3), np.inf), ArrayError, r"beta\[0, 0\] = inf"),
        ("bernoulli", np.array(0.5), ArrayError, "bernoulli: is 0.5, expected 0"),
        ("bernoulli", np.zeros(8), ArrayError, r"bernoulli: has shape \(8,\)"),
        ("W", -np.eye(3), NumericalError, "W: is not a covariance"),
        ("A", np.diag([1.1, 0.9, 1.0]), NumericalError, "grows 1.1-fold"),
        ("P0", -np.eye(3), NumericalError, "P0"),
    ],
)
def test_invalid_arrays_are_refused(plain, name, value, error, says):
    given = arrays(*model(plain, "v1"))
    if name == "A":
        given["beta"] = given["beta"] * np.array([0.0, 1.0, 1.0])
    with pytest.raises(error, match=says):
        POINT_PROCESS.load({**given, name: value})


# --- fitting ----------------------------------------------------------------------------------------------------


def recording(bins=6000, bin_s=0.005, seed=5):
    """Counts of 5 ms of 12 log-linear units, of which unit 4 is silent and unit 7 fires hardly ever."""
    draw, velocity = np.random.default_rng(seed), np.zeros((bins, 2))
    for t in range(1, bins):
        velocity[t] = 0.98 * velocity[t - 1] + 0.01 * draw.standard_normal(2)
    angle = 2 * np.pi * np.arange(12) / 12
    beta = np.column_stack([15 * np.cos(angle), 15 * np.sin(angle), np.full(12, np.log(20 * bin_s))])
    counts = draw.poisson(np.exp(np.column_stack([velocity, np.ones(bins)]) @ beta.T)).astype(float)
    counts[:, 4] = 0.0
    counts[:, 7] = 0.0
    counts[17, 7] = 1.0
    return CalibrationData(counts, np.cumsum(velocity, axis=0) * bin_s, velocity, bin_s), beta


@pytest.mark.parametrize("law", ["poisson", "bernoulli"])
@pytest.mark.parametrize("state", ["velocity", "position_velocity"])
def test_a_fitted_filter_decodes_and_silent_units_do_not_matter(law, state):
    data, beta = recording()
    if law == "bernoulli":
        data = data._replace(counts=np.minimum(data.counts, 1.0))
    calibration = Calibration(dynamics="fitted")
    fitted = POINT_PROCESS.fit(data, calibration, PointProcessConfig(law=law, state=state))
    full = POINT_PROCESS.load(fitted)
    v = slice(0, 2) if state == "velocity" else slice(2, 4)
    loud = np.setdiff1d(np.arange(12), [4, 7])
    assert np.abs(full.beta[loud, v] - beta[loud, :2]).max() < 4.0  # of 15; an SD is 1 or so
    rows, _ = decoded(full, data.counts[:1500], data.position[:1500])
    for axis in range(2):
        assert np.corrcoef(rows[:, v][:, axis], data.velocity[:1500, axis])[0, 1] > 0.7
    without = POINT_PROCESS.reduced(full, np.setdiff1d(np.arange(12), [4]))
    same, _ = decoded(without, np.delete(data.counts[:1500], 4, axis=1), data.position[:1500])
    np.testing.assert_allclose(same, rows, atol=1e-12)


def test_missing_units_are_left_out_and_without_any_it_predicts(plain):
    A, W, beta = model(plain, "v1")
    parameters = POINT_PROCESS.load(arrays(A, W, beta))
    state, _ = POINT_PROCESS.step(parameters, POINT_PROCESS.init(parameters, 1), np.ones((1, 8)), None)
    some, none = (POINT_PROCESS.partial(parameters, np.array(units, dtype=int)) for units in ([1, 4], []))
    found, _ = POINT_PROCESS.step(some, state, np.array([[2.0, 0.0]]), None)
    expected, covariance = recursion(A, W, beta[[1, 4]], [[2.0, 0.0]], state.x[0], state.P[0])
    np.testing.assert_allclose(found.x, expected, atol=1e-14)
    np.testing.assert_allclose(found.P, covariance, atol=1e-16)
    predicted, _ = POINT_PROCESS.step(none, state, np.empty((1, 0)), None)
    np.testing.assert_allclose(predicted.x[0], A @ state.x[0], atol=1e-15)
    np.testing.assert_allclose(predicted.P[0], A @ state.P[0] @ A.T + W, atol=1e-17)


def test_a_file_in_cm_with_its_states_in_another_order_is_the_same_filter(plain):
    A, W, beta = model(plain, "pv1")
    order, scale = [4, 0, 2, 1, 3], np.array([100.0, 100.0, 100.0, 100.0, 1.0])
    given = {
        "A": (A * scale[:, None] / scale)[np.ix_(order, order)],
        "W": (W * np.outer(scale, scale))[np.ix_(order, order)],
        "beta": (beta / scale)[:, order],
        "states": np.array(["1", "px", "vx", "py", "vy"]),
        "length_unit": np.array("cm"),
    }
    counts = simulated(A, W, beta, 100)
    found, _ = decoded(POINT_PROCESS.load(files.parse(POINT_PROCESS, given).arrays), counts)
    np.testing.assert_allclose(found, decoded(POINT_PROCESS.load(arrays(A, W, beta)), counts)[0], atol=1e-12)


def test_rotating_units_rotates_their_preferred_directions(plain):
    parameters = POINT_PROCESS.load(arrays(*model(plain, "pv1")))
    turned = POINT_PROCESS.rotate(parameters, np.pi / 2, np.array([0, 6]))
    for i in range(8):
        for x, y in ((0, 1), (2, 3)):
            before, after = parameters.beta[i, [x, y]], turned.beta[i, [x, y]]
            np.testing.assert_allclose(after, [-before[1], before[0]] if i in (0, 6) else before, atol=1e-13)
