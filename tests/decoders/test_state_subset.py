"""Filters of some states: the same where that is possible, near where it is not, refused elsewhere."""

import numpy as np
import pytest

from decoderd.decoders import gaussian, state_subset
from decoderd.errors import ArrayError
from tests.decoders.theirs import as_there

NAMES = ("px", "py", "pz", "vx", "vy", "vz", "1")
PLANE = ("px", "pz", "vx", "vz", "1")
VELOCITIES = ("vx", "vy", "vz")
DT = 0.1


def three_dimensional(draw, observed=(3, 5), units=20):
    """A filter of position, velocity and constant in 3-D; units observe the states `observed`."""
    A = np.eye(7)
    A[:3, 3:6] = DT * np.eye(3)
    A[3:6, 3:6] = np.diag([0.8, 0.7, 0.75])
    W = np.zeros((7, 7))
    W[3:6, 3:6] = np.diag([7.0, 5.0, 6.0])
    C = np.zeros((units, 7))
    C[:, list(observed)] = draw.normal(0, 0.15, (units, len(observed)))
    C[:, 6] = draw.uniform(1, 3, units)
    mixed = draw.normal(0, 0.3, (units, units))
    x0 = np.array([1.0, 0.0, -2.0, 0.0, 0.0, 0.0, 1.0])
    return {"A": A, "W": W, "C": C, "Q": mixed @ mixed.T + np.eye(units), "x0": x0, "P0": np.zeros((7, 7))}


def kept(arrays, keep=PLANE):
    return state_subset.subset(arrays, NAMES, keep, VELOCITIES)


@pytest.mark.parametrize("keep", [PLANE, ("vx", "vz", "1"), ("vz", "vx", "1")], ids="-".join)
def test_unseen_states_are_left_out_without_a_trace(keep):
    draw = np.random.default_rng(1)
    whole = three_dimensional(draw)
    counts = draw.poisson(2.0, (300, 20))
    reduced, warnings = kept(whole, keep)
    assert warnings == []
    columns = [NAMES.index(name) for name in keep]
    np.testing.assert_allclose(as_there(reduced, counts), as_there(whole, counts)[:, columns], rtol=0, atol=1e-10)


def test_states_that_stay_zero_are_left_out_though_units_observe_them():
    draw = np.random.default_rng(2)
    whole = three_dimensional(draw, observed=(1, 3, 4, 5))
    whole["W"][4, 4] = 0.0
    counts = draw.poisson(2.0, (300, 20))
    reduced, warnings = kept(whole)
    assert warnings == []
    columns = [NAMES.index(name) for name in PLANE]
    np.testing.assert_allclose(as_there(reduced, counts), as_there(whole, counts)[:, columns], rtol=0, atol=1e-10)


def test_rounding_errors_of_least_squares_are_no_dependence():
    whole = three_dimensional(np.random.default_rng(3))
    whole["A"][3, 1], whole["C"][4, 4] = 3e-16, -2e-15
    assert kept(whole)[1] == []


def simulated(arrays, bins, draw):
    """States and counts (not rounded) of a filter's own model."""
    x, states, root = arrays["x0"], [], np.linalg.cholesky(arrays["Q"])
    for _ in range(bins):
        x = arrays["A"] @ x + np.sqrt(np.diag(arrays["W"])) * draw.normal(size=len(x))
        states.append(x)
    counts = states @ arrays["C"].T + draw.normal(size=(bins, len(root))) @ root.T
    return np.array(states), counts


def test_a_velocity_that_units_observe_is_averaged_over():
    """Better than the filter that ignores it, and as far from the whole filter as the warning says."""
    draw = np.random.default_rng(4)
    whole = three_dimensional(draw, observed=(3, 4, 5), units=6)
    reduced, (warning,) = kept(whole)
    states, counts = simulated(whole, 6000, draw)
    columns = [NAMES.index(name) for name in PLANE]
    velocity = {name: as_there(arrays, counts)[:, 2:4] for name, arrays in (("reduced", reduced),)}
    velocity["whole"] = as_there(whole, counts)[:, [3, 5]]
    velocity["ignoring"] = as_there(state_subset.Filter(*whole.values()).of(columns)._asdict(), counts)[:, 2:4]
    true = states[:, [3, 5]]
    error = {name: np.sqrt(((estimate - true) ** 2).mean()) for name, estimate in velocity.items()}
    assert error["whole"] < error["reduced"] < error["ignoring"]
    apart = np.sqrt(((velocity["reduced"] - velocity["whole"]) ** 2).mean() / (velocity["whole"] ** 2).mean())
    assert "C: units observe vy" in warning.message
    stated = float(warning.message.split("whole filter by ")[1].split("%")[0]) / 100
    assert stated == pytest.approx(apart, abs=0.015)


def test_correlated_velocities_are_replaced_by_their_regression():
    """With vy = 2 vx exactly, the filter without vy is the whole one."""
    draw = np.random.default_rng(5)
    whole = three_dimensional(draw, observed=(3, 4, 5))
    whole["A"][4, 4] = whole["A"][3, 3]
    whole["W"][3:5, 3:5] = 7.0 * np.array([[1.0, 2.0], [2.0, 4.0]])
    reduced, (warning,) = kept(whole)
    counts = draw.poisson(2.0, (300, 20))
    np.testing.assert_allclose(
        as_there(reduced, counts), as_there(whole, counts)[:, [0, 2, 3, 5, 6]], rtol=0, atol=1e-9
    )
    assert "by 0%" in warning.message


@pytest.mark.parametrize(
    ("change", "keep", "message"),
    [
        (lambda a: a["C"].__setitem__((slice(None), 1), 0.1), PLANE, "py cannot be left out: 20 units observe it"),
        (lambda a: a["A"].__setitem__((2, 1), 0.1), PLANE, "py cannot be left out: others depend on it"),
        (lambda a: None, ("px", "pz", "vx", "vz"), "1 cannot be left out: 20 units observe it"),
        (lambda a: (a["A"].__setitem__((4, 4), 1.0), a["C"].__setitem__((0, 4), 1.0)), PLANE, "do not decay"),
        (lambda a: (a["A"].__setitem__((4, 6), 1.0), a["C"].__setitem__((0, 4), 1.0)), PLANE, "vy depends on 1"),
    ],
)
def test_states_that_cannot_be_left_out_are_refused(change, keep, message):
    whole = three_dimensional(np.random.default_rng(6))
    change(whole)
    with pytest.raises(ArrayError, match=message) as error:
        kept(whole, keep)
    assert error.value.field == "A"


def test_the_reduced_filter_is_valid():
    reduced, _ = kept(three_dimensional(np.random.default_rng(7), observed=(3, 4, 5)))
    assert gaussian.load_model(reduced).A.shape == (5, 5)
