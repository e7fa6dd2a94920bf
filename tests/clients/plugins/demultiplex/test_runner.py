"""Both signals taken apart in a real session process, and from its recording."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from decoderd_client import Participant, Session
from decoderd_client.plugins import Unable
from decoderd_plugins.demultiplex import Config, runner
from tests.protocols import centre_out
from tests.running import end, environment, record, stored
from tests.service.serving import served

TRIALS, TURN = 32, 9
PROTOCOL = centre_out(
    schedule={"days": 1, "blocks": [{"name": "only", "trials": TRIALS}]},
    population={"kind": "bursting", "units": 60, "feedback": "decoder"},
    decoder={"kind": "kalman", "channel": "events", "calibration": {"reaches": 40, "reach_s": 0.5}},
    perturbations=[
        {
            "name": "turn",
            "kind": "rotation",
            "site": "cursor",
            "angle_rad": 1.0,
            "envelope": {"shape": "step", "start": {"trial": TURN}},
        }
    ],
)
OPTIONS = ("--feedback", "decoder", "--train", f"{TURN},20")
FILES = ("demultiplex.csv", "bins.csv", "demultiplex.json")


def client(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "decoderd_client", "run", "demultiplex", *map(str, arguments), *OPTIONS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def output_of(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def wait_for(condition, within_s=60.0):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    """Figures take longer than all the rest; the command line draws one."""
    monkeypatch.setattr(runner, "find_spec", lambda name: None)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The session without any client."""
    folder = tmp_path_factory.mktemp("alone") / "session"
    record(folder, PROTOCOL)
    return folder


def test_a_live_session_and_its_recording_give_the_same_files(tmp_path, alone):
    """A participant paces the session; another client of the same kind is stopped, and changes nothing."""
    metrics = []

    def subscribe(control):
        with Session(control) as session, session.subscribe(["metrics"], from_start=True) as messages:
            metrics.extend(messages)

    lockstep = ("--speed", "lockstep", "--participant", "test=trial")
    with served(tmp_path, PROTOCOL, *lockstep) as (control, directory, _), Session(control) as session:
        subscriber = threading.Thread(target=subscribe, args=(control,))
        subscriber.start()
        live = tmp_path / "live"
        measuring, stopped = (client("--control", control, "--out", out) for out in (live, tmp_path / "stopped"))
        try:
            participant = Participant(session, "test")
            participant.step(number=9)
            wait_for(lambda: (live / "bins.csv").exists() or measuring.poll() is not None)
            os.kill(stopped.pid, signal.SIGSTOP)
            for _ in range(20):  # an input is consumed by the next tick
                if metrics:
                    break
                participant.step(number=1)
                time.sleep(0.1)
            assert participant.step(number=TRIALS).over
            lines = output_of(measuring)
            subscriber.join(20)
        finally:
            end(measuring)
            end(stopped)

    assert stored(directory) == stored(alone)
    assert all(message.source == "demultiplex" for message in metrics)
    values = metrics[0].values
    table = [row for row in rows(live / "demultiplex.csv") if row["unit"] == "all"]
    assert values["corrected"] == pytest.approx(float(table[0]["corrected"]), rel=1e-5)
    assert (values["first_trial"], values["last_trial"]) == (1, 8)
    assert "trials 25 to 32" in lines
    assert (live / "demultiplex.png").read_bytes().startswith(b"\x89PNG")

    again = tmp_path / "stored"
    runner.run_recorded(directory, Config(out=again, feedback="decoder", train=f"{TURN},20"), print)
    for name in FILES:
        assert (again / name).read_text() == (live / name).read_text()
    found = json.loads((live / "demultiplex.json").read_text())
    before, *after = [window["pooled"]["corrected"] for window in found["windows"]]
    assert min(after) > before + 0.03  # the fraction rises at once, event rates do not
    rates = [window["pooled"]["event_rate_hz"] for window in found["windows"]]
    assert max(rates) / min(rates) < 1.1
    last = found["windows"][-1]["correlations"]
    assert last["bursts_projected"] > 0.85
    assert last["bursts_regressed"] > last["events_regressed"]


# --- from a file


def test_bins_of_too_few_events_are_listed_and_a_missing_matplotlib_is_reported(alone, tmp_path):
    lines = []
    runner.run_recorded(alone, Config(out=tmp_path, least_events=60), lines.append)
    assert any("too few events in" in line for line in lines)
    assert any(line.startswith("no figure: matplotlib is not installed") for line in lines)
    found = json.loads((tmp_path / "demultiplex.json").read_text())
    few = {(row["trial"], row["tick"]) for row in rows(tmp_path / "bins.csv") if row["enough"] == "0"}
    listed = {(str(b["trial"]), str(b["tick"])) for window in found["windows"] for b in window["bins_too_few_events"]}
    assert few == listed
    assert 0 < len(few) < len(rows(tmp_path / "bins.csv"))
    assert all(float(row["events"]) < 60 for row in rows(tmp_path / "bins.csv") if row["enough"] == "0")


def test_too_few_events_overall_are_refused_without_a_file(alone, tmp_path):
    with pytest.raises(Unable, match=r"too few events: of \d+ bins of 0.1 s none has 900, and the fullest has \d+"):
        runner.run_recorded(alone, Config(out=tmp_path, least_events=900), print)
    assert not list(tmp_path.iterdir())


def test_a_regression_of_too_few_trials_is_reported(alone, tmp_path):
    lines = []
    runner.run_recorded(alone, Config(out=tmp_path, train="1,6"), lines.append)
    assert "no regression: trial: 6 trials are too few; 10 are needed" in lines
    assert json.loads((tmp_path / "demultiplex.json").read_text())["regression"] is None


def test_a_population_without_bursts_is_refused_before_it_starts(tmp_path):
    record(tmp_path / "session", centre_out(schedule={"days": 1, "blocks": [{"name": "only", "trials": 1}]}))
    with pytest.raises(Unable, match="kind 'tuned' has no channel events, bursts, time_at_risk"):
        runner.run_recorded(tmp_path / "session", Config(out=tmp_path / "out"), print)
    assert not (tmp_path / "out").exists()


def test_folders_that_cannot_be_read_or_written_are_refused(alone, tmp_path):
    with pytest.raises(Unable, match="holds no session"):
        runner.run_recorded(tmp_path, Config(out=tmp_path), print)
    (tmp_path / "file").write_text("")
    with pytest.raises(Unable, match="file"):
        runner.run_recorded(alone, Config(out=tmp_path / "file" / "out"), print)


def test_a_wrong_K_is_refused(alone, tmp_path):
    np.savez(tmp_path / "k.npz", K=np.ones((3, 2)))
    with pytest.raises(Unable, match=r"K: has shape \(3, 2\), expected 60 x 2"):
        runner.run_recorded(alone, Config(out=tmp_path / "out", feedback=tmp_path / "k.npz"), print)
