"""Messages of trials and phases, compared with the messages of the ticks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests import protocols
from tests.protocols import centre_out, of_every_kind, outside

REST, CENTRE, CENTRE_HOLD, REACH, HOLD = range(5)
# Without those where several events happen in one tick: its phase shows only the last.
PLAIN = ("kalman", "position", "random_targets", "days", "perturbed")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    found = of_every_kind(tmp_path_factory.mktemp("kinds"))
    return {name: protocols.run(*found[name]) for name in (*PLAIN, "no_pause")}


def outcome(before, tick, day_over, radius):
    """The outcome of a trial, from its last phase and the cursor."""
    if day_over:
        return "day_end"
    if before["p"] in (CENTRE, CENTRE_HOLD):
        return "centre_timeout"
    if before["p"] == REACH:
        return "reach_timeout"
    away = np.hypot(before["c"][0] - before["t"][0], before["c"][1] - before["t"][1])
    return "success" if away <= radius else "hold_broken"


@pytest.mark.parametrize("kind", PLAIN)
def test_trial_messages_agree_with_the_ticks(runs, kind):
    run = runs[kind]
    ticks, trials = run.of("tick"), run.of("trial")
    radius = run.session.protocol.task.radius_m
    last_of_day = {day["k"] for day in run.of("day") if day["x"] == "end"}
    assert [trial["r"] for trial in trials] == list(range(1, len(trials) + 1))
    for trial in trials:
        mine = [tick for tick in ticks if tick["r"] == trial["r"] and tick["p"] != REST]
        assert trial["a"] == mine[0]["k"]
        reaching = [tick["k"] for tick in mine if tick["p"] in (REACH, HOLD)]
        assert trial["o"] == (reaching[0] if reaching else -1)
        day_over = trial["k"] in last_of_day and ticks[trial["k"]]["p"] != REST
        assert trial["k"] == mine[-1]["k"] + (not day_over)
        assert trial["x"] == outcome(mine[-1], ticks[trial["k"]], day_over, radius)
        assert trial["t"] == (ticks[reaching[0]]["t"] if reaching else None)
        assert (trial["d"], trial["b"]) == (mine[0]["d"], mine[0]["b"])
    seen = {trial["x"] for trial in trials}
    assert len(seen) > 1 or kind in ("kalman", "position", "random_targets")


@pytest.mark.parametrize("kind", PLAIN)
def test_successes_are_counted(runs, kind):
    run = runs[kind]
    trials, done = run.of("trial"), run.states[-1].progress
    assert done.trials == len(trials)
    assert done.successes == sum(trial["x"] == "success" for trial in trials)
    for day in run.of("day"):
        before = [t for t in trials if t["d"] == day["d"] and (day["x"] == "end" or t["k"] <= day["k"])]
        assert day["n"] == len(before)
        assert day["u"] == sum(trial["x"] == "success" for trial in before)


@pytest.mark.parametrize("kind", PLAIN)
def test_every_change_of_phase_has_a_message(runs, kind):
    run = runs[kind]
    phases = [(task["k"], task["r"], task["p"]) for task in run.of("task")]
    at, days, found = (0, REST), 1, []
    for tick in run.of("tick"):
        if tick["d"] != days:
            at, days = (at[0], REST), tick["d"]
        if (tick["r"], tick["p"]) != at:
            found.append((tick["k"], tick["r"], tick["p"]))
            at = (tick["r"], tick["p"])
    # A tick shows only the last of the phases that it went through.
    last = {entry[0]: entry for entry in phases}
    assert [last[tick] for tick in sorted(last)] == found
    for task in run.of("task"):
        assert (task["t"] is None) == (task["p"] == REST)


def test_trial_messages_name_the_perturbations_that_were_on():
    def on_for(name, start, stop):
        envelope = {"shape": "block", "start": start, "stop": stop}
        return {**protocols.perturbation("gain", "cursor", factor=1.1, envelope=envelope), "name": name}

    two = [on_for("a", {"trial": 2}, {"trial": 3}), on_for("b", {"trial": 2}, {"trial": 4})]
    run = protocols.run(centre_out(perturbations=two))
    assert [trial["w"] for trial in run.of("trial")] == [[], ["a", "b"], ["b"], []]


def test_a_perturbation_removed_within_a_trial_is_still_named():
    at = {200: [protocols.perturb("gain", "cursor", factor=1.01)], 205: [protocols.UNPERTURB]}
    run = protocols.run(centre_out(), at)
    touched = [trial["w"] for trial in run.of("trial") if trial["a"] <= 200 <= trial["k"]]
    assert touched == [["p"]]
    assert sum(len(trial["w"]) for trial in run.of("trial")) == 1


def test_a_trial_may_begin_in_the_tick_after_the_last_one(runs):
    run = runs["no_pause"]
    trials = run.of("trial")
    assert [trial["r"] for trial in trials] == list(range(1, len(trials) + 1))
    for one, following in pairwise(trials):
        assert following["a"] == one["k"] + 1
    for trial in trials[:-1]:
        assert trial["a"] < trial["o"] < trial["k"]
        np.testing.assert_allclose(np.hypot(*trial["t"]), 0.07)
    assert len({trial["g"] for trial in trials[:4]}) == 4
    phases = [(task["r"], task["p"]) for task in run.of("task")]
    for trial in trials[:-1]:
        assert phases.count((trial["r"], REST)) == 1


def test_external_trials_may_end_and_begin_in_one_tick():
    def event(what, **fields):
        return {"op": "task", "event": what, **fields}

    at = {
        10: [event("start"), event("go", target=[0.05, 0], index=7)],
        50: [event("end"), event("start"), event("end", outcome="never_mind"), event("start", index=1)],
        80: [
            event("end", outcome="gave_up"),
            event("start"),
            event("go", target=[0, 0.05]),
            event("end"),
            event("start"),
        ],
        90: [event("end")],
    }
    run = protocols.run(outside(), at)
    assert [(t["r"], t["a"], t["o"], t["k"], t["x"]) for t in run.of("trial")] == [
        (1, 10, 10, 50, "success"),
        (2, 50, -1, 50, "never_mind"),
        (3, 50, -1, 80, "gave_up"),
        (4, 80, 80, 80, "success"),
        (5, 80, -1, 90, "success"),
    ]
    assert run.of("trial")[0]["g"] == 7
    assert run.of("trial")[0]["t"] == [0.05, 0]
    assert [(t["k"], t["r"], t["p"]) for t in run.of("task")] == [
        *[(10, 1, CENTRE), (10, 1, REACH)],
        *[(50, 1, REST), (50, 2, CENTRE), (50, 2, REST), (50, 3, CENTRE)],
        *[(80, 3, REST), (80, 4, CENTRE), (80, 4, REACH), (80, 4, REST), (80, 5, CENTRE), (90, 5, REST)],
    ]
    assert run.states[-1].progress.trials == 5
    assert run.states[-1].progress.successes == 3
