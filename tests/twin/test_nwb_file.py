"""What both readers of NWB files share: opening them, and counting the spikes of their units."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from decoderd.errors import ArrayError
from decoderd.extras import MissingExtra
from decoderd.twin import nwb, nwb_file
from decoderd.twin.kinematics import nwb as kinematics_nwb

BIN_S = 0.05
READERS = [nwb.read, kinematics_nwb.read]


def test_a_spike_on_an_edge_belongs_to_the_bin_that_begins_there() -> None:
    times = np.array([0.0, 0.25, 0.25, 0.75, 1.0])
    np.testing.assert_array_equal(nwb_file.counted(times, np.array([0.25, 0.5, 0.75, 1.0])), [2, 0, 1])


@pytest.mark.parametrize("read", READERS)
def test_a_file_that_is_none_is_refused(read, tmp_path: Path) -> None:
    pytest.importorskip("pynwb", reason="pynwb is not installed (the nwb extra)")
    (tmp_path / "text.nwb").write_text("not HDF5")
    for name, message in (("text.nwb", "not a readable .nwb"), ("gone.nwb", "no such file")):
        with pytest.raises(ArrayError, match=message):
            read(tmp_path / name, BIN_S)


@pytest.mark.parametrize("read", READERS)
def test_without_pynwb_the_error_says_what_to_install(read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynwb", None)
    with pytest.raises(MissingExtra, match=r"needs pynwb, which is not installed: pip install 'decoderd\[nwb\]'"):
        read(tmp_path / "r.nwb", BIN_S)


def test_spike_times_that_are_not_ascending_are_refused():
    with pytest.raises(ArrayError, match=r"spike_times of unit 4: spike 2 at 0\.5 s comes after one at 1 s"):
        nwb_file.spike_times(4, np.array([0.0, 1.0, 0.5, 2.0]))
    assert nwb_file.spike_times(0, np.array([])).shape == (0,)


@pytest.mark.parametrize(
    ("times", "said"), [([1e3, 9e6], "are spike times in"), ([1.0, 1.001], "are times of trials in")]
)
def test_spikes_and_trials_of_other_clocks_are_refused(times, said):
    with pytest.raises(ArrayError, match=said):
        nwb_file.check_together(np.ones((5, 1), dtype=np.int64), [np.array(times)], "trials", 0.0, 4000.0)
    with pytest.raises(ArrayError, match="no unit has a spike"):
        nwb_file.check_together(np.zeros((5, 1), dtype=np.int64), [np.empty(0)], "trials", 0.0, 4000.0)
