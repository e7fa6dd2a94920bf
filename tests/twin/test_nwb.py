"""Recordings in NWB files: counts against a plain computation, and files that lack what is needed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from decoderd.errors import ArrayError
from decoderd.twin import fit, nwb

BIN_S = 0.05
ANGLES = np.arange(0.0, 360.0, 45.0)


def spike_trains(units: int, seconds: float, rng: np.random.Generator) -> list[Any]:
    """Spike times of Poisson units at 20 to 80 Hz."""
    return [np.sort(rng.uniform(0, seconds, rng.poisson(rate * seconds))) for rate in rng.uniform(20, 80, units)]


def written(path: Path, spikes: list[Any] | None, columns: dict[str, list[Any]] | None) -> Path:
    """An NWB file with these units and trials; `columns` holds start_time, stop_time and more."""
    pynwb = pytest.importorskip("pynwb", reason="pynwb is not installed (the nwb extra)")
    file = pynwb.NWBFile(
        session_description="made", identifier="made", session_start_time=datetime(2026, 1, 1, tzinfo=UTC)
    )
    for times in spikes or []:
        file.add_unit(spike_times=times)
    if columns is not None:
        for name in columns.keys() - {"start_time", "stop_time"}:
            file.add_trial_column(name=name, description=name)
        for values in zip(*columns.values(), strict=True):
            file.add_trial(**dict(zip(columns, values, strict=True)))
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)
    return path


def trials(angles: list[float]) -> dict[str, list[Any]]:
    """One trial of 1.03 s (20 bins and a rest) every 1.5 s for each angle."""
    start = 0.2 + 1.5 * np.arange(len(angles))
    return {"start_time": list(start), "stop_time": list(start + 1.03), "target_angle_deg": angles}


def test_counts_are_those_of_a_plain_count(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    table = trials([90.0, 0.0, 270.0, 0.0])
    spikes = spike_trains(5, 7.0, rng)
    read, _ = nwb.read(written(tmp_path / "r.nwb", spikes, table), BIN_S)
    plain = [
        [sum(1 for t in times if start + BIN_S * k <= t < start + BIN_S * (k + 1)) for times in spikes]
        for start in table["start_time"]
        for k in range(20)
    ]
    np.testing.assert_array_equal(read["counts"], plain)
    np.testing.assert_array_equal(read["target"], np.repeat([1, 0, 2, 0], 20))
    np.testing.assert_array_equal(read["target_angle_deg"], [0, 90, 270])
    assert read["bin_s"] == BIN_S


def test_a_trial_of_exactly_n_bins_has_n() -> None:
    table = {
        "start_time": np.array([0.0, 1.1]),
        "stop_time": np.array([0.3, 1.1 + 0.149]),
        "target_angle_deg": np.array([0.0, 90.0]),
    }
    read, _ = nwb.recording(nwb.Tables([np.array([0.29])], table, [], np.empty((0, 2))), 0.1)
    np.testing.assert_array_equal(read["counts"], [[0], [0], [1], [0]])


def test_target_dir_is_in_radians_and_labels_order_the_targets(tmp_path: Path) -> None:
    table = trials([180.0, 0.0, 180.0])
    table["target_dir"] = [float(np.deg2rad(a)) for a in table.pop("target_angle_deg")]
    table["target"] = [3, 7, 3]
    path = written(tmp_path / "r.nwb", spike_trains(2, 5.0, np.random.default_rng(2)), table)
    read, _ = nwb.read(path, BIN_S)
    np.testing.assert_allclose(read["target_angle_deg"], [180, 0])
    np.testing.assert_array_equal(read["target"], np.repeat([0, 1, 0], 20))


def test_trials_without_a_direction_are_left_out(tmp_path: Path) -> None:
    spikes = spike_trains(2, 5.0, np.random.default_rng(3))
    read, warnings = nwb.read(written(tmp_path / "r.nwb", spikes, trials([45.0, float("nan"), 90.0])), BIN_S)
    table = {name: np.array(values)[[0, 2]] for name, values in trials([45.0, 0.0, 90.0]).items()}
    kept, _ = nwb.recording(nwb.Tables(spikes, table, [], np.empty((0, 2))), BIN_S)
    assert [(w.field, w.message) for w in warnings] == [
        ("target_angle_deg", "left out 1 of 3 trials (1): no direction")
    ]
    for name in kept:
        np.testing.assert_array_equal(read[name], kept[name])


@pytest.mark.parametrize(
    ("spikes", "columns", "message"),
    [
        (None, trials([0.0]), "has no units"),
        ([[0.1]], None, "has no trials table"),
        (
            [[0.1]],
            {"start_time": [0.0], "stop_time": [1.0]},
            "have no column with a direction or a target: .*; the columns",
        ),
        ([[0.1]], trials([float("nan")]), "no trial has a direction"),
        ([[0.1]], {**trials([0.0, 90.0]), "target": [1, 1]}, "target: 1 lies at 0 degrees in one trial and at 90"),
        (
            [[0.1]],
            {**trials([0.0]), "stop_time": [0.21]},
            "none is left: .*shorter than a bin of 0.05 s",
        ),
        (
            [[0.1]],
            {**trials([0.0]), "stop_time": [float("nan")]},
            "none is left: .*no stop_time",
        ),
    ],
)
def test_a_file_that_lacks_something_is_refused(spikes: Any, columns: Any, message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "r.nwb", spikes, columns)
    with pytest.raises(ArrayError, match=message) as raised:
        nwb.read(path, BIN_S)
    assert str(path) in str(raised.value)


def test_fit_reads_nwb(tmp_path: Path) -> None:
    """Tuned units, 8 targets, 4 trials each: the fitted files are made of the counts in the bins asked for."""
    rng = np.random.default_rng(4)
    table = trials([float(a) for a in np.tile(ANGLES, 4)])
    preferred = rng.uniform(0, 2 * np.pi, 30)
    spikes: list[Any] = [[] for _ in preferred]
    for start, stop, angle in zip(*table.values(), strict=True):
        for unit, rate in enumerate(60 + 40 * np.cos(np.deg2rad(angle) - preferred)):
            spikes[unit].extend(np.sort(rng.uniform(start, stop, rng.poisson(rate * (stop - start)))))
    summary = fit.fit(written(tmp_path / "r.nwb", spikes, table), tmp_path / "out", factors=2, bin_s=BIN_S)
    assert (summary.bins, summary.units, summary.latents) == (4 * 8 * 20, 30, 2)
    assert summary.tuning_correlation > 0.95
    assert (summary.progress_m > 0).all()


def test_reaches_begin_with_the_go_cue_where_there_is_one() -> None:
    """Trials 0.4 s before the go cue: the same counts as of trials that begin with it."""
    spikes = spike_trains(3, 7.0, np.random.default_rng(6))
    table = {name: np.array(values) for name, values in trials([90.0, 0.0, 270.0, 0.0]).items()}
    early = {**table, "start_time": table["start_time"] - 0.1, "go_cue_time": table["start_time"]}
    (found, _), (plain, _) = (nwb.recording(nwb.Tables(spikes, t, [], np.empty((0, 2))), BIN_S) for t in (early, table))
    for name in plain:
        np.testing.assert_array_equal(found[name], plain[name])
    early["go_cue_time"] = np.where(np.arange(4) == 1, np.nan, early["go_cue_time"])
    _, warnings = nwb.recording(nwb.Tables(spikes, early, [], np.empty((0, 2))), BIN_S)
    assert [w.message for w in warnings] == ["left out 1 of 4 trials (1): no go_cue_time"]


def test_negative_labels_of_targets_are_none() -> None:
    table = {name: np.array(values) for name, values in trials([90.0, 0.0, 270.0, 0.0]).items()}
    spikes = spike_trains(3, 7.0, np.random.default_rng(7))
    table["target"] = np.full(4, -1)
    read, _ = nwb.recording(nwb.Tables(spikes, table, [], np.empty((0, 2))), BIN_S)
    np.testing.assert_array_equal(read["target_angle_deg"], [0, 90, 270])
