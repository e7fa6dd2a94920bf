"""One session of a study."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from decoderd.errors import Interrupted
from decoderd.recording.reader import open_session
from decoderd.run import loop
from decoderd.studies import folder, measures, parts
from decoderd.studies.measures import Measure
from decoderd.studies.parts import Task
from decoderd.studies.settings import settings
from decoderd.studies.study import StudyError
from tests import running
from tests.studies.small import QUICK, parsed


def task_of(place, recorded=False, **fields):
    """The first session of a study with these fields, in a new folder."""
    given = parsed(**fields)
    folder.begin(place, given)
    one = settings(given)[0]
    return Task(str(place), one.key, one.protocol, given.measures, recorded)


def test_the_result_is_that_of_the_session_by_itself(tmp_path):
    task = task_of(tmp_path / "study", measures=["success", "learning_curve", "pr_norm"])
    assert parts.perform(task) is None
    alone = running.record(tmp_path / "alone", {**task.protocol})
    found = folder.result(tmp_path / "study", task.key)
    assert {name: found[name] for name in ("session", "days", "trials", "ticks", "digest")} == {
        name: alone[name] for name in ("session", "days", "trials", "ticks", "digest")
    }
    assert found["numbers"]["success"] == alone["success_rate"]
    assert found["curves"][0]["learning_curve"] == [alone["success_rate"]]
    assert not folder.recording(tmp_path / "study", task.key).exists()


def test_what_is_there_is_not_run_again(tmp_path, monkeypatch):
    task = task_of(tmp_path)
    parts.perform(task)
    monkeypatch.setattr(loop, "run", None)
    assert parts.perform(task) is None
    with pytest.raises(TypeError):
        running.record(tmp_path / "another", task.protocol)


def test_a_recording_is_kept_where_it_is_asked_for(tmp_path):
    task = task_of(tmp_path)
    parts.perform(task)
    parts.perform(task._replace(recorded=True))
    with open_session(folder.recording(tmp_path, task.key)) as recorded:
        assert len(recorded.ticks()["tick"]) == folder.result(tmp_path, task.key)["ticks"]


def test_an_interrupted_session_goes_on_where_it_was(tmp_path, monkeypatch):
    task = task_of(tmp_path)
    plain, begun = loop.run, []

    def stopped(session, state, clock, sink, source=None, ended=None):
        begun.append(state.tick)
        return plain(session, state, clock, sink, source, lambda state: state.tick == 120)

    monkeypatch.setattr(loop, "run", stopped)
    with pytest.raises(Interrupted, match="stopped at tick 120"):
        parts.perform(task)
    assert folder.result(tmp_path, task.key) is None

    def watched(*given):
        begun.append(given[1].tick)
        return plain(*given)

    monkeypatch.setattr(loop, "run", watched)
    parts.perform(task)
    assert begun == [0, 120]
    assert folder.result(tmp_path, task.key)["digest"] == running.record(tmp_path / "alone", task.protocol)["digest"]


def test_a_recording_that_is_damaged_is_begun_anew(tmp_path):
    task = task_of(tmp_path)
    place = folder.recording(tmp_path, task.key)
    place.mkdir()
    (place / "session.sqlite").write_bytes(b"no database" * 1000)
    assert parts.perform(task) is None
    assert folder.result(tmp_path, task.key)["ticks"] == 200


def test_a_session_that_cannot_run_is_a_failure(tmp_path):
    decoder = {"kind": "kalman", "calibration": {"reaches": 16, "reach_s": 0.5}, "file": str(tmp_path / "no.npz")}
    task = task_of(tmp_path / "study", protocol={**QUICK, "decoder": decoder})
    said = parts.perform(task)
    assert "no.npz" in str(said)
    assert folder.failure(tmp_path / "study", task.key) == {"error": said}
    assert not folder.recording(tmp_path / "study", task.key).exists()


def test_measures_of_the_recording_and_their_errors(tmp_path, monkeypatch):
    def of_session(config, recorded):
        return {"ticks_seen": len(recorded.ticks()["tick"]), "curve": [1.0, float("nan")]}

    (asked,) = measures.asked(["success"])
    monkeypatch.setattr(measures, "asked", lambda given: [asked._replace(measure=Measure(None, None, of_session))])
    task = task_of(tmp_path)
    parts.perform(task)
    found = folder.result(tmp_path, task.key)
    assert found["numbers"] == {"ticks_seen": 200.0}
    assert found["session_curves"] == {"curve": [1.0, None]}

    def wrong(config, day):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(measures, "asked", lambda given: [asked._replace(measure=Measure(None, wrong))])
    assert parts.perform(task._replace(key="other")) == "division by zero"


FULL = """
import json, sys
from decoderd.studies.parts import Task, perform
print(perform(Task(*json.load(sys.stdin))))
"""


def test_a_full_disk_ends_the_study_and_leaves_nothing_half_written(tmp_path):
    task = task_of(tmp_path)

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    done = subprocess.run(
        [sys.executable, "-c", FULL],
        input=json.dumps(task),
        text=True,
        capture_output=True,
        preexec_fn=limited,
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert done.returncode == 1
    assert "StudyError" in done.stderr
    assert "cannot be written: File too large" in done.stderr
    assert os.listdir(tmp_path / "results") == os.listdir(tmp_path / "failures") == []
    with pytest.raises(StudyError, match="cannot be written"), folder.writing(tmp_path):
        raise OSError(28, "No space left on device")
    assert parts.perform(task) is None
