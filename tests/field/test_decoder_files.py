"""Filters as other programs fit and save them: a constant by least squares, other orders, units, bins, precision.

In silence each of these once gave wrong velocities.
"""

import numpy as np
import pytest

from decoderd.decoders import offline
from decoderd.decoders.kalman import KALMAN
from decoderd.errors import ProtocolError, Refused
from tests import protocols
from tests.field.decoders import exact, least_squares, recorded, textbook
from tests.protocols import BRIEF, centre_out

VELOCITY, POSITION = [2, 3, 4], [0, 1, 2, 3, 4]


def of_session(state="velocity"):
    """The arrays of a filter that a session of tests fits: with it trials succeed."""
    fitted = centre_out(decoder={"kind": "kalman", "state": state, "calibration": BRIEF})
    _, begun = protocols.begun(fitted)
    found = KALMAN.arrays(begun.parameters.decoder)
    return {name: found[name].copy() for name in ("A", "W", "C", "Q")}


def session(folder, arrays, kind="kalman", **fields):
    """The protocol of a session with this filter in a file."""
    np.savez(folder / "filter.npz", **arrays)
    return centre_out(decoder={"kind": kind, "file": str(folder / "filter.npz")}, **fields)


def moved(arrays, order, per_metre=1.0):
    """The filter with its states in another order and lengths in another unit."""
    scale = np.array([per_metre] * (len(order) - 1) + [1.0])
    A, W, C = (
        arrays["A"] * scale[:, None] / scale,
        arrays["W"] * np.outer(scale, scale),
        arrays["C"] / scale,
    )
    both = np.ix_(order, order)
    return {"A": A[both], "W": W[both], "C": C[:, order], "Q": arrays["Q"]}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("states", [VELOCITY, POSITION], ids=["velocity", "position"])
@pytest.mark.parametrize("per_metre", [1, 100])
def test_the_constant_of_least_squares_is_known(states, per_metre, dtype):
    x, counts = recorded(seed=per_metre)
    x = x * np.r_[np.full(4, per_metre), 1]
    arrays = {name: array.astype(dtype) for name, array in least_squares(x[:, states], counts).items()}
    assert (arrays["A"][-1] != np.eye(len(states))[-1]).any()
    arrays["Q"] = np.float64(arrays["Q"])
    rows, expected = offline.decode("kalman", arrays, counts), textbook(exact(arrays), counts)
    tolerance = (1e-9 if dtype == np.float64 else 1e-6) * per_metre
    np.testing.assert_allclose(rows, expected, rtol=0, atol=tolerance)
    if states == POSITION:
        return  # the uncertainty of the position that the filter begins with settles slowly
    steady = offline.decode("steady_state_kalman", arrays, counts)
    np.testing.assert_allclose(steady[200:], expected[200:], rtol=0, atol=max(tolerance, 1e-9))


def test_a_session_with_the_constant_of_least_squares_wins_its_trials(tmp_path):
    arrays = of_session()
    rounding = np.random.default_rng(1).normal(0, 1e-15, 3)
    arrays["A"][-1] = arrays["A"][-1] + rounding
    arrays["W"] = arrays["W"] + 1e-31 * np.eye(3)
    run = protocols.run(session(tmp_path, arrays))
    assert run.states[-1].progress.successes >= 3


@pytest.mark.parametrize("names", [["px", "vx", "py", "vy", "1"], ["1", "vy", "vx", "py", "px"]])
def test_named_states_run_in_any_order_and_without_names_are_refused(tmp_path, names):
    arrays = of_session("position_velocity")
    ours = ["px", "py", "vx", "vy", "1"]
    given = moved(arrays, [ours.index(name) for name in names])
    run, usual = (protocols.run(session(tmp_path, each)) for each in ({**given, "states": np.array(names)}, arrays))
    np.testing.assert_array_equal(run.column("v"), usual.column("v"))
    assert usual.states[-1].progress.successes >= 3
    with pytest.raises(ProtocolError, match=r"filter.npz: A: .* name the states in an array `states`|name them"):
        protocols.begun(session(tmp_path, given))


@pytest.mark.parametrize(("unit", "per_metre"), [("cm", 100), ("mm", 1000)])
@pytest.mark.parametrize("state", ["velocity", "position_velocity"])
def test_another_unit_of_length_is_converted_and_in_silence_refused(tmp_path, unit, per_metre, state):
    arrays = of_session(state)
    given = moved(arrays, list(range(len(arrays["A"]))), per_metre)
    run, usual = (protocols.run(session(tmp_path, each)) for each in ({**given, "length_unit": np.array(unit)}, arrays))
    np.testing.assert_allclose(run.column("v"), usual.column("v"), rtol=0, atol=1e-9)
    with pytest.raises(ProtocolError, match=f"length_unit = '{unit}'"):
        protocols.begun(session(tmp_path, given))


@pytest.mark.parametrize("bin_ticks", [2, 4, 10])
def test_another_bin_is_refused(tmp_path, bin_ticks):
    arrays = {**of_session(), "bin_s": np.array(0.05)}
    protocols.begun(session(tmp_path, arrays))
    with pytest.raises(ProtocolError, match=r"filter.npz: bin_s = 0.05: the decoder is for bins of 50 ms"):
        protocols.begun(session(tmp_path, arrays, bin_ticks=bin_ticks))


def test_a_population_of_another_bin_is_refused(tmp_path):
    file = protocols.recording(tmp_path / "recording.npz")
    np.savez(file, **np.load(file), bin_s=0.045)
    M2 = np.random.default_rng(1).normal(0, 0.01, (2, 6))
    np.savez(tmp_path / "linear.npz", M2=M2)
    data = centre_out(
        population={"kind": "replay", "file": str(file)},
        decoder={"kind": "linear", "file": str(tmp_path / "linear.npz")},
    )
    protocols.begun({**data, "tick_s": 0.009})
    with pytest.raises(ProtocolError, match=r"recording.npz: bin_s = 0.045: the population is for bins of 45 ms"):
        protocols.begun(data)


def test_a_decoder_given_to_a_running_session_passes_the_same_questions():
    arrays = of_session()
    session_, state = protocols.begun(centre_out())
    for given, field, words in (
        (moved(arrays, [0, 1, 2], 100), "arrays.W", "length_unit = 'cm'"),
        (moved(arrays, [2, 0, 1]), "arrays.A", "the constant is state 0"),
        ({**arrays, "bin_s": np.array(0.02)}, "arrays.bin_s", "for bins of 20 ms"),
    ):
        with pytest.raises(Refused, match=words) as caught:
            protocols.step(session_, state, protocols.given(protocols.packed(given)))
        assert caught.value.field == field
    rounded = {**arrays, "A": arrays["A"] + 1e-15 * np.eye(3)[::-1]}
    after, _ = protocols.step(session_, state, protocols.given(protocols.packed(rounded)))
    np.testing.assert_array_equal(after.parameters.decoder.x0, [0, 0, 1])


@pytest.mark.parametrize("units", [9, 40])
def test_covariances_in_single_precision_are_made_symmetric(units):
    x, counts = recorded(units=units, seed=units)
    arrays = exact(least_squares(x[:, VELOCITY], counts))
    draw = np.random.default_rng(units)
    single = {name: array.astype(np.float32) for name, array in arrays.items()}
    for name in ("W", "Q"):  # as sums in single precision leave them
        single[name] = single[name] * (1 + 1.2e-7 * draw.choice([-1, 0, 1], single[name].shape)).astype(np.float32)
    assert (single["W"] != single["W"].T).any() or (single["Q"] != single["Q"].T).any()
    rows = offline.decode("kalman", single, counts)
    np.testing.assert_allclose(rows, textbook(arrays, counts), rtol=0, atol=1e-6)
