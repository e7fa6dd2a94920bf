"""Compaction measured in a real session process, and from its recording."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import threading
import time

import pytest

from decoderd_client import Participant, Session
from decoderd_client.plugins import Unable
from decoderd_plugins.compaction import Config, runner
from tests.protocols import centre_out
from tests.running import environment, record
from tests.service.serving import served

TRIALS, DAYS = 32, 2
PROTOCOL = centre_out(schedule={"days": DAYS, "blocks": [{"name": "only", "trials": TRIALS}]})
BRIEF = {"per_target": 5, "repeats": 2, "bootstrap": 40, "factor_bootstrap": 4, "permutations": 49, "factors": 2}
OPTIONS = [word for name, value in BRIEF.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def client(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "decoderd_client", "run", "compaction", *map(str, arguments), *OPTIONS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def output_of(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def rows(folder):
    try:
        return list(csv.DictReader((folder / "compaction.csv").read_text().splitlines()))
    except FileNotFoundError:
        return []


def wait_for(condition, within_s=40.0):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_live_session_and_its_recording_give_the_same_files(tmp_path):
    """A participant paces the session: a day at once, then trial by trial."""
    metrics = []

    def subscribe(control):
        with Session(control) as session, session.subscribe(["metrics"], from_start=True) as messages:
            metrics.extend(message.payload for message in messages)

    lockstep = ("--speed", "lockstep", "--participant", "test=trial")
    with served(tmp_path, PROTOCOL, *lockstep) as (control, directory, _), Session(control) as session:
        subscriber = threading.Thread(target=subscribe, args=(control,))
        subscriber.start()
        live = tmp_path / "live"
        measuring = client("--control", control, "--out", live, "--readouts", "0,2,4,6,8,10")
        participant = Participant(session, "test")
        participant.step(number=TRIALS + 1)
        wait_for(lambda: {row["day"] for row in rows(live)} == {"1"} or measuring.poll() is not None)
        for _ in range(20):  # an input is consumed by the next tick
            if metrics:
                break
            participant.step(number=1)
            time.sleep(0.1)
        passed = participant.step(number=DAYS * TRIALS)
        assert passed.over
        lines = output_of(measuring)
        subscriber.join(20)

    (payload,) = metrics
    assert (payload["w"], payload["d"]) == ("compaction", 1)
    table = {row["measure"]: float(row["value"]) for row in rows(live) if row["day"] == "1"}
    assert {name: payload["f"][name] for name in table} == table
    assert {"accuracy", "n_c", "pr_norm", "sot", "d_shared", "accuracy_nonreadouts"} <= set(table)
    assert "day 2: the session is over" in lines
    assert (live / "compaction.png").read_bytes().startswith(b"\x89PNG")

    again = tmp_path / "stored"
    output_of(client("--stored", directory, "--out", again, "--readouts", "0,2,4,6,8,10"))
    for name in ("compaction.csv", "compaction.json"):
        assert (again / name).read_text() == (live / name).read_text()
    found = json.loads((live / "compaction.json").read_text())
    assert [day["kept"] for day in found["days"]] == [True] * DAYS
    assert found["readouts"] == [0, 2, 4, 6, 8, 10]
    assert found["early_and_late"]["n_c"]["days"] == DAYS
    assert 0 < found["days"][1]["measures"]["n_c_change"]["p"] <= 1
    assert found["days"][0]["measures"]["accuracy"]["value"] > 0.3  # of four targets


# --- from a file


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A recorded session of one short day."""
    folder = tmp_path_factory.mktemp("short") / "session"
    record(folder, centre_out(schedule={"days": 1, "blocks": [{"name": "only", "trials": 12}]}))
    return folder


def test_a_day_that_is_too_short_is_reported(directory, tmp_path):
    lines = []
    runner.run_recorded(directory, Config(out=tmp_path), lines.append)
    assert lines[0].startswith("day 1: not kept: ")
    assert lines[1].startswith("no day was kept: a day needs 25 reaches")
    assert [row["measure"] for row in rows(tmp_path)] == ["reaches"]


def test_a_missing_matplotlib_is_reported(directory, tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(runner, "find_spec", lambda name: None)
    runner.run_recorded(
        directory, Config(out=tmp_path, **{**BRIEF, "per_target": 1, "outcomes": "success,reach_timeout"}), lines.append
    )
    assert lines[0].startswith("day 1: 12 reaches")
    assert lines[1].startswith("no figure: matplotlib is not installed")
    assert not (tmp_path / "compaction.png").exists()


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"readouts": (0, 12)}, "different units from 0 to 11"), ({"readouts": (1, 1)}, "different units")],
)
def test_impossible_readouts_are_refused(directory, tmp_path, fields, message):
    with pytest.raises(Unable, match=message):
        runner.run_recorded(directory, Config(out=tmp_path, **fields), print)


def test_a_folder_without_a_session_is_refused(tmp_path):
    with pytest.raises(Unable, match="holds no session"):
        runner.run_recorded(tmp_path, Config(out=tmp_path), print)


def test_a_folder_that_cannot_be_written_is_refused_before_measuring(directory, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unable, match="file"):
        runner.run_recorded(directory, Config(out=tmp_path / "file" / "out"), print)
