"""Timed reach: trials of a fixed length without a tick between them, in the task alone and in whole sessions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from decoderd.errors import ProtocolError
from decoderd.rng import open_streams
from decoderd.state import Command, TimeIndex, Timing
from decoderd.tasks.timed_reach import TIMED_REACH, Config
from decoderd.tasks.trial import HOLD, REACH, REST
from tests import protocols
from tests.protocols import centre_out

TIMING = Timing(0.01, 5)


def day(config, ticks, day=1, trials=0, seed=1, timing=TIMING):
    """[(cue, outcome)] of a day; the cursor is at the goal at the end of every tick whose number is even."""
    plan = TIMED_REACH.plan(config, timing)
    streams = open_streams((seed,), "task", TIMED_REACH.streams(config))
    state, out = TIMED_REACH.init(plan, TimeIndex(0, day, 0, 0), trials), []
    for tick in range(ticks):
        time = TimeIndex(tick, day, tick, 0)
        state, cue = TIMED_REACH.step(plan, state, (0.0, 0.0), time, streams)
        at = (1.0, 1.0) if cue.goal is None or tick % 2 else tuple(cue.goal[0].tolist())
        out.append((cue, TIMED_REACH.outcome(plan, state, at, time)))
    return out


# --- the task alone ---------------------------------------------------------------------------------------------


def test_a_trial_takes_its_ticks_and_the_next_follows():
    found = day(Config(reach_s=0.2), 100)
    for tick, (cue, outcome) in enumerate(found):
        trial, at = divmod(tick, 20)
        assert (cue.trial, cue.phase, cue.target) == (trial + 1, REACH, trial)
        assert [(event.phase, event.outcome) for event in cue.events] == ([(REACH, None)] if at == 0 else [])
        assert (cue.start is not None) is (at == 0)
        assert outcome == ("missed" if at == 19 else None)  # tick 19 is odd: the cursor is elsewhere


def test_rest_and_hold_are_parts_of_the_cycle():
    found = day(Config(reach_s=0.11, hold_s=0.04, inter_trial_s=0.05), 64)
    for tick, (cue, outcome) in enumerate(found):
        cycle, at = divmod(tick, 16)
        phase = REST if at < 5 else REACH if at < 12 else HOLD
        assert (cue.trial, cue.phase) == (cycle + (at >= 5), phase)
        assert (cue.goal is None) is (phase == REST)
        assert len(cue.events) == (at in (5, 12))
        assert all(event.phase == cue.phase and event.outcome is None for event in cue.events)
        assert (cue.start is not None) is (at == 5)
        assert (outcome is not None) is (at == 15)
    assert [outcome for _, outcome in found if outcome] == ["missed"] * 4  # all at odd ticks
    odd = day(Config(reach_s=0.11), 44)
    assert [outcome for _, outcome in odd if outcome] == ["success", "missed", "success", "missed"]


@pytest.mark.parametrize(("reach_s", "tick_s", "ticks"), [(1.0, 0.01, 100), (0.333, 0.1, 3), (0.001, 0.01, 1)])
def test_reach_takes_the_nearest_whole_number_of_ticks(reach_s, tick_s, ticks):
    found = day(Config(reach_s=reach_s, hold_s=reach_s / 2), 3 * ticks, timing=Timing(tick_s, 1))
    assert [tick for tick, (_, outcome) in enumerate(found) if outcome] == [ticks - 1, 2 * ticks - 1, 3 * ticks - 1]


def test_targets_lie_on_the_circle_and_come_in_turn_every_day():
    for which in ({}, {"day": 2, "trials": 21}):
        found = [cue for cue, _ in day(Config(targets=4, distance_m=0.05, reach_s=0.02), 40, **which)]
        assert [cue.target for cue in found[::2]] == [k % 4 for k in range(20)]
        assert found[0].trial == which.get("trials", 0) + 1
        for cue, place in zip(found[::2], [(0.05, 0), (0, 0.05), (-0.05, 0), (0, -0.05)], strict=False):
            np.testing.assert_allclose(cue.goal[0], place, atol=1e-15)


def test_shuffled_targets_come_all_once_in_an_order_of_seed_and_day():
    def order(**which):
        found = day(Config(order="shuffled", reach_s=0.02), 160, **which)
        return [cue.target for cue, _ in found[::2]]

    blocks = np.reshape(order(), (10, 8))
    assert (np.sort(blocks, axis=1) == np.arange(8)).all()
    assert len({tuple(block) for block in blocks}) == 10
    assert order() == order(trials=50)
    assert order() != order(day=2)
    assert order() != order(seed=2)


def test_starts_are_uniform_in_radius_and_angle_and_depend_on_the_trial_of_the_day():
    def starts(**which):
        return np.concatenate([cue.start for cue, _ in day(Config(reach_s=0.01, start_jitter_m=0.02), 2000, **which)])

    found = starts()
    assert stats.kstest(np.hypot(*found.T), stats.uniform(0, 0.02).cdf).pvalue > 1e-3
    assert stats.kstest(np.arctan2(*found.T), stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3
    assert np.array_equal(found, starts(trials=11))
    assert not np.array_equal(found, starts(day=2))
    still = day(Config(start_jitter_m=0.0), 1)[0][0]
    assert not still.start.any()


def test_success_is_within_the_radius():
    config = Config(reach_s=0.01, radius_m=0.012)
    plan = TIMED_REACH.plan(config, TIMING)
    streams = open_streams((1,), "task", TIMED_REACH.streams(config))
    time = TimeIndex(0, 1, 0, 0)
    state, _ = TIMED_REACH.step(plan, TIMED_REACH.init(plan, time, 0), (0.0, 0.0), time, streams)
    outcomes = [TIMED_REACH.outcome(plan, state, (x, 0.0), time) for x in (0.0819, 0.0821, 0.0581, 0.0579)]
    assert outcomes == ["success", "missed", "success", "missed"]


def test_a_hold_as_long_as_the_reach_is_an_error():
    with pytest.raises(ValidationError, match=r"hold_s = 0.5 is the last part of reach_s = 0.5: must be less"):
        Config(reach_s=0.5, hold_s=0.5)


# --- in a session -----------------------------------------------------------------------------------------------


def timed(days=1, trials=6, **fields):
    """Plain data of a protocol; `reach_s` and such go to the task, families and timing stay what they are."""
    task = {"kind": "timed_reach", "reach_s": 0.3, "radius_m": 0.06, **fields.pop("task", {})}
    schedule = {"days": days, "blocks": [{"name": "only", "trials": trials}]}
    return centre_out(**{"schedule": schedule, "task": task, **fields})


def test_every_tick_is_part_of_exactly_one_trial():
    run = protocols.run(timed(days=2, task={"hold_s": 0.1}))
    ticks, trials = run.of("tick"), run.of("trial")
    assert len(ticks) == 2 * 6 * 30
    assert [tick["r"] for tick in ticks] == [tick["k"] // 30 + 1 for tick in ticks]
    assert [(t["r"], t["d"], t["a"], t["o"], t["k"]) for t in trials] == [
        (r, 1 + (r > 6), 30 * (r - 1), 30 * (r - 1), 30 * r - 1) for r in range(1, 13)
    ]
    assert [t["g"] for t in trials] == [0, 1, 2, 3, 4, 5] * 2
    for trial in trials:
        mine = ticks[trial["a"] : trial["k"] + 1]
        assert [tick["p"] for tick in mine] == [REACH] * 20 + [HOLD] * 10
        assert all(tick["t"] == trial["t"] for tick in mine)
        away = np.hypot(*np.subtract(mine[-1]["c"][:2], trial["t"]))
        assert trial["x"] == ("success" if away <= 0.06 else "missed")
    assert {trial["x"] for trial in trials} == {"success", "missed"}
    won = sum(trial["x"] == "success" for trial in trials)
    assert (run.states[-1].progress.trials, run.states[-1].progress.successes) == (12, won)
    assert [d["n"] for d in run.of("day") if d["x"] == "end"] == [6, 6]


def test_messages_of_consecutive_trials():
    run = protocols.run(timed(trials=3, task={"hold_s": 0.1}))
    trials = run.of("trial")
    messages = [(task["k"], task["r"], task["p"], task["g"], task["t"]) for task in run.of("task")]
    expected = []
    for r, trial in enumerate(trials, 1):
        a, where = 30 * (r - 1), trial["t"]
        expected += [(a, r, REACH, r - 1, where), (a + 20, r, HOLD, r - 1, where), (a + 29, r, REST, r - 1, None)]
    assert messages == expected


EFFECTORS = ({"kind": "cursor"}, {"kind": "point_mass", "mass_kg": 0.1}, {"kind": "two_link_arm"})


@pytest.mark.parametrize("effector", EFFECTORS, ids=lambda effector: effector["kind"])
@pytest.mark.parametrize("bin_ticks", [1, 5])
def test_each_trial_starts_at_rest_where_its_stream_says(effector, bin_ticks):
    run = protocols.run(timed(seed=3, bin_ticks=bin_ticks, effector=effector))
    c, v = run.column("c"), run.column("v")
    streams = open_streams((3,), "task", run.session.task.streams(run.session.protocol.task))
    kind, plan = run.session.effector, run.session.effector_plan
    for trial in range(6):
        radius, angle = streams["starts"].row(1, trial)[0] * [0.005, 2 * np.pi]
        place = radius * np.array([[np.cos(angle), np.sin(angle)]])
        state = kind.init(plan, place)
        for tick in range(30 * trial, 30 * trial + 30):  # all of the trial follows from its start and its commands
            state = kind.step(plan, state, Command(v[tick : tick + 1], None))
            np.testing.assert_allclose(c[tick], kind.cursor(plan, state)[0], rtol=0, atol=1e-12)
    if bin_ticks == 5:  # nothing is decoded before the end of the first bin
        assert not v[::30].any()
        assert not c[::30, 2:].any()
    assert max(np.hypot(*c[30 * k - 1, :2]) for k in range(1, 6)) > 0.006


def test_blocks_by_time_hold_whole_trials():
    ends = {"first": {"duration_s": 0.6}, "second": {"trials": 2}, "third": {"duration_s": 0.3}}
    blocks = [{"name": name, **end} for name, end in ends.items()]
    run = protocols.run(timed(schedule={"days": 2, "blocks": blocks}))
    assert [(t["d"], t["b"], t["k"]) for t in run.of("trial")] == [
        (d, b, 150 * (d - 1) + k) for d in (1, 2) for b, k in ((1, 29), (1, 59), (2, 89), (2, 119), (3, 149))
    ]
    for trial in run.of("trial"):
        assert [run.of("tick")[tick]["b"] for tick in (trial["a"], trial["k"])] == [trial["b"]] * 2
    assert "day_end" not in {t["x"] for t in run.of("trial")}


def test_a_day_that_ends_within_a_trial():
    run = protocols.run(timed(schedule={"days": 1, "blocks": [{"duration_s": 0.5}]}))
    assert [(t["r"], t["a"], t["k"], t["x"] == "day_end") for t in run.of("trial")] == [
        (1, 0, 29, False),
        (2, 30, 49, True),
    ]


def test_rests_between_trials():
    run = protocols.run(timed(trials=3, task={"inter_trial_s": 0.05}))
    phases, trials = run.column("p"), run.of("trial")
    expected = ([REST] * 5 + [REACH] * 30) * 3
    assert phases.tolist() == expected
    assert [(t["a"], t["o"], t["k"]) for t in trials] == [(5, 5, 34), (40, 40, 69), (75, 75, 104)]
    assert np.isnan(run.column("t")[phases == REST]).all()


def test_perturbations_of_a_trial_are_on_from_its_first_tick_to_its_last():
    envelope = {"shape": "block", "start": {"trial": 2}, "stop": {"trial": 3}}
    gain = protocols.perturbation("gain", "cursor", factor=2.0, envelope=envelope)
    run = protocols.run(timed(trials=4, perturbations=[gain]))
    assert [trial["w"] for trial in run.of("trial")] == [[], ["p"], [], []]
    assert [(messages["k"], messages["x"]) for messages in run.of("perturbation")] == [(30, "on"), (60, "off")]
    moved, decoded = run.column("c")[:, 2:], run.column("v")
    factor = np.repeat([1, 2, 1, 1], 30)[:, np.newaxis]
    np.testing.assert_allclose(moved, factor * decoded, atol=1e-15)


def test_starts_out_of_reach_are_refused_before_the_first_tick():
    for effector, reason in (("two_link_arm", "out of reach"), ("cursor", "outside the workspace")):
        data = timed(effector={"kind": effector}, task={"start_jitter_m": 0.3})
        with pytest.raises(ProtocolError, match=rf"task: trials begin where the effector cannot be; .*{reason}"):
            protocols.begun(data)


def test_a_session_resumed_at_any_tick_continues_the_same():
    session, state = protocols.begun(timed(task={"order": "shuffled"}))
    whole = protocols.turned(session, state)
    for tick in (1, 29, 30, 31, 89):
        rest = protocols.turned(session, whole.states[tick])
        messages = [(topic, payload) for topic, payload in whole.messages if payload["k"] >= tick]
        assert rest.messages == messages


def test_starts_differ_between_trials():
    starts = [cue.start for cue, _ in day(Config(reach_s=0.01), 20)]
    assert all(not np.array_equal(one, other) for one, other in pairwise(starts))
