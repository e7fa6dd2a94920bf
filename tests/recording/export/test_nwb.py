"""NWB files, read by pynwb: what was recorded, in the layout that the module describes."""

from __future__ import annotations

import json
import resource

import numpy as np
import pytest

from decoderd.recording.export import nwb, nwb_trials, spikes, trials
from decoderd.recording.export.provenance import provenance
from decoderd.recording.export.reading import DayReader, days_of
from decoderd.recording.reader import open_session
from tests import protocols, running

pynwb = pytest.importorskip("pynwb", reason="pynwb is not installed (the nwb extra)")


def written(reader, path):
    """The file of a day, read as a whole."""
    about = provenance(reader.recorded, reader.day, "0" * 64)
    nwb.write(reader, path, about)
    io = pynwb.NWBHDF5IO(str(path), "r")
    return io.read(), about


@pytest.fixture(scope="module")
def second(run, tmp_path_factory):
    """(file of day 2, its provenance, its ticks, its reader)."""
    with open_session(run) as recorded:
        reader = DayReader(recorded, days_of(recorded)[1])
        file, about = written(reader, tmp_path_factory.mktemp("nwb") / "day.nwb")
        yield file, about, slice(reader.day.first_tick, reader.day.end_tick), reader


def test_samples_of_ticks(second):
    file, _, inside, reader = second
    ticks, behavior = reader.recorded.ticks(), file.processing["behavior"]
    for container, name, expected in (
        ("Position", "cursor_position", ticks["cursor"][:, :2]),
        ("Position", "goal_position", ticks["goal"]),
        ("velocity", "cursor_velocity", ticks["cursor"][:, 2:]),
        ("velocity", "decoded_velocity", ticks["decoded"]),
        ("velocity", "intended_velocity", ticks["intended"]),
    ):
        series = behavior[container][name]
        np.testing.assert_array_equal(series.data[:], expected[inside])
        assert (series.starting_time, series.rate) == (0.0, 100.0)
    np.testing.assert_array_equal(behavior["phase"].data[:], ticks["phase"][inside])
    late = np.concatenate([late for _, late, _ in reader.recorded.store.timing()])[inside]
    np.testing.assert_allclose(file.processing["misc"]["lateness"].data[:], late * 1e-9, rtol=1e-15)


def test_units_and_their_counts(second):
    file, _, inside, reader = second
    counts = reader.recorded.counts()[inside]
    assert len(file.units) == counts.shape[1]
    assert file.units.resolution == 0.01
    for unit in range(len(file.units)):
        times = file.units["spike_times"][unit]
        np.testing.assert_array_equal(times, spikes.placed(counts[:, [unit]], 0, 0.01)[0])
        np.testing.assert_array_equal(np.histogram(times, 0.01 * np.arange(len(counts) + 1))[0], counts[:, unit])
        np.testing.assert_allclose(file.units["obs_intervals"][unit], [[0, len(counts) * 0.01]])
    assert np.flatnonzero(file.units["is_readout"][:]).tolist() == sorted(reader.recorded.readouts)
    series = file.processing["ecephys"]["spike_counts"]
    per_bin = [part.sum(axis=0, dtype=int) for part in np.split(counts, np.arange(5, len(counts), 5))]
    np.testing.assert_array_equal(series.data[:], per_bin)
    assert (series.starting_time, series.rate) == (0.0, 20.0)


@pytest.mark.parametrize(
    ("numbers", "kind"), [([0, 1], "int8"), ([-1, 127], "int8"), ([0, 128], "int16"), ([-1, 2**15], "int32")]
)
def test_whole_numbers_of_trials_take_as_little_as_they_can(numbers, kind):
    """A column of 0 and 1 in more than a byte is taken for one of yes and no by inspectors."""
    found = nwb_trials._smallest(np.array(numbers))
    assert found.dtype == kind
    assert found.tolist() == numbers


def test_trials(second):
    file, _, _, reader = second
    found = trials.whole(reader)
    assert len(file.trials) == len(found["trial"]) > 1
    for name, column in (
        ("start_time", "start_s"),
        ("go_cue_time", "go_s"),
        ("stop_time", "stop_s"),
        ("target_x", "target_x_m"),
    ):
        np.testing.assert_array_equal(file.trials[name][:], found[column])
    assert list(file.trials["outcome"][:]) == found["outcome"]
    angle = np.arctan2(found["target_y_m"], found["target_x_m"])
    known = ~np.isnan(angle)
    read = np.deg2rad(file.trials["target_angle_deg"][:][known])
    np.testing.assert_allclose(np.exp(1j * read), np.exp(1j * angle[known]))


def test_provenance_and_messages(second):
    file, about, inside, reader = second
    assert json.loads(file.protocol) == about["protocol"]
    assert json.loads(file.notes) == {name: value for name, value in about.items() if name != "protocol"}
    assert file.session_id == "small-3-day-2"
    assert file.session_start_time.isoformat() == "2000-01-02T00:00:00+00:00"
    mine = [m for m in reader.recorded.messages("task") if inside.start <= m.tick < inside.stop]
    series = file.processing["misc"]["task"]
    assert [json.loads(text)["phase"] for text in series.data[:]] == [message.phase for message in mine]
    np.testing.assert_allclose(series.timestamps[:], [(message.tick - inside.start) * 0.01 for message in mine])
    assert "metrics" not in file.processing["misc"].data_interfaces


def test_events_that_come_regularly_have_a_rate(tmp_path):
    timed = {"kind": "timed_reach", "reach_s": 0.4, "hold_s": 0.1}
    running.record(
        tmp_path / "run", protocols.centre_out(task=timed), {3: [protocols.perturb("gain", "cursor", factor=0.5)]}
    )
    with open_session(tmp_path / "run") as recorded:
        file, _ = written(DayReader(recorded, days_of(recorded)[0]), tmp_path / "day.nwb")
        misc = file.processing["misc"]
        assert misc["trial"].timestamps is None
        assert (misc["trial"].starting_time, misc["trial"].rate) == (pytest.approx(0.39), pytest.approx(2.5))
        np.testing.assert_allclose(file.trials["stop_time"][:], [0.4, 0.8, 1.2, 1.6])
        assert json.loads(misc["perturbation"].data[0])["config"]["factor"] == 0.5
        assert json.loads(misc["inputs"].data[0])["op"] == "perturb"
        assert "lateness" not in misc.data_interfaces  # at full speed no tick has a deadline


def test_a_day_of_one_trial_has_no_table_and_few_bins_no_series(tmp_path):
    data = protocols.centre_out(schedule={"blocks": [{"trials": 1}]}, population={"kind": "tuned", "units": 100})
    running.record(tmp_path / "run", data)
    with open_session(tmp_path / "run") as recorded:
        file, _ = written(DayReader(recorded, days_of(recorded)[0]), tmp_path / "day.nwb")
        assert file.trials is None
        assert json.loads(file.processing["misc"]["trial"].data[0])["trial"] == 1
        assert "ecephys" not in file.processing
        assert len(file.units) == 100


def test_channels_beside_counts(tmp_path):
    data, at = protocols.of_every_kind(tmp_path)["bursting"]
    running.record(tmp_path / "run", data, at)
    with open_session(tmp_path / "run") as recorded:
        file, _ = written(DayReader(recorded, days_of(recorded)[1]), tmp_path / "day.nwb")
        first = recorded.messages("day")[1].tick + 1
        for channel in ("events", "bursts", "time_at_risk"):
            expected = recorded.counts(per_bin=True, channel=channel)
            begin = sum(1 for m in recorded.messages("counts") if m.channel == channel and m.tick < first)
            np.testing.assert_array_equal(file.processing["ecephys"][channel].data[:], expected[begin:])


def test_a_full_disk_is_an_error_and_not_the_end_of_the_process(reader, tmp_path):
    """HDF5 itself would crash when the process ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            written(reader, tmp_path / "day.nwb")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    file, _ = written(reader, tmp_path / "again.nwb")
    assert len(file.units) == 12
