"""Perturbing by plan: what a plan may say, when it is due, and a real session process."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest
from pydantic import ValidationError

from decoderd.trigger import Trigger
from decoderd.wire import codec
from decoderd_client.plugins import installed
from decoderd_plugins.perturb import PERTURB, Conditions, Config, PlanRunner, SuccessRate
from decoderd_plugins.progress import SessionProgress
from tests.clients.plugins import building
from tests.protocols import lasting
from tests.running import TIMEOUT_S, environment, stored
from tests.service.serving import served

TURN = {"name": "turn", "kind": "rotation", "site": "cursor", "angle_rad": 0.5}


def config(on, off=None):
    return Config(schedule=[{"perturbation": TURN, "on": on, "off": off}])


def trial(number, outcome="success"):
    return building.trial(number, 100 * number, outcome=outcome)


# --- plans


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"trial": 41}, Trigger(trial=41)),
        ({"day": 2, "trial": 5}, Trigger(day=2, trial=5)),
        ("day=2", Trigger(day=2)),
        ({"tick": 6000}, Trigger(tick=6000)),
        ({"success_rate": 0.8}, SuccessRate(success_rate=0.8, of=20)),
    ],
)
def test_a_change_is_planned_by_a_trigger_or_a_success_rate(given, expected):
    assert config(given).schedule[0].on == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trials": 40}, "trials = 40 is an old spelling: write trial = 41"),
        ({"trial": 0}, "greater than or equal to 1"),
        ({}, "needs tick, day, trial, or day and trial"),
        ({"tick": 7, "day": 2}, "tick cannot be combined with day or trial"),
        ({"success_rate": 0.5, "day": 2}, "day\n"),
        ({"success_rate": 1.5}, "less than or equal to 1"),
    ],
)
def test_wrong_plans_are_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        config(given)


def test_a_perturbation_without_a_name_is_refused():
    with pytest.raises(ValidationError, match=r"perturbation\.name"):
        Config(schedule=[{"perturbation": {"kind": "rotation"}, "on": {"day": 2}}])


# --- conditions


def test_a_success_rate_is_taken_over_the_last_trials():
    conditions = Conditions(SessionProgress())
    half = SuccessRate(success_rate=0.5, of=4)
    outcomes = ["success", "success", "hold_broken", "hold_broken", "hold_broken"]
    reached = []
    for number, outcome in enumerate(outcomes, 1):
        conditions.receive(trial(number, outcome))
        reached.append(conditions.reached(half))
    assert reached == [False, False, False, True, False]
    conditions.receive(trial(6))
    assert conditions.reached(SuccessRate(success_rate=0.4, of=2))
    conditions.restart_success_rate()
    assert not conditions.reached(SuccessRate(success_rate=0.0, of=1))


class FakeSession:
    """Stands at the beginning, and records what is asked of it."""

    def __init__(self):
        self.calls = []

    def describe(self):
        return {"tick": 0, "day": 1, "trials": 0, "next": {"day": 1}}

    def perturb(self, perturbation):
        self.calls.append(("perturb", perturbation["name"]))
        return {"tick": 7}

    def unperturb(self, name):
        self.calls.append(("unperturb", name))
        return {"tick": 9}


def test_a_perturbation_is_added_and_removed_once():
    session, lines = FakeSession(), []
    runner = PlanRunner(session, config({"trial": 3}, {"trial": 5}), lines.append)
    by_trial = []
    for number in range(1, 7):
        runner.conditions.receive(trial(number))
        runner.act()
        by_trial.append(len(session.calls))
    assert by_trial == [0, 1, 1, 2, 2, 2]
    assert session.calls == [("perturb", "turn"), ("unperturb", "turn")]
    assert lines == [
        "turn added at tick 7, after 2 trials, on day 1",
        "turn removed at tick 9, after 4 trials, on day 1",
    ]
    assert runner.complete


class Stream:
    """Messages of a session that ends with the last of them."""

    def __init__(self, messages):
        self.messages, self.over = messages, False

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def __iter__(self):
        for number, message in enumerate(self.messages, 1):
            self.over = number == len(self.messages)
            yield message


@pytest.mark.parametrize(
    ("when", "topics", "calls"),
    [
        ({"trial": 9}, ["trial", "day"], []),
        ({"tick": 101}, ["trial", "day", "tick"], [("perturb", "turn")]),
    ],
)
def test_ticks_are_subscribed_to_only_for_triggers_by_tick(when, topics, calls):
    session, lines, subscribed = FakeSession(), [], []

    def subscribe(topics):
        subscribed.extend(topics)
        return Stream([trial(1), trial(2)])

    session.subscribe = subscribe  # type: ignore[attr-defined]
    PERTURB.run(session, config(when, {"day": 9}), lines.append)
    assert subscribed == topics
    assert session.calls == calls
    assert lines[-1] == ("the session is over" if calls else "the session is over; never added: turn")


# --- a real session


def test_the_plug_in_perturbs_a_session_by_trial(tmp_path):
    assert installed()["perturb"] is PERTURB
    plan = tmp_path / "plan.toml"
    plan.write_text(
        '[[schedule]]\nperturbation = { name = "turn", kind = "rotation", site = "cursor", angle_rad = 0.5 }\n'
        "on = { trial = 3 }\noff = { trial = 10 }\n"
    )
    with served(tmp_path, lasting(3600.0), "--speed", "10") as (control, out, process):
        command = [sys.executable, "-c", "from decoderd_client.cli import main; main()", "run", "perturb"]
        done = subprocess.run(
            [*command, "--control", control, "--config", str(plan), "--set", "schedule.0.off.trial=5"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            env=environment(),
            check=False,
        )
        assert done.returncode == 0, done.stderr
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    ends = {payload["r"]: payload["k"] for payload in codec.decode_all(stored(out, "trial"))}
    for change, trials in (("added", 2), ("removed", 4)):  # or later, if the session was ahead of the plug-in
        tick, after = map(int, re.search(rf"turn {change} at tick (\d+), after (\d+) trials", done.stdout).groups())
        assert after >= trials
        assert tick > ends[after]
    changes = [payload["x"] for payload in codec.decode_all(stored(out, "perturbation"))]
    assert changes == ["added", "on", "removed"]
