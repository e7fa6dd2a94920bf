"""What a decoder file may be: states in any order, other units of length, bins, versions."""

import numpy as np
import pytest

from decoderd.arrays import load_npz
from decoderd.decoders import files, fitting
from decoderd.decoders.contract import Calibration
from decoderd.decoders.files import Loop
from decoderd.decoders.intrinsic_manifold import INTRINSIC_MANIFOLD
from decoderd.decoders.kalman import KALMAN
from decoderd.decoders.linear import LINEAR
from decoderd.errors import ArrayError
from decoderd.registry import find

LOOP = Loop(0.05, 0.25)


def kalman_arrays(units=9, position=True, seed=1):
    """A filter px py vx vy 1, or vx vy 1, in m."""
    draw = np.random.default_rng(seed)
    A, W = fitting.dynamics(Calibration(), 0.05, position)
    C = np.column_stack([draw.normal(0, 3, (units, len(A) - 1)), draw.uniform(1, 3, units)])
    root = draw.normal(0, 0.3, (units, units))
    return {"A": A, "W": W, "C": C, "Q": np.eye(units) + root @ root.T, "x0": draw.normal(0, 0.1, len(A))}


def reordered(arrays, order):
    """The same filter with its states in another order."""
    both = np.ix_(order, order)
    return {
        "A": arrays["A"][both],
        "W": arrays["W"][both],
        "C": arrays["C"][:, order],
        "Q": arrays["Q"],
        "x0": arrays["x0"][order],
    }


def in_unit(arrays, per_metre):
    """The same filter with lengths in another unit: x' = S x."""
    S = np.diag([per_metre] * (len(arrays["A"]) - 1) + [1.0])
    inverse = np.linalg.inv(S)
    return {
        "A": S @ arrays["A"] @ inverse,
        "W": S @ arrays["W"] @ S,
        "C": arrays["C"] @ inverse,
        "Q": arrays["Q"],
        "x0": S @ arrays["x0"],
    }


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["px", "vx", "py", "vy", "1"], [0, 2, 1, 3, 4]),
        (["X", "VX", "Y", "VY", "const"], [0, 2, 1, 3, 4]),
        (["offset", "vy", "vx", "py", "px"], [4, 3, 2, 1, 0]),
        ("vx, vy, px, py, 1", [2, 3, 0, 1, 4]),
        (np.array([b"px   ", b"vx", b"py", b"vy", b"1"]), [0, 2, 1, 3, 4]),
        (np.array([["px"], ["py"], ["vx"], ["vy"], ["1"]]), [0, 1, 2, 3, 4]),
    ],
)
def test_named_states_are_put_in_order(names, order):
    arrays = kalman_arrays()
    found = files.parse(KALMAN, {**reordered(arrays, order), "states": np.array(names)})
    assert found.states == ("px", "py", "vx", "vy", "1")
    for name, array in arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)
    files.check_session(KALMAN, found, LOOP)


@pytest.mark.parametrize(("unit", "per_metre"), [("m", 1.0), ("cm", 100.0), ("mm", 1000.0)])
@pytest.mark.parametrize("position", [True, False])
def test_lengths_are_converted(unit, per_metre, position):
    arrays = kalman_arrays(position=position)
    found = files.parse(KALMAN, {**in_unit(arrays, per_metre), "length_unit": np.array([unit])})
    for name, array in arrays.items():
        np.testing.assert_allclose(found.arrays[name], array, rtol=1e-14)
    files.check_session(KALMAN, found, LOOP)


def test_linear_and_intrinsic_manifold_files_are_converted():
    draw = np.random.default_rng(2)
    mm = {
        "M1": draw.normal(0, 0.3, (2, 2)),
        "M2": draw.normal(0, 5, (2, 7)),
        "m0": draw.normal(0, 9, 2),
        "length_unit": np.array("mm"),
    }
    found = LINEAR.load(files.parse(LINEAR, mm).arrays)
    counts, v, v_mm = draw.poisson(2.0, (1, 7)), np.zeros((1, 2)), np.zeros((1, 2))
    for _ in range(5):
        v_mm = v_mm @ mm["M1"].T + counts @ mm["M2"].T + mm["m0"]
        v, _ = LINEAR.step(found, v, counts, None)
    np.testing.assert_allclose(v, v_mm / 1000, rtol=1e-12)

    root = draw.normal(0, 1, (3, 3))
    manifold = {
        "count_mean": draw.uniform(1, 3, 8),
        "count_scale": draw.uniform(0.5, 1, 8),
        "fa_loadings": draw.normal(0, 0.5, (8, 3)),
        "fa_private_var": draw.uniform(0.5, 1, 8),
        "factor_scale": np.ones(3),
        "kf_A": 0.8 * np.eye(2),
        "kf_b": np.array([3.0, -2.0]),
        "kf_Q": 900.0 * np.eye(2),
        "kf_C": draw.normal(0, 0.02, (3, 2)),
        "kf_d": draw.normal(0, 0.1, 3),
        "kf_R": np.eye(3) + root @ root.T,
    }
    in_m = files.parse(INTRINSIC_MANIFOLD, {**manifold, "length_unit": np.array("mm")})
    one, other = INTRINSIC_MANIFOLD.load(in_m.arrays).mapping, INTRINSIC_MANIFOLD.load(manifold).mapping
    np.testing.assert_allclose(one.M1, other.M1, rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(one.M2, other.M2 / 1000, rtol=1e-10, atol=1e-18)
    np.testing.assert_allclose(one.m0, other.m0 / 1000, rtol=1e-10, atol=1e-18)


@pytest.mark.parametrize("kind", ["kalman", "steady_state_kalman", "linear"])
def test_a_written_file_says_everything_and_reads_the_same(tmp_path, kind):
    arrays = {"M2": np.random.default_rng(1).normal(0, 1, (2, 5))} if kind == "linear" else kalman_arrays()
    decoder = find("decoders", kind)
    files.write(tmp_path / "decoder.npz", decoder, arrays, 0.05)
    raw = load_npz(tmp_path / "decoder.npz")
    assert {"length_unit", "bin_s", "version", "states"} <= set(raw)
    found = files.read(tmp_path / "decoder.npz", decoder)
    assert (found.bin_s, found.named, found.length_unit) == (0.05, True, "m")
    assert set(found.arrays) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)
    files.check_session(decoder, found, LOOP)


@pytest.mark.parametrize(
    ("bin_s", "fits"), [(0.05, True), (0.0504, True), (0.0455, False), (0.02, False), (0.1, False)]
)
def test_another_bin_is_refused(bin_s, fits):
    file = files.parse(KALMAN, {**kalman_arrays(position=False), "bin_s": np.array([[bin_s]])})
    if fits:
        files.check_session(KALMAN, file, LOOP)
        return
    with pytest.raises(ArrayError, match="tick_s x bin_ticks") as caught:
        files.check_session(KALMAN, file, LOOP)
    assert caught.value.field == "bin_s"


@pytest.mark.parametrize(
    ("fact", "field", "message"),
    [
        ({"states": np.array(["vx", "vy"])}, "states", "2 names .* for 5 states"),
        ({"states": np.array(["px", "py", "vx", "vx", "1"])}, "states", "a name of its own"),
        ({"states": np.array(["px", "py", "vx", "vy", "gain"])}, "states", "'gain' is not known; names are px py"),
        ({"states": np.arange(5)}, "states", "expected text"),
        ({"length_unit": np.array("inch")}, "length_unit", "must be one of m, cm, mm"),
        ({"bin_s": np.array(0.0)}, "bin_s", "above 0"),
        ({"bin_s": np.array([0.05, 0.05])}, "bin_s", "expected scalar"),
        ({"version": np.array(2)}, "version", "a later decoderd"),
    ],
)
def test_wrong_facts_are_named(fact, field, message):
    with pytest.raises(ArrayError, match=message) as caught:
        files.parse(KALMAN, {**kalman_arrays(), **fact})
    assert caught.value.field == field


def test_states_of_three_dimensions_decode_and_move_no_cursor():
    arrays = kalman_arrays()
    named = files.parse(KALMAN, {**arrays, "states": np.array(["px", "pz", "vx", "vz", "1"])})
    assert named.states == ("px", "pz", "vx", "vz", "1")
    with pytest.raises(ArrayError, match="cannot move a cursor in the plane"):
        files.check_session(KALMAN, named, LOOP)


def test_a_plug_in_that_does_not_say_its_axes_keeps_its_arrays():
    plugin = KALMAN._replace(layout=None)
    given = {**kalman_arrays(), "bin_s": np.array(0.05)}
    found = files.parse(plugin, given)
    assert set(found.arrays) == set(given)
    assert found.bin_s == 0.05
    with pytest.raises(ArrayError, match="cannot be converted"):
        files.parse(plugin, {**given, "length_unit": np.array("cm")})


def test_arrays_of_wrong_shapes_are_left_to_load():
    arrays = kalman_arrays()
    for name in ("A", "W", "C", "Q"):
        given = {**arrays, name: arrays[name][:, :-1], "length_unit": np.array("cm")}
        with pytest.raises(ArrayError, match=name):
            KALMAN.load(files.parse(KALMAN, given).arrays)
