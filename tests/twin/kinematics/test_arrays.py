"""Recordings with kinematics: what is converted, left out, doubted and refused."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.errors import ArrayError, ProtocolError
from decoderd.twin.kinematics import arrays
from tests.twin.kinematics.simulated import recorded, truth


@pytest.fixture(scope="module")
def whole():
    return recorded(truth(units=10), 400)


def test_lengths_are_converted(whole):
    in_cm = {**whole, "cursor_velocity": 100 * whole["cursor_velocity"]}
    found, doubts = arrays.check(in_cm, "velocity", "cm")
    np.testing.assert_allclose(found.velocity, whole["cursor_velocity"], rtol=1e-12)
    assert found.position is None
    assert doubts == []


def test_velocities_follow_from_positions_within_a_trial(whole):
    position = np.cumsum(whole["cursor_velocity"], axis=0) * 0.05
    trial = np.arange(400) // 100
    given = {"counts": whole["counts"], "bin_s": whole["bin_s"], "cursor_position": position, "trial": trial}
    found, doubts = arrays.check(given, "position", "m")
    first = np.arange(0, 400, 100)
    assert np.isnan(found.velocity[first]).all()
    others = np.setdiff1d(np.arange(400), first)
    np.testing.assert_allclose(found.velocity[others], whole["cursor_velocity"][others], atol=1e-12)
    np.testing.assert_array_equal(found.centre_m, np.median(position, axis=0))
    np.testing.assert_allclose(found.position, position - found.centre_m)
    assert [doubt.message for doubt in doubts] == [
        "cursor_velocity: 4 of 400 bins have no kinematics: they are left out of the fit"
    ]


def test_bins_that_miss_something_are_left_out_and_counted(whole):
    counts, velocity = whole["counts"].astype(float), whole["cursor_velocity"].copy()
    trial = np.ones(400)
    counts[10:13, 2], velocity[20:25], trial[30:37] = np.nan, np.nan, np.nan
    velocity[11] = np.nan  # a bin is counted once
    found, doubts = arrays.check(
        {**whole, "counts": counts, "cursor_velocity": velocity, "trial": trial}, "velocity", "m"
    )
    assert arrays.usable(found).sum() == 400 - 3 - 5 - 7
    assert [doubt.message.split(":")[1] for doubt in doubts] == [
        " 7 of 400 bins are not of any trial",
        " 6 of 400 bins have no kinematics",
        " 2 of 400 bins have units without a count",
    ]


def test_kinematics_in_three_dimensions_need_two_axes(whole):
    velocity = np.column_stack([whole["cursor_velocity"], np.arange(400) * 1e-4])
    given = {**whole, "cursor_velocity": velocity}
    with pytest.raises(ArrayError, match="--axes x,y"):
        arrays.check(given, "velocity", "m")
    found, _ = arrays.check(given, "velocity", "m", "y,z")
    np.testing.assert_array_equal(found.velocity, velocity[:, 1:])
    with pytest.raises(ProtocolError, match="expected two of x, y, z"):
        arrays.check(given, "velocity", "m", "x,x")
    with pytest.raises(ProtocolError, match="expected two of x, y,"):
        arrays.check(whole, "velocity", "m", "x,z")


def test_a_wrong_unit_of_length_is_refused_with_the_speed(whole):
    with pytest.raises(ArrayError, match=r"the fastest bins have 0.000\S+ m/s.*--length-unit"):
        arrays.check(whole, "velocity", "mm")
    with pytest.raises(ProtocolError, match="length_unit = 'inch': must be one of"):
        arrays.check(whole, "velocity", "inch")


def test_an_unusual_speed_is_doubted(whole):
    for factor, doubted in ((0.1, True), (1.0, False), (20.0, True)):
        given = {**whole, "cursor_velocity": factor * whole["cursor_velocity"]}
        _, doubts = arrays.check(given, "velocity", "m")
        assert ["0.05 to 2 m/s are usual" in one.message for one in doubts] == [True] * doubted


def test_positions_in_another_unit_than_velocities_are_doubted(whole):
    position = 100 * np.cumsum(whole["cursor_velocity"], axis=0) * 0.05
    _, doubts = arrays.check({**whole, "cursor_position": position}, "velocity", "m")
    assert "0.01 times as large as the changes of cursor_position" in doubts[0].message
    _, doubts = arrays.check({**whole, "cursor_position": position / 100}, "velocity", "m")
    assert doubts == []


def test_silent_units_and_copies_are_named_together(whole):
    counts = whole["counts"].copy()
    counts[:, [1, 6]], counts[:, 8] = 0, counts[:, 3]
    _, doubts = arrays.check({**whole, "counts": counts}, "velocity", "m")
    assert [doubt.field for doubt in doubts] == ["counts", "counts"]
    assert "units 1, 6 have the same count" in doubts[0].message
    assert "units 3, 8 have the same counts: they are copies" in doubts[1].message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cursor_velocity": np.zeros((2, 400))}, r"shape \(2, 400\), expected 400 x 2 .*transposed"),
        ({"cursor_velocity": np.zeros((399, 2))}, "expected 400 x 2"),
        ({"counts": np.full((400, 3), 0.5)}, r"counts\[0, 0\] = 0.5: must be whole numbers"),
        ({"bin_s": 0.0}, "bin_s = 0.0: must be above 0"),
        ({"trial": np.zeros(3)}, r"trial: has shape \(3,\)"),
        ({"counts": np.full((400, 3), np.nan)}, "0 of 400 bins have counts and kinematics"),
    ],
)
def test_what_is_refused(whole, change, message):
    with pytest.raises(ArrayError, match=message):
        arrays.check({**whole, **change}, "velocity", "m")


def test_what_matlab_saves_is_read(whole):
    given = {**whole, "bin_s": np.array([[0.05]]), "trial": np.ones((400, 1)), "length_unit": np.array("cm")}
    found, _ = arrays.check({**given, "cursor_velocity": 100 * whole["cursor_velocity"]}, "velocity", "mm")
    np.testing.assert_allclose(found.velocity, whole["cursor_velocity"], rtol=1e-12)
    assert found.bin_s == 0.05
    with pytest.raises(ArrayError, match="expected bins x units; is it transposed"):
        arrays.check({**whole, "counts": whole["counts"].T}, "velocity", "m")


def test_rates_are_no_counts(whole):
    with pytest.raises(ArrayError, match="multiples of 1 / bin_s = 20: these look like rates"):
        arrays.check({**whole, "counts": whole["counts"] / 0.05}, "velocity", "m")


def test_positions_cannot_be_decoded_without_positions(whole):
    with pytest.raises(ArrayError, match="--kinematics position needs the array cursor_position"):
        arrays.check(whole, "position", "m")


def test_runs_end_at_gaps_and_trials():
    member = np.array([1, 1, 0, 1, 1, 1], dtype=bool)
    run = arrays.runs(member, np.array([0, 0, 0, 0, 1, 1]))
    assert [len(set(run[pair])) for pair in ([0, 1], [1, 3], [3, 4], [4, 5])] == [1, 2, 2, 1]


def test_a_hundredth_of_the_bins_is_faster_than_the_fast_speed():
    velocity = np.column_stack([np.linspace(0, 0.2, 1001), np.zeros(1001)])
    assert arrays.fast_speed(velocity) == pytest.approx(0.198)
