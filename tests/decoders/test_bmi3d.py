"""Filters as BMI3D has them: decoded here as a plain filter decodes there, and the way back."""

import numpy as np
import pytest

from decoderd.decoders import bmi3d, files, offline
from decoderd.errors import ArrayError
from tests.decoders.theirs import NAMES, UNITS, as_there, saved


@pytest.mark.parametrize(("axes", "columns"), [(("x", "z"), [0, 2, 3, 5]), (("z", "x"), [2, 0, 5, 3])])
def test_states_are_those_of_the_other_program(axes, columns):
    draw = np.random.default_rng(1)
    arrays = saved(draw)
    counts = draw.poisson(2.0, (1000, UNITS))
    found = bmi3d.read(arrays, axes=axes)
    assert found.warnings == []
    assert found.bin_s == 0.1
    assert found.left_out == ("py", "vy")
    rows = offline.decode("kalman", found.arrays, counts)
    np.testing.assert_allclose(rows[:, :4], 1e-2 * as_there(arrays, counts)[:, columns], rtol=0, atol=1e-11)
    np.testing.assert_array_equal(rows[:, 4], 1.0)


@pytest.mark.parametrize(("unit", "metres"), [("mm", 1e-3), ("cm", 1e-2), ("m", 1.0)])
def test_a_velocity_filter_in_any_unit(unit, metres):
    draw = np.random.default_rng(2)
    arrays = {name: value if name == "Q" else value[..., 3:] for name, value in saved(draw).items()}
    arrays["A"], arrays["W"] = arrays["A"][3:], arrays["W"][3:]
    counts = draw.poisson(2.0, (200, UNITS))
    found = bmi3d.read(arrays, ["vx", "vy", "vz", "1"], length_unit=unit, bin_s=0.1)
    assert found.states == ("vx", "vz", "1")
    rows = offline.decode("kalman", found.arrays, counts)
    np.testing.assert_allclose(rows[:, :2], metres * as_there(arrays, counts)[:, [0, 2]], rtol=1e-9, atol=1e-12)


def test_states_in_another_order_by_name():
    draw = np.random.default_rng(3)
    arrays = saved(draw)
    order = [6, 5, 1, 3, 0, 4, 2]
    square = np.ix_(order, order)
    mixed = {**arrays, "A": arrays["A"][square], "W": arrays["W"][square], "C": arrays["C"][:, order]}
    named = np.array([NAMES[index] for index in order])
    usual = bmi3d.read(arrays)
    for given, states in (({**mixed, "states": named}, None), (mixed, list(named))):
        found = bmi3d.read(given, states)
        assert found.states == usual.states
        for name, value in found.arrays.items():
            np.testing.assert_array_equal(value, usual.arrays[name])


def test_without_names_another_order_is_refused():
    arrays = saved(np.random.default_rng(4))
    order = [0, 3, 1, 4, 2, 5, 6]
    square = np.ix_(order, order)
    arrays.update(A=arrays["A"][square], W=arrays["W"][square], C=arrays["C"][:, order])
    with pytest.raises(ArrayError, match="are the states in the order of their names"):
        bmi3d.read(arrays, bin_s=0.1)
    order = [6, 0, 1, 2, 3, 4, 5]
    square = np.ix_(order, order)
    arrays = saved(np.random.default_rng(4))
    arrays.update(A=arrays["A"][square], W=arrays["W"][square], C=arrays["C"][:, order])
    with pytest.raises(ArrayError, match=r"the constant is state 0 \(from 0\)"):
        bmi3d.read(arrays, bin_s=0.1)


def test_normalised_counts_are_part_of_the_filter():
    draw = np.random.default_rng(5)
    mean, scale = draw.uniform(1, 3, UNITS), draw.uniform(0.5, 2, UNITS)
    arrays = saved(draw, zscore=np.array(True), mFR=mean, sdFR=scale)
    counts = draw.poisson(2.0, (300, UNITS))
    rows = offline.decode("kalman", bmi3d.read(arrays).arrays, counts)
    there = as_there(arrays, (counts - mean) / scale)
    np.testing.assert_allclose(rows[:, 2:4], 1e-2 * there[:, [3, 5]], rtol=0, atol=1e-11)


def test_means_without_zscore_are_ignored():
    """A decoder of BMI3D always has them; they are used once its counts are normalised."""
    arrays = saved(np.random.default_rng(6))
    more = {"mFR": np.array(0.0), "sdFR": np.array(1.0), "zscore": np.array(False)}
    for name, value in bmi3d.read({**arrays, **more}).arrays.items():
        np.testing.assert_array_equal(value, bmi3d.read(arrays).arrays[name])


def test_the_constant_of_a_least_squares_fit_is_exact_again():
    arrays = saved(np.random.default_rng(7))
    arrays["A"][6, :4] = 1e-15
    found = bmi3d.read(arrays).arrays
    np.testing.assert_array_equal(found["A"][-1], [0, 0, 0, 0, 1])
    assert found["x0"][-1] == 1


@pytest.mark.parametrize(("binlen", "option", "expected"), [(0.1, None, 0.1), (None, None, 0.1), (0.1, 0.09, 0.09)])
def test_the_length_of_a_bin(binlen, option, expected):
    arrays = saved(np.random.default_rng(8))
    given = arrays if binlen is None else {**arrays, "binlen": np.array([[binlen]])}
    assert bmi3d.read(given, bin_s=option).bin_s == expected


def test_a_bin_in_single_precision():
    arrays = {name: value.astype(np.float32) for name, value in saved(np.random.default_rng(8)).items()}
    assert bmi3d.read(arrays).bin_s == 0.1


@pytest.mark.parametrize("dtype", [object, str])
def test_names_as_matlab_has_them(dtype):
    """In cells, or padded with blanks."""
    arrays = saved(np.random.default_rng(8))
    cells = np.array([[np.array([name])] for name in NAMES], dtype=object) if dtype is object else None
    states = np.array([f"{name}    " for name in NAMES]) if cells is None else cells
    assert bmi3d.read({**arrays, "states": states}).states == ("px", "pz", "vx", "vz", "1")


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"Q": None}, {}, "missing: Q"),
        ({}, {"states": ["hand_px", "vx"]}, "2 names .* for 7 states"),
        ({}, {"states": [*NAMES[:6], "omega_1"]}, "omega_1: not a state of a cursor"),
        ({}, {"states": [*NAMES[:5], "vx", "offset"]}, "each state needs a name of its own"),
        ({}, {"axes": ("x",)}, "expected two different axes"),
        ({}, {"axes": ("x", "w")}, "no state vw"),
        ({}, {"length_unit": "inch"}, "must be one of m, cm, mm"),
        ({}, {"bin_s": 0.02}, "is the bin right"),
        ({"zscore": np.array(True)}, {}, "missing: mFR, sdFR"),
        ({"zscore": np.array(True), "mFR": np.ones(UNITS), "sdFR": np.zeros(UNITS)}, {}, r"sdFR\[0\] = 0"),
        ({"W": np.diag([0, 0, 0, 7.0, 7.0, 7.0, 1.0])}, {}, r"state 6 \(from 0\) should be the constant"),
        ({"A": np.eye(4)}, {}, "has 4 states, and the file does not name them"),
    ],
)
def test_what_cannot_be_read_is_refused(change, options, message):
    arrays = {**saved(np.random.default_rng(9)), **change}
    with pytest.raises(ArrayError, match=message):
        bmi3d.read({name: value for name, value in arrays.items() if value is not None}, **options)


def test_a_file_without_positions_has_to_be_given_its_bin():
    velocity = {
        name: value if name == "Q" else value[..., 3:] for name, value in saved(np.random.default_rng(1)).items()
    }
    velocity.update(A=velocity["A"][3:], W=velocity["W"][3:])
    with pytest.raises(ArrayError, match="give it with --bin-s"):
        bmi3d.read(velocity, ["vx", "vy", "vz", "offset"])


@pytest.mark.parametrize("n", [2, 3, 4, 5])
@pytest.mark.parametrize("unit", ["cm", "m"])
def test_the_way_back(n, unit):
    """A plain filter of the exported seven states decodes as ours; what was exported is read as it was."""
    draw = np.random.default_rng(10)
    ours = bmi3d.read(saved(draw)).arrays
    part = {2: [2, 3], 3: [2, 3, 4], 4: [0, 1, 2, 3], 5: [0, 1, 2, 3, 4]}[n]
    ours = {name: _part(value, part) if name != "Q" else value for name, value in ours.items()}
    exported = bmi3d.export(ours, 0.1, length_unit=unit)
    assert exported["states"].tolist() == list(NAMES)
    counts = draw.poisson(2.0, (300, UNITS))
    there = as_there(exported, counts)
    here = offline.decode("kalman", ours, counts)
    velocity = slice(0, 2) if n < 4 else slice(2, 4)
    scale = files.METRES[unit]
    np.testing.assert_allclose(there[:, [3, 5]] * scale, here[:, velocity], rtol=0, atol=1e-11)
    if n >= 4:
        np.testing.assert_allclose(there[:, [0, 2]] * scale, here[:, :2], rtol=0, atol=1e-11)
    assert not there[:, [1, 4]].any()
    again = bmi3d.read(exported, length_unit=unit).arrays
    if n == 5:
        for name, value in ours.items():
            np.testing.assert_allclose(again[name], value, rtol=1e-14, atol=0)
    rows = offline.decode("kalman", again, counts)
    np.testing.assert_allclose(rows[:, 2:4], here[:, velocity], rtol=0, atol=1e-11)


def _part(value, part):
    return value[part] if value.ndim == 1 else value[:, part] if len(value) == UNITS else value[np.ix_(part, part)]
