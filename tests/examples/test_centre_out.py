"""The centre-out task of the examples: its rules, its display, and sessions in lockstep and in real time."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.protocols import centre_out
from tests.running import TIMEOUT_S, stored
from tests.service.serving import lockstep, served

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HEADLESS = {**os.environ, "SDL_VIDEODRIVER": "dummy"}
DATA = centre_out(
    task={"kind": "external"},
    population={"kind": "tuned", "units": 40},
    schedule={"blocks": [{"name": "only", "duration_s": 8.0}]},
)


@pytest.fixture
def rules(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    return import_module("centre_out_task")


def at(tick, cursor=(0.0, 0.0), phase=0):
    return SimpleNamespace(tick=tick, cursor=(*cursor, 0.0, 0.0), phase=phase)


def shown(control, *options):
    """What the program prints and complains of."""
    done = subprocess.run(
        [sys.executable, "centre_out_pygame.py", control, *options],
        cwd=EXAMPLES,
        env=HEADLESS,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def mostly_reached(said):
    """Of "N of M trials succeeded": whether these are many, of some."""
    reached, _, of, *_ = said.split()
    return int(of) > 3 and int(reached) >= 0.8 * int(of)


def test_a_trial_ends_after_the_hold_or_when_the_time_is_up(rules):
    task = rules.CentreOut(0.01)
    assert task.step(at(0)) == []
    assert task.step(at(29)) == []  # rest
    start, go = task.step(at(30))
    assert (start["event"], go["event"], go["index"]) == ("start", "go", 0)
    target = go["target"]
    assert math.dist(target, (0, 0)) == pytest.approx(0.06)
    assert task.step(at(40, target)) == []
    assert task.step(at(55, (0, 0))) == []  # left before the hold was over
    assert task.step(at(60, target)) == []
    assert task.inside
    assert task.step(at(79, target)) == []
    assert task.step(at(80, target)) == [rules.end("success")]
    assert task.step(at(109)) == []
    assert task.step(at(110))[1]["index"] == 1
    assert task.step(at(509)) == []
    assert task.step(at(510)) == [rules.end("reach_timeout")]
    assert task.outcomes == ["success", "reach_timeout"]


def test_a_trial_of_a_program_before_is_ended(rules):
    assert rules.CentreOut(0.01).step(at(70, phase=3)) == [rules.end("abandoned")]


def test_a_frame_shows_target_cursor_and_count(rules, monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    display = import_module("centre_out_pygame")
    pygame = display.pygame
    pygame.font.init()
    screen, task = pygame.Surface((display.SIDE, display.SIDE)), rules.CentreOut(0.01)
    task.step(at(0))
    task.step(at(30))
    display.draw(screen, task, (0.02, 0.03))
    assert screen.get_at((480, 300)) == pygame.Color(display.BLUE)  # 0.06 m to the right of the centre
    assert screen.get_at((360, 210)) == pygame.Color(display.WHITE)  # the cursor; y points up
    task.step(at(31, task.target))
    display.draw(screen, task, (0.02, 0.03))
    assert screen.get_at((480, 300)) == pygame.Color(display.GREEN)


def test_in_lockstep_a_program_goes_on_where_another_ended(tmp_path):
    with served(tmp_path, DATA, *lockstep("task"), "--silence", "600") as (control, _, _):
        assert shown(control, "--fast", "--trials", "1") == ("1 of 1 trials succeeded\n", "")
        said, complaints = shown(control, "--fast", "--picture", str(tmp_path / "last.png"))
    assert mostly_reached(said)
    assert complaints == ""
    assert (tmp_path / "last.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.campaign
def test_in_lockstep_it_is_repeatable(tmp_path):
    got = []
    for name in ("first", "second"):
        with served(tmp_path, DATA, *lockstep("task"), "--silence", "600", name=name) as (control, out, process):
            said = shown(control, "--fast")
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT_S) == 0
        got.append((said, stored(out), stored(out, "trial")))
    assert got[0] == got[1]


@pytest.mark.campaign
def test_in_real_time_it_follows_the_clock_of_the_session(tmp_path):
    with served(tmp_path, DATA, "--speed", "realtime") as (control, _, _):
        said, complaints = shown(control)
    assert mostly_reached(said)
    assert complaints == ""
