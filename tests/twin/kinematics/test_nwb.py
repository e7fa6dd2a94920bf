"""NWB files with kinematics: counts and means against plain ones, units, gaps, and which series is taken."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from decoderd.errors import ArrayError
from decoderd.twin.kinematics import nwb

BIN_S = 0.05


def written(path, spikes=(), series=(), observed=None, invalid=()):
    """An NWB file; `series` are (class, fields) put into the processing module of behaviour."""
    pynwb = pytest.importorskip("pynwb", reason="pynwb is not installed (the nwb extra)")
    file = pynwb.NWBFile(
        session_description="made", identifier="made", session_start_time=datetime(2026, 1, 1, tzinfo=UTC)
    )
    for unit, times in enumerate(spikes):
        file.add_unit(spike_times=times, **({} if observed is None else {"obs_intervals": observed[unit]}))
    module = file.create_processing_module("behavior", "movements")
    for kind, fields in series:
        if kind == "SpatialSeries":
            made = pynwb.behavior.SpatialSeries(reference_frame="the screen", **fields)
            module.add(pynwb.behavior.Position(name=f"of {fields['name']}", spatial_series=made))
        else:
            module.add(pynwb.TimeSeries(**fields))
    for start, stop in invalid:
        file.add_invalid_time_interval(start_time=start, stop_time=stop)
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)
    return path


def velocity(samples=200, rate=100.0, name="velocity", **fields):
    """Velocities in m/s from 1 s on."""
    values = np.random.default_rng(3).normal(0, 0.1, (samples, 2))
    return {"name": name, "data": values, "unit": "m/s", "starting_time": 1.0, "rate": rate, **fields}


def trains(units=3, seconds=4.0):
    rng = np.random.default_rng(1)
    return [np.sort(rng.uniform(0, seconds, 200)) for _ in range(units)]


def test_counts_and_means_are_those_of_plain_loops(tmp_path):
    spikes, given = trains(), velocity()
    read, _ = nwb.read(written(tmp_path / "r.nwb", spikes, [("TimeSeries", given)]), BIN_S)
    assert read["counts"].shape == (40, 3)
    for k in range(40):
        start, stop = 1.0 + BIN_S * k, 1.0 + BIN_S * (k + 1)
        assert read["counts"][k].tolist() == [sum(start <= t < stop for t in times) for times in spikes]
        np.testing.assert_allclose(read["cursor_velocity"][k], given["data"][5 * k : 5 * k + 5].mean(axis=0))
    assert "cursor_position" not in read


def test_values_are_converted_to_metres(tmp_path):
    raw = np.random.default_rng(4).integers(0, 1000, (200, 2))
    times = 1.0 + 0.01 * np.arange(200) ** 1.0
    position = {"name": "hand", "data": raw, "unit": "cm", "conversion": 0.02, "offset": 3.0, "timestamps": times}
    moving = velocity(unit="millimeters per second")
    path = written(tmp_path / "r.nwb", trains(), [("SpatialSeries", position), ("TimeSeries", moving)])
    read, _ = nwb.read(path, BIN_S)
    expected = 0.01 * (0.02 * raw + 3.0).reshape(40, 5, 2).mean(axis=1)
    np.testing.assert_allclose(read["cursor_position"], expected, rtol=1e-12)
    np.testing.assert_allclose(read["cursor_velocity"], 1e-3 * moving["data"].reshape(40, 5, 2).mean(axis=1))


@pytest.mark.parametrize("factor", [1000.0, 30000.0])
def test_spike_times_in_other_units_are_refused(tmp_path, factor):
    spikes = [factor * times for times in trains()]
    with pytest.raises(ArrayError, match=r"falls in the kinematics.*are spike times in milliseconds or samples"):
        nwb.read(written(tmp_path / "r.nwb", spikes, [("TimeSeries", velocity())]), BIN_S)


def test_spike_times_that_are_not_ascending_are_refused(tmp_path):
    spikes = trains()
    spikes[1] = spikes[1][::-1]
    with pytest.raises(ArrayError, match="spike_times of unit 1: spike 1 at"):
        nwb.read(written(tmp_path / "r.nwb", spikes, [("TimeSeries", velocity())]), BIN_S)


def test_what_was_not_observed_is_missing(tmp_path):
    observed = [[[0.0, 2.01]], [[0.0, 1.5], [2.5, 4.0]], [[0.0, 4.0]]]
    given = velocity()
    given["data"][50:60] = np.nan
    path = written(tmp_path / "r.nwb", trains(), [("TimeSeries", given)], observed, [(2.9, 3.0)])
    read, doubts = nwb.read(path, BIN_S)
    assert [doubt.field for doubt in doubts] == ["obs_intervals", "invalid_times"]
    missing = np.isnan(read["counts"])
    bins = np.arange(40)
    np.testing.assert_array_equal(missing[:, 0], bins >= 20)  # the bin that ends at 2.05 s was seen in part
    np.testing.assert_array_equal(missing[:, 1], ((bins >= 10) & (bins < 30)) | (bins >= 38))
    np.testing.assert_array_equal(missing[:, 2], bins >= 38)
    assert np.flatnonzero(np.isnan(read["cursor_velocity"]).any(axis=1)).tolist() == [10, 11]


def test_binned_counts_bring_their_bins(tmp_path):
    counts = np.random.default_rng(5).poisson(2, (50, 4))
    binned = {"name": "spike_counts", "data": counts, "unit": "spikes", "starting_time": 1.5, "rate": 25.0}
    given = velocity()
    series = [("TimeSeries", binned), ("TimeSeries", given)]
    read, _ = nwb.read(written(tmp_path / "r.nwb", (), series, invalid=[(1.51, 1.53)]), 0.5)
    np.testing.assert_array_equal(read["counts"][1:], counts[1:])
    assert np.isnan(read["counts"][0]).all()
    assert read["bin_s"] == 0.04
    expected = given["data"][50:].reshape(-1, 2)[: 36 * 4].reshape(36, 4, 2).mean(axis=1)
    np.testing.assert_allclose(read["cursor_velocity"][:36], expected)
    assert np.isnan(read["cursor_velocity"][38:]).all()  # the series ends


def test_one_of_several_series_is_chosen_by_name(tmp_path):
    series = [("TimeSeries", velocity(name=name)) for name in ("hand_vel", "cursor_vel")]
    series[1][1]["data"] = 2 * series[1][1]["data"]
    path = written(tmp_path / "r.nwb", trains(), series)
    with pytest.raises(ArrayError, match="2 series of velocity: choose one with --series NAME: cursor_vel, hand_vel"):
        nwb.read(path, BIN_S)
    chosen = [nwb.read(path, BIN_S, [name])[0]["cursor_velocity"] for name in ("hand_vel", "cursor_vel")]
    np.testing.assert_allclose(chosen[1], 2 * chosen[0])
    with pytest.raises(ArrayError, match=r"no series 'foot'; there are: .*hand_vel"):
        nwb.read(path, BIN_S, ["foot"])


@pytest.mark.parametrize(
    ("spikes", "series", "message"),
    [
        (True, [("TimeSeries", velocity(unit="pixels"))], r"no series of positions or velocities.*velocity \(pixels\)"),
        (True, [], "there are: none of 2 or 3 columns"),
        (False, [("TimeSeries", velocity())], "neither units with spike_times nor a TimeSeries of binned counts"),
        (True, [("TimeSeries", velocity(rate=4.0))], "no sample, one every 0.25 s; take longer bins"),
    ],
)
def test_what_is_refused(tmp_path, spikes, series, message):
    path = written(tmp_path / "r.nwb", trains() if spikes else (), series)
    with pytest.raises(ArrayError, match=message):
        nwb.read(path, BIN_S)
