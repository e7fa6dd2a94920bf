"""The full Kalman filter, against the textbook's gain form, over 2,000 bins and in what it may and may not be fed."""

import numpy as np
import pytest

from decoderd.decoders import layout
from decoderd.decoders.kalman import KALMAN
from decoderd.errors import ArrayError, NumericalError

BINS = 2000
LAYOUTS = ("pv1", "pv", "v1", "v")


def arrays(model, **more):
    return {**dict(zip("AWCQ", model, strict=True)), **more}


def close(found, expected, tolerance=1e-10):
    """Column by column: no quantity may hide behind a larger one."""
    scale = np.abs(expected).max(axis=0)
    assert (np.abs(found - expected).max(axis=0) <= tolerance * scale).all()


@pytest.mark.parametrize("kind", LAYOUTS)
def test_agrees_with_the_textbook(plain, kind):
    model = plain.model(kind)
    counts = plain.simulated(*model, BINS)
    n = len(model[0])
    x0, P0 = np.linspace(0.01, 0.05, n), np.diag(np.linspace(1e-4, 1e-2, n))
    expected, covariances, _ = plain.recursion(*model, counts, x0, P0)
    parameters = KALMAN.load(arrays(model, x0=x0, P0=P0))
    close(plain.decoded(KALMAN, parameters, counts), expected)
    state = KALMAN.init(parameters, 1)
    for y in counts[:50]:
        state, _ = KALMAN.step(parameters, state, y[np.newaxis], None)
    np.testing.assert_allclose(state.P, covariances[49], rtol=0, atol=1e-12 * np.abs(covariances[49]).max())


@pytest.mark.parametrize("kind", ["pv1", "pv"])
def test_agrees_with_the_textbook_where_the_cursor_is_known(plain, kind):
    model = plain.model(kind)
    counts = plain.simulated(*model, BINS)
    position = np.random.default_rng(3).normal(0, 0.05, (BINS, 2))
    x0 = np.zeros(len(model[0]))
    x0[-1] = kind == "pv1"
    expected, _, _ = plain.recursion(*model, counts, x0, np.zeros_like(model[0]), position)
    close(plain.decoded(KALMAN, KALMAN.load(arrays(model)), counts, position), expected)


def test_velocity_filters_do_not_use_the_cursor(plain):
    model = plain.model("v1")
    parameters = KALMAN.load(arrays(model))
    counts = plain.simulated(*model, 50)
    rows = plain.decoded(KALMAN, parameters, counts)
    np.testing.assert_array_equal(plain.decoded(KALMAN, parameters, counts, np.ones((50, 2))), rows)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_agrees_with_filterpy(plain, kind):
    kalman = pytest.importorskip("filterpy.kalman")
    A, W, C, Q = model = plain.model(kind)
    counts = plain.simulated(*model, 300)
    peer = kalman.KalmanFilter(dim_x=len(A), dim_z=len(C))
    peer.F, peer.Q, peer.H, peer.R = A, W, C, Q
    peer.x, peer.P = np.ones(len(A)), 1e-3 * np.eye(len(A))
    rows = []
    for y in counts:
        peer.predict()
        peer.update(y)
        rows.append(peer.x.copy())
    parameters = KALMAN.load(arrays(model, x0=np.ones(len(A)), P0=1e-3 * np.eye(len(A))))
    close(plain.decoded(KALMAN, parameters, counts), np.array(rows), 1e-9)


def test_with_a_known_position_the_cursor_moves_by_velocity_alone(plain):
    model = plain.model("pv1")
    parameters = KALMAN.load(arrays(model))
    position = np.array([[0.03, -0.04]])
    state, command = KALMAN.step(parameters, KALMAN.init(parameters, 1), np.full((1, 8), 4.0), position)
    x = KALMAN.row(state)
    np.testing.assert_allclose(x[:, :2], position, atol=1e-15)
    np.testing.assert_array_equal(command.velocity, x[:, 2:4])
    assert command.correction is None


def test_counts_explained_by_the_known_position_do_not_move_the_velocity(plain):
    """Two cursors far apart, counts that differ by what the places explain: one velocity."""
    A, W, C, Q = plain.model("pv1")
    parameters = KALMAN.load(arrays((A, W, C, Q)))
    places = np.array([[0.0, 0.0], [0.08, -0.05]])
    counts = np.full((2, 8), 3.0) + places @ C[:, :2].T
    _, command = KALMAN.step(parameters, KALMAN.init(parameters, 2), counts, places)
    np.testing.assert_allclose(command.velocity[0], command.velocity[1], atol=1e-12)


# --- the covariance ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LAYOUTS)
def test_the_covariance_stays_a_covariance(plain, kind):
    model = plain.model(kind)
    parameters = KALMAN.load(arrays(model, P0=1e3 * np.eye(len(model[0]))))
    state = KALMAN.init(parameters, 1)
    y = np.zeros((1, 8))
    for _ in range(BINS):
        state, _ = KALMAN.step(parameters, state, y, None)
        np.testing.assert_array_equal(state.P, state.P.T)
        eigenvalues = np.linalg.eigvalsh(state.P)
        assert eigenvalues[0] >= -1e-14 * eigenvalues[-1]
    assert np.isfinite(state.P).all()


def test_unobserved_positions_do_not_affect_velocity(plain):
    """Their variance grows for ever; velocities are decoded as by the filter without them."""
    A, W, C, Q = plain.model("pv1")
    C[:, :2] = 0.0
    counts = plain.simulated(A, W, C, Q, BINS)
    rows = plain.decoded(KALMAN, KALMAN.load(arrays((A, W, C, Q))), counts)
    keep = slice(2, 5)
    velocity = KALMAN.load(arrays((A[keep, keep], W[keep, keep], C[:, keep], Q)))
    close(rows[:, keep], plain.decoded(KALMAN, velocity, counts))


# --- ill-conditioned, and legal ---------------------------------------------------------------------------------


def test_scaling_units_changes_nothing(plain):
    """Units with variances from 1e-6 to 1e6 decode as the same units brought to a common scale."""
    A, W, C, Q = plain.model("pv1")
    counts = plain.simulated(A, W, C, Q, BINS)
    scale = 10.0 ** np.linspace(-3, 3, 8)
    expected, _, _ = plain.recursion(A, W, C, Q, counts, np.array([0, 0, 0, 0, 1.0]), np.zeros((5, 5)))
    wide = (A, W, scale[:, np.newaxis] * C, np.outer(scale, scale) * Q)
    close(plain.decoded(KALMAN, KALMAN.load(arrays(wide)), counts * scale), expected)


def test_a_state_without_noise(plain):
    """W = 0 after P0: what is known only becomes surer."""
    A, _, C, Q = plain.model("v1")
    A = np.eye(3)
    counts = plain.simulated(A, np.zeros((3, 3)), C, Q, BINS)
    P0 = np.diag([1.0, 1.0, 0.0])
    x0 = np.array([0.0, 0.0, 1.0])
    expected, covariances, _ = plain.recursion(A, np.zeros((3, 3)), C, Q, counts, x0, P0)
    parameters = KALMAN.load(arrays((A, np.zeros((3, 3)), C, Q), x0=x0, P0=P0))
    close(plain.decoded(KALMAN, parameters, counts), expected, 1e-9)
    precision = np.linalg.inv(P0[:2, :2]) + BINS * (C.T @ np.linalg.solve(Q, C))[:2, :2]
    np.testing.assert_allclose(covariances[-1][:2, :2], np.linalg.inv(precision), rtol=1e-6)


def test_singular_w_and_huge_p0(plain):
    """Here the textbook's P = (I - K C) P- is wrong from the first digit; compared is with a form that is not."""
    A, W, C, Q = plain.model("pv1")
    W[3, :] = W[:, 3] = 0.0
    counts = plain.simulated(A, W, C, Q, 300)
    x0, P0 = np.array([0, 0, 0, 0, 1.0]), np.diag([1e6, 1e6, 1e6, 1e6, 0.0])
    rows = plain.decoded(KALMAN, KALMAN.load(arrays((A, W, C, Q), x0=x0, P0=P0)), counts)
    close(rows, joseph(A, W, C, Q, counts, x0, P0), 1e-8)


def joseph(*matrices):
    """Rows of the filter with P = (I - K C) P- (I - K C)' + K Q K' (Joseph's form), in long doubles."""
    A, W, C, Q, counts, x, P = (np.asarray(matrix, dtype=np.longdouble) for matrix in matrices)
    rows = []
    for y in counts:
        x, P = A @ x, A @ P @ A.T + W
        K = P @ C.T @ inverse(C @ P @ C.T + Q)
        keep = np.eye(len(A)) - K @ C
        x, P = x + K @ (y - C @ x), keep @ P @ keep.T + K @ Q @ K.T
        rows.append(x)
    return np.array(rows, dtype=np.float64)


def inverse(matrix):
    """Gauss and Jordan's, since LAPACK knows no long doubles."""
    n = len(matrix)
    both = np.hstack([matrix, np.eye(n, dtype=matrix.dtype)])
    for i in range(n):
        pivot = i + np.abs(both[i:, i]).argmax()
        both[[i, pivot]] = both[[pivot, i]]
        both[i] /= both[i, i]
        for j in range(n):
            if j != i:
                both[j] -= both[j, i] * both[i]
    return both[:, n:]


# --- refusals ---------------------------------------------------------------------------------------------------


def spoilt(model, **changes):
    given = arrays([matrix.copy() for matrix in model])
    for name, change in changes.items():
        given[name] = change(given[name])
    return given


def entry(place, value):
    def change(matrix):
        matrix[place] = value
        return matrix

    return change


def twin(Q):
    """Unit 5 doubles unit 2."""
    Q = Q.copy()
    Q[5], Q[:, 5] = Q[2], Q[:, 2]
    Q[5, 5] = Q[2, 2]
    return Q


@pytest.mark.parametrize(
    ("name", "change", "error", "says"),
    [
        ("Q", lambda Q: np.outer(Q[0], Q[0]), NumericalError, "Q: is singular or nearly so"),
        ("Q", twin, NumericalError, r"most correlated are units 2 and 5 \(correlation 1.0000\)"),
        ("Q", lambda Q: twin(Q) + 1e-15 * np.eye(8), NumericalError, "Q: is singular or nearly so"),
        ("Q", lambda Q: np.where(np.arange(8) == 3, 0, np.where(np.arange(8)[:, None] == 3, 0, Q)), NumericalError,
         r"Q: is singular; Q\[3, 3\] = 0"),
        ("Q", entry((0, 1), 1.7), NumericalError, "Q: is not symmetric"),
        ("Q", lambda Q: -Q, NumericalError, "Q: is not a covariance"),
        ("Q", lambda Q: Q[:7, :7], ArrayError, r"Q: has shape \(7, 7\), expected 8 x 8"),
        ("W", lambda W: -W, NumericalError, r"W: is not a covariance \(smallest eigenvalue -"),
        ("W", entry((0, 1), 1.0), NumericalError, "W: is not symmetric"),
        ("W", lambda W: W[:2], ArrayError, "W: has shape"),
        ("A", entry((0, 0), np.nan), ArrayError, r"A\[0, 0\] = nan"),
        ("C", entry((7, 1), np.inf), ArrayError, r"C\[7, 1\] = inf: 1 of 24 values are not finite"),
        ("Q", entry((1, 1), -np.inf), ArrayError, r"Q\[1, 1\] = -inf"),
        ("A", lambda A: A[0], ArrayError, "A: has shape"),
        ("A", lambda A: A[0, 0], ArrayError, "A: is empty"),
        ("A", lambda A: A[:2], ArrayError, r"A: has shape \(2, 3\), expected 2 x 2"),
        ("C", lambda C: C[:, :2], ArrayError, r"C: has shape \(8, 2\), expected any x 3"),
    ],
)  # fmt: skip
def test_invalid_arrays_are_refused(plain, name, change, error, says):
    with pytest.raises(error, match=says) as caught:
        KALMAN.load(spoilt(plain.model("v1"), **{name: change}))
    assert caught.value.field == name


@pytest.mark.parametrize(("name", "value"), [("x0", np.zeros(4)), ("P0", -np.eye(3)), ("P0", np.eye(2))])
def test_an_initial_state_of_another_shape_is_refused(plain, name, value):
    with pytest.raises((ArrayError, NumericalError), match=name) as caught:
        KALMAN.load(arrays(plain.model("v1"), **{name: value}))
    assert caught.value.field == name


# --- what perturbations do to it --------------------------------------------------------------------------------


def test_permuted_units_are_read_in_their_new_order(plain):
    model = plain.model("pv1")
    parameters, order = KALMAN.load(arrays(model)), np.random.default_rng(4).permutation(8)
    counts = plain.simulated(*model, 200)
    rows = plain.decoded(KALMAN, KALMAN.permute_units(parameters, order), counts)
    close(rows, plain.decoded(KALMAN, parameters, counts[:, order]), 1e-11)


@pytest.mark.parametrize("angle", [0.6, -1.5])
def test_rotating_all_units_rotates_the_decoded_movement(plain, angle):
    """Where the filter expects the same of all directions, decoded velocity turns by the angle."""
    A, W, C, Q = plain.model("v1")
    W[:2, :2] = 3e-4 * np.eye(2)
    parameters = KALMAN.load(arrays((A, W, C, Q)))
    counts = plain.simulated(A, W, C, Q, 200)
    rows = plain.decoded(KALMAN, parameters, counts)
    turned = plain.decoded(KALMAN, KALMAN.rotate(parameters, angle, np.arange(8)), counts)
    R = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    close(turned[:, :2], rows[:, :2] @ R.T, 1e-11)


def test_rotating_some_units_rotates_their_preferred_directions(plain):
    parameters = KALMAN.load(arrays(plain.model("pv1")))
    turned = KALMAN.rotate(parameters, np.pi / 2, np.array([0, 6]))
    for i in range(8):
        for x, y in ((0, 1), (2, 3)):
            before, after = parameters.C[i, [x, y]], turned.C[i, [x, y]]
            expected = [-before[1], before[0]] if i in (0, 6) else before
            np.testing.assert_allclose(after, expected, atol=1e-13)
    np.testing.assert_array_equal(turned.Q, parameters.Q)


# --- states of other sizes --------------------------------------------------------------------------------------


def test_states_without_a_layout_are_decoded_offline(plain):
    draw = np.random.default_rng(5)
    A, W, C, Q = 0.9 * np.eye(6), np.eye(6), draw.normal(size=(8, 6)), np.eye(8)
    counts = plain.simulated(A, W, C, Q, BINS)
    expected, _, _ = plain.recursion(A, W, C, Q, counts, np.zeros(6), np.zeros((6, 6)))
    close(plain.decoded(KALMAN, KALMAN.load(arrays((A, W, C, Q))), counts), expected)


@pytest.mark.parametrize("n", [1, 6, 7])
def test_states_without_a_layout_cannot_be_rotated(n):
    parameters = KALMAN.load(arrays((0.9 * np.eye(n), np.eye(n), np.ones((2, n)), np.eye(2))))
    with pytest.raises(ArrayError, match=f"a state of {n} entries cannot move a cursor in the plane"):
        KALMAN.rotate(parameters, 0.1, np.arange(2))


def test_layouts():
    x = np.array([[1.0, 2.0, 3.0, 4.0, 1.0]])
    np.testing.assert_array_equal(layout.command(layout.of(5), x).velocity, [[3, 4]])
    np.testing.assert_array_equal(layout.command(layout.of(3), x[:, :3]).velocity, [[1, 2]])
    np.testing.assert_array_equal(layout.command(None, x).velocity, x)
    assert layout.known(6) is None
