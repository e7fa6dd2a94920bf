"""Which days are written where, and what is refused before anything is written."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys

import pytest

from decoderd.errors import ProtocolError, StoreError
from decoderd.extras import MissingExtra
from decoderd.recording import session_file
from decoderd.recording.export.exporting import export
from decoderd.recording.export.formats import FORMATS, Format, Needs
from tests import protocols
from tests.running import contents


@pytest.fixture
def plain(monkeypatch):
    """A format that is quick: a file of the day's number."""

    def write(reader, path, about):
        path.write_text(str(about["day"]))

    monkeypatch.setitem(FORMATS, "plain", Format(write, ".txt"))


def test_a_file_for_each_day(run, tmp_path, plain):
    done = []
    written = export([run], "plain", tmp_path / "out", on_progress=lambda *of: done.append(of))
    assert contents(tmp_path / "out") == {f"small-day-00{day}.txt": str(day).encode() for day in (1, 2, 3)}
    assert [(one.path.name, one.session, one.day) for one in written] == [
        (f"small-day-00{day}.txt", "small-3", day) for day in (1, 2, 3)
    ]


def test_one_day_in_a_file_of_its_own_name(run, tmp_path, plain):
    (written,) = export([run], "plain", tmp_path / "deep" / "day.txt", "2")
    assert contents(tmp_path) == {"deep/day.txt": b"2"}
    assert written.day == 2


def test_several_sessions(run, tmp_path, plain):
    other = shutil.copytree(run, tmp_path / "other")
    export([run, other], "plain", tmp_path / "out", "3")
    assert set(contents(tmp_path / "out")) == {"small-day-003.txt", "other-day-003.txt"}


def test_progress_counts_the_ticks_of_the_days(run, tmp_path):
    done = []
    written = export([run], "csv", tmp_path / "out", "2-3", on_progress=lambda *of: done.append(of))
    total = sum(one.ticks for one in written)
    assert done[-1] == (total, total)


def refused(error, match, folder, *arguments, **options):
    """Exporting raises and leaves the folder as it was."""
    before = contents(folder)
    with pytest.raises(error, match=match):
        export(*arguments, **options)
    assert contents(folder) == before


def test_arguments_that_cannot_be(run, tmp_path, plain):
    out = tmp_path / "out"
    refused(ProtocolError, "--to mat: expected nwb, parquet, csv", tmp_path, [run], "mat", out)
    refused(ProtocolError, "is one file, and there are 3 days to write", tmp_path, [run], "plain", out / "a.txt")
    refused(ProtocolError, "has days 1 to 3", tmp_path, [run], "plain", out, "4")
    refused(ProtocolError, "two sessions would be written to", tmp_path, [run, run], "plain", out)
    refused(StoreError, "holds no session", tmp_path, [run, tmp_path], "plain", out)


def test_a_package_that_is_missing(run, tmp_path, monkeypatch):
    monkeypatch.setitem(FORMATS, "odd", Format(FORMATS["csv"].write, "", Needs("no_such_package", "odd")))
    match = r"export to odd needs no_such_package, which is not installed: pip install 'decoderd\[odd\]'"
    refused(MissingExtra, match, tmp_path, [run], "odd", tmp_path / "out")


def test_what_is_there_stays_without_overwrite(run, tmp_path, plain):
    out = tmp_path / "out"
    export([run], "plain", out, "2")
    (out / "small-day-002.txt").write_text("old")
    refused(StoreError, "is there already; --overwrite replaces it", tmp_path, [run], "plain", out)
    export([run], "plain", out, overwrite=True)
    assert contents(out)["small-day-002.txt"] == b"2"


def test_folders_are_replaced_only_if_an_export_made_them(run, tmp_path):
    out = tmp_path / "out"
    export([run], "csv", out, "1")
    (out / "small-day-001" / "mine.txt").write_text("old")
    refused(StoreError, "--overwrite replaces it", tmp_path, [run], "csv", out, "1")
    export([run], "csv", out, "1", overwrite=True)
    assert "small-day-001/mine.txt" not in contents(out)
    (out / "small-day-001" / "session.json").unlink()
    refused(StoreError, "a folder that no export made", tmp_path, [run], "csv", out, "1", overwrite=True)
    (out / "small-day-002").write_text("a file")
    refused(StoreError, "is a file; name another place", tmp_path, [run], "csv", out, "2", overwrite=True)


def test_a_session_without_a_tick(tmp_path, plain):
    session_file.begin(tmp_path / "run", *protocols.begun(protocols.centre_out()))[0].close()
    refused(StoreError, "no tick is stored yet", tmp_path, [tmp_path / "run"], "plain", tmp_path / "out")


@pytest.mark.parametrize(
    "failure", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("HDF5"), KeyboardInterrupt()]
)
def test_a_day_that_cannot_be_written_is_not_there(run, tmp_path, monkeypatch, failure):
    def write(reader, path, about):
        path.write_text("half")
        if about["day"] == 2:
            raise failure

    monkeypatch.setitem(FORMATS, "plain", Format(write, ".txt"))
    expected = KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else StoreError
    with pytest.raises(expected) as raised:
        export([run], "plain", tmp_path / "out")
    assert contents(tmp_path) == {"out/small-day-001.txt": b"half"}
    if expected is StoreError:
        assert "small-day-002.txt: cannot be written: " in str(raised.value)
        assert "1 of 3 days are written" in str(raised.value)


def test_what_runs_a_session_does_not_load_exports():
    code = "import sys, decoderd.run.loop, decoderd.recording.recorder, decoderd.api; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not [name for name in found.split() if name.startswith("decoderd.recording.export")]
