"""NWB files as people have them: units of angles, targets as positions, trial times, and time without recording."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from decoderd.arrays import load_npz
from decoderd.errors import ArrayError, ProtocolError
from decoderd.twin import fit
from decoderd.twin.recording import check, read_arrays
from tests.field.recordings import BIN_S, Session, assert_same_twin


def read(session, tmp_path, direction=None):
    """The checked recording, and all warnings."""
    arrays, doubts = read_arrays(session.write(tmp_path / "recording.nwb"), BIN_S, direction)
    checked = check(arrays)
    return checked, (*doubts, *checked.warnings)


def assert_read_as(session, other, tmp_path, direction=None):
    """Both files hold the same counts and directions."""
    found, warnings = read(session, tmp_path, direction)
    expected, _ = read(other, tmp_path)
    np.testing.assert_array_equal(found.counts, expected.counts)
    np.testing.assert_allclose(found.direction, expected.direction, atol=1e-12)
    return warnings


def test_degrees_in_target_dir_are_refused_and_radians_are_not(tmp_path):
    session = Session()
    session.columns = {"target_dir": session.angle_deg}
    with pytest.raises(ArrayError, match="are these degrees") as refused:
        read(session, tmp_path)
    assert refused.value.field == "target_dir"
    assert len(assert_read_as(session, Session(), tmp_path, "target_dir")) == 1
    session.columns = {"target_dir": np.deg2rad(session.angle_deg)}
    assert assert_read_as(session, Session(), tmp_path) == ()


def test_radians_in_target_angle_deg_are_asked_about(tmp_path):
    session = Session()
    session.columns = {"target_angle_deg": np.deg2rad(session.angle_deg)}
    with pytest.raises(ArrayError, match="are these radians"):
        read(session, tmp_path)


@pytest.mark.parametrize("names", ["target_pos", "target_x,target_y", "goal", "gx,gy"])
def test_targets_as_positions(tmp_path, names):
    session = Session()
    angle = np.deg2rad(session.angle_deg)
    place = 8 * np.column_stack([np.cos(angle), np.sin(angle)])
    two = names.split(",")
    session.columns = dict(zip(two, place.T, strict=True)) if len(two) == 2 else {names: place}
    named = None if names.startswith("target") else names
    assert assert_read_as(session, Session(), tmp_path, named) == ()


def test_an_npz_file_has_no_columns_to_name(tmp_path):
    np.savez(tmp_path / "r.npz", counts=np.ones((3, 2)))
    with pytest.raises(ProtocolError, match="direction names a column"):
        fit.fit(tmp_path / "r.npz", tmp_path / "twin", direction="goal")


def test_spikes_that_are_not_ascending_are_refused(tmp_path):
    session = Session()
    session.spikes[3] = np.roll(session.spikes[3], 5)
    with pytest.raises(ArrayError, match="spike_times of unit 3: spike 5 at") as refused:
        read(session, tmp_path)
    assert refused.value.field == "spike_times"


@pytest.mark.parametrize(("earlier", "refused"), [(0.5, True), (0.4, False), (0.4 + 1e-6, False)])
def test_trials_that_overlap_are_refused(tmp_path, earlier, refused):
    """Trial 8 begins 0.4 s after trial 7 ends; the order of the table does not matter."""
    session = Session()
    session.start[8] -= earlier
    for name in ("start", "stop"):
        getattr(session, name)[[2, 30]] = getattr(session, name)[[30, 2]]
    session.angle_deg[[2, 30]] = session.angle_deg[[30, 2]]
    if not refused:
        read(session, tmp_path)
        return
    with pytest.raises(ArrayError, match="trials 7 and 8 overlap"):
        read(session, tmp_path)


def test_trials_without_an_end_or_of_a_negative_length_are_left_out_and_said(tmp_path):
    session = Session()
    session.stop[[5, 39]] = np.nan
    session.stop[[4, 20]] = session.start[[4, 20]] - 0.3
    session.stop[7] = session.start[7] + 0.01
    session.columns["target_angle_deg"] = np.where(np.arange(40) == 9, np.nan, session.angle_deg)
    found, warnings = read(session, tmp_path)
    assert len(found.counts) == (40 - 6) * 12
    assert [w.message for w in warnings] == [
        "left out 1 of 40 trials (9): no direction",
        "left out 2 of 40 trials (5, 39): no stop_time",
        "left out 2 of 40 trials (4, 20): stop_time is before start_time",
        "left out 1 of 40 trials (7): shorter than a bin of 0.05 s",
    ]


def halves(session, units):
    """The units are observed until the middle of the session only, and have no spikes after it."""
    middle = session.start[20] - 0.1
    session.observed = [np.array([[0.0, session.end_s]]) for _ in session.spikes]
    for unit in units:
        session.observed[unit] = np.array([[0.0, middle]])
        session.spikes[unit] = session.spikes[unit][session.spikes[unit] < middle]
    return middle


def test_time_outside_obs_intervals_is_left_out_and_said(tmp_path):
    session = Session()
    halves(session, range(4))
    made = session.fit(tmp_path)
    assert made.bins == 20 * 12
    assert [w.field for w in made.warnings] == ["obs_intervals", "counts"]
    whole = Session()
    for name in ("start", "stop"):
        setattr(whole, name, getattr(whole, name)[:20])
    whole.columns = {"target_angle_deg": whole.angle_deg[:20]}
    baseline = [load_npz(m.population)["baseline"] for m in (made, whole.fit(tmp_path / "whole"))]
    np.testing.assert_array_equal(*baseline)


def test_units_observed_in_little_of_the_time_are_left_out_in_place_of_it(tmp_path):
    session = Session()
    halves(session, range(4))
    for unit in range(4):
        session.observed[unit] = np.array([[0.0, session.start[10] - 0.1]])
    made = session.fit(tmp_path)
    assert made.bins == 40 * 12
    assert not load_npz(made.decoder)["fa_loadings"][:4].any()
    assert [w.field for w in made.warnings] == ["obs_intervals", "counts"]
    assert "0-3" in made.warnings[1].message


def test_invalid_times_are_left_out_and_said(tmp_path):
    session = Session()
    session.invalid = [(session.start[3] + 0.12, session.start[6] - 0.05)]
    found, warnings = read(session, tmp_path)
    assert len(found.counts) == 40 * 12 - 10 - 2 * 12
    assert [w.field for w in warnings] == ["invalid_times", "counts"]


def test_trials_after_the_end_of_the_recording_are_left_out_and_said(tmp_path):
    session = Session()
    session.spikes = [times[times < session.start[30] - 0.1] for times in session.spikes]
    found, warnings = read(session, tmp_path)
    assert len(found.counts) == 30 * 12
    assert [w.field for w in warnings] == ["spike_times", "counts"]


@pytest.mark.parametrize(("factor", "what"), [(1000, "spike times"), (30000, "spike times"), (1e-3, "times of trials")])
def test_times_in_other_units_are_named(tmp_path, factor, what):
    session = Session()
    session.spikes = [times * factor for times in session.spikes]
    with pytest.raises(ArrayError, match=f"falls in the trials.*are {what} in milliseconds") as refused:
        read(session, tmp_path)
    assert refused.value.field == "spike_times"


@pytest.mark.parametrize("name", ["recording.NWB", "recording.h5", "recording"])
def test_a_file_is_nwb_by_its_content_and_capitals_are_no_matter(tmp_path, name):
    session = Session()
    plain = session.fit(tmp_path / "a")
    shutil.copy(tmp_path / "a" / "recording.nwb", tmp_path / name)
    assert_same_twin(plain, fit.fit(tmp_path / name, tmp_path / "twin", factors=4, bin_s=BIN_S))


def test_a_whole_file_gives_no_warning(tmp_path):
    session = Session()
    session.observed = [np.array([[0.0, session.end_s]])] * len(session.spikes)
    session.invalid = [(session.end_s, session.end_s + 5)]
    assert read(session, tmp_path)[1] == ()
