"""The .npz file of a day: every array to the bit, and the same arrays for `decoderd fit` as from the .nwb file."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from decoderd.recording.export import npz, nwb, reading
from decoderd.recording.export.provenance import provenance
from decoderd.recording.export.reading import DayReader, days_of
from decoderd.recording.export.tables import all_but_counts
from decoderd.recording.reader import open_session
from decoderd.twin import recording
from decoderd.twin.kinematics import fit as kinematics_fit
from tests import protocols, running


def test_every_array_comes_back_to_the_bit(reader, recorded, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "BATCH", 40)
    about = provenance(recorded, reader.day, "0" * 64)
    npz.write(reader, tmp_path / "day.npz", about)
    assert zipfile.ZipFile(tmp_path / "day.npz").testzip() is None
    with np.load(tmp_path / "day.npz") as found:
        assert json.loads(str(found["provenance"])) == about
        inside = slice(reader.day.first_tick, reader.day.end_tick)
        np.testing.assert_array_equal(found["ticks.counts"], recorded.counts()[inside])
        assert found["counts"].sum() == recorded.counts()[inside].sum(dtype=int)
        for table in all_but_counts(reader):
            batches = list(table.batches())
            for column in table.columns:
                parts = [batch[column.name] for batch in batches]
                read = found[f"{table.name}.{column.name}"]
                if column.kind == "text":
                    assert read.tolist() == [text for part in parts for text in part]
                else:
                    np.testing.assert_array_equal(read, np.concatenate(parts))
                    assert read.dtype == parts[0].dtype


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """One session, which ends within a bin, as .npz and as .nwb."""
    pytest.importorskip("pynwb", reason="pynwb is not installed (the nwb extra)")
    folder = tmp_path_factory.mktemp("both")
    running.record(folder / "run", protocols.centre_out(schedule={"blocks": [{"trials": 12, "duration_s": 20.03}]}))
    with open_session(folder / "run") as recorded:
        reader = DayReader(recorded, days_of(recorded)[0])
        about = provenance(recorded, reader.day, "0" * 64)
        npz.write(reader, folder / "day.npz", about)
        nwb.write(reader, folder / "day.nwb", about)
    return folder / "day.npz", folder / "day.nwb"


def test_fit_to_targets_reads_the_same_of_both(exported):
    (of_npz, _), (of_nwb, doubts) = (recording.read_arrays(path) for path in exported)
    for name in ("counts", "target", "target_angle_deg", "bin_s"):
        np.testing.assert_array_equal(of_nwb[name], of_npz[name])
    checked, other = recording.check(of_npz, "m"), recording.check(of_nwb, "m")
    np.testing.assert_array_equal(checked.direction, other.direction)
    assert len(checked.counts) > 100
    assert all("shorter than a bin" in doubt.message or "no direction" in doubt.message for doubt in doubts)


def test_fit_to_kinematics_reads_the_same_of_both(exported):
    (of_npz, _, _), (of_nwb, doubts, unit) = (kinematics_fit.read(path, None, "mm", ()) for path in exported)
    for name in ("counts", "cursor_position", "cursor_velocity", "bin_s"):
        np.testing.assert_array_equal(of_nwb[name], of_npz[name])
    assert (str(of_npz["length_unit"]), unit, doubts) == ("m", "m", ())


def test_another_bin_is_counted_from_the_spikes(exported):
    _, path = exported
    found, _ = recording.read_arrays(path, 0.02)
    assert found["bin_s"] == 0.02
    assert (found["target"] >= 0).all()
