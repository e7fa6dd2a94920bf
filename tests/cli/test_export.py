"""`decoderd export` on the command line: what it prints, and what it refuses."""

from __future__ import annotations

import pytest

from decoderd.cli import export
from decoderd.recording.export.formats import FORMATS
from tests import protocols, running
from tests.running import cli, contents, failure, refusal, summary


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "small"
    running.record(folder, protocols.lasting(0.5))
    return folder


def test_tables_are_written_and_named(run, tmp_path):
    found = summary(cli("export", run, "--to", "csv", "--out", tmp_path / "out", "--json"))
    (written,) = found["written"]
    assert written == {"path": str(tmp_path / "out" / "small"), "session": "small-3", "day": 1, "ticks": 50}
    assert len((tmp_path / "out" / "small" / "ticks.csv").read_text().splitlines()) == 51


def test_a_refusal_is_one_message_and_leaves_nothing(run, tmp_path):
    done = cli("export", run, "--to", "mat", "--out", tmp_path / "out", "--json")
    assert "expected nwb, parquet, csv" in failure_of(done)
    assert contents(tmp_path) == {}


def failure_of(done):
    """The message of a refusal, the same as an object and as text."""
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    found = refusal(done)
    assert found["field"] == "to"
    assert found["message"] in done.stderr
    return found["message"]


def test_without_json_a_line_a_day(run, tmp_path):
    done = cli("export", run, "--to", "csv", "--out", tmp_path)
    assert done.stdout == f"small-3, day 1: 50 ticks: {tmp_path / 'small'}\n"
    assert "--overwrite replaces it" in failure(cli("export", run, "--to", "csv", "--out", tmp_path))


def test_the_formats_of_the_help_are_those_of_the_table():
    assert export.TO.split("|") == list(FORMATS)
