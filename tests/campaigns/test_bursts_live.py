"""200 bursting units live at ticks of 1 ms, with clients that perturb and demultiplex them: nothing is missed.

A bare loop with the priority of a session runs beside it, for as long: a session may miss no more than that.
"""

from __future__ import annotations

import json
import multiprocessing
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from decoderd.bench import lateness
from decoderd.recording import extent
from decoderd.recording.reader import open_session
from tests import running
from tests.protocols import lasting
from tests.service.serving import served, wait_for

# Starting, preparing and ending processes takes no longer on a slow machine.
BESIDE_S = 120.0
PLAN = """
[[schedule]]
perturbation = { name = "turn", kind = "rotation", site = "cursor", angle_rad = 1.0472 }
on = { tick = 10000 }
off = { tick = 30000 }

[[schedule]]
perturbation = { name = "back", kind = "rotation", site = "readout", angle_rad = -0.5 }
on = { tick = 40000 }
"""


def bursts(seconds):
    """Plain data of the protocol: dendrites get the error through the transpose of the decoder as it is turned."""
    return lasting(
        seconds,
        tick_s=0.001,
        bin_ticks=20,
        task={"kind": "centre_out", "targets": 8},
        population={"kind": "bursting", "units": 200, "feedback": "present"},
        decoder={"kind": "kalman", "calibration": {"reaches": 60}},
    )


def client(plugin, control, *options):
    """A client plug-in in a process of its own."""
    words = [sys.executable, "-m", "decoderd_client", "run", plugin, "--control", control, *map(str, options)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def live(folder, seconds):
    """The summary of a session in real time, the last lines of its clients, and what a bare loop beside it missed."""
    (folder / "plan.toml").write_text(PLAN)
    with (
        served(folder, bursts(seconds), "--json") as (control, out, process),
        bare_beside(seconds) as missed,
    ):
        wait_for(lambda: ticks_of(out) > 0, BESIDE_S)
        clients = {
            "perturb": client("perturb", control, "--config", folder / "plan.toml"),
            "demultiplex": client("demultiplex", control, "--out", folder / "demultiplexed"),
        }
        said = {name: one.communicate(timeout=seconds + BESIDE_S)[0] for name, one in clients.items()}
        assert {name: one.returncode for name, one in clients.items()} == dict.fromkeys(clients, 0), said
        wait_for(lambda: ticks_of(out) == round(1000 * seconds), seconds + BESIDE_S)
        process.send_signal(signal.SIGTERM)  # it lingers for readers
        summary = json.loads(process.stdout.readlines()[-1])
        return summary, out, said, missed()


@contextmanager
def bare_beside(seconds):
    """A bare loop in a process of its own, begun now; gives a function for the wake-ups it missed."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply_async(lateness.bare_punctual, (0.001, seconds))
        yield lambda: int((found.get(seconds + BESIDE_S)[0] > 1_000_000).sum())


def ticks_of(folder):
    """Ticks that are committed."""
    last = extent.noted(folder)
    return -1 if last is None else last.tick


def interrupted(folder, seconds, journal, kills=3):
    """The summary of the same session at full speed, killed at moments of it and resumed, and how often it was."""
    protocol = running.write(folder / "again.toml", bursts(seconds))
    at = {}
    for tick, one in journal:
        at.setdefault(tick, []).append(one)
    inputs, out = running.write_inputs(folder / "journal.jsonl", at), folder / "again"
    for number in range(kills + 1):
        words = ("resume", out) if number else ("run", protocol, "--out", out)
        process = running.start(*words, "--speed", "max", "--inputs", inputs, "--json")
        try:
            if number < kills:
                least = 1000 * seconds * (number + 1) / (kills + 1)
                wait_for(lambda least=least: ticks_of(out) > least, seconds + BESIDE_S)
                process.send_signal(signal.SIGKILL)
                process.wait(BESIDE_S)
                continue
            said, errors = process.communicate(timeout=BESIDE_S + seconds)
            assert process.returncode == 0, errors
            return json.loads(said.splitlines()[-1])
        finally:
            running.end(process)


@pytest.mark.campaign
@pytest.mark.parametrize("seconds", [pytest.param(60.0, id="short"), pytest.param(600.0, id="long")])
def test_nothing_is_missed_live_and_replay_and_resume_give_the_same(tmp_path, capsys, seconds):
    summary, out, said, machine = live(tmp_path, seconds)
    replayed = running.cli("replay", out, timeout=BESIDE_S + seconds)
    with open_session(out) as recorded:
        journal = recorded.journal()
    resumed = interrupted(tmp_path, seconds, journal)
    with capsys.disabled():
        beside = {"bare_loop_missed": machine, "inputs": len(journal), "said": said}
        print("\n" + json.dumps({"ticks": summary["ticks"], **summary["lateness"], **beside}))
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert {one["op"] for _, one in journal} >= {"perturb", "unperturb"}
    assert summary["digest"] == resumed["digest"]
    assert summary["lateness"]["missed"] <= machine
