"""The course of a trial: every line of the table, tick by tick."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from decoderd.rng import Spec, Stream
from decoderd.state import TimeIndex
from decoderd.tasks import trial
from decoderd.tasks.centre_out import Config
from decoderd.tasks.random_targets import Config as RandomConfig
from decoderd.tasks.trial import CENTRE, CENTRE_HOLD, FROM_ANYWHERE, FROM_CENTRE, HOLD, PHASES, REACH, REST

LENGTH = (5, 30, 4, 20, 8)  # rest, centre, centre hold, reach, hold
RADII = (0.01, 0.02)
AT_CENTRE, AT_TARGET, AWAY = (0.0, 0.0), (0.07, 0.0), (0.3, 0.3)
GOAL = np.array([[0.07, 0.0]])


def follow(path, table=FROM_CENTRE, length=LENGTH):
    """[(tick, phases entered, outcome)] along `path`, a cursor position per tick."""
    state = trial.init(TimeIndex(0, 1, 0, 0), 0)._replace(goal=GOAL)
    log = []
    for tick, xy in enumerate(path):
        state, events = trial.advance(table, length, RADII, state, xy, tick)
        if events:
            assert state.since == tick
            assert state.phase == events[-1].phase
            outcome = [event.outcome for event in events if event.outcome]
            log.append((tick, [PHASES[event.phase] for event in events], *outcome))
    return log, state


def test_success():
    log, state = follow([AT_CENTRE] * 12 + [AWAY] * 3 + [AT_TARGET] * 14)
    assert log == [
        (5, ["centre"]),  # after 5 ticks of rest; the target is chosen before the cursor is looked at
        (6, ["centre_hold"]),
        (10, ["reach"]),  # held for 4 ticks
        (15, ["hold"]),
        (23, ["rest"], "success"),  # held for 8 ticks
        (28, ["centre"]),
    ]
    assert state.trial == 2


@pytest.mark.parametrize(
    ("path", "table", "expected"),
    [
        ([AWAY] * 36, FROM_CENTRE, (35, ["rest"], "centre_timeout")),
        ([AT_CENTRE] * 8 + [AWAY], FROM_CENTRE, (8, ["centre"])),
        ([AT_CENTRE] * 12 + [AWAY] * 19, FROM_CENTRE, (30, ["rest"], "reach_timeout")),
        ([AT_CENTRE] * 12 + [AT_TARGET] * 3 + [AWAY], FROM_CENTRE, (15, ["rest"], "hold_broken")),
        ([AWAY] * 26, FROM_ANYWHERE, (25, ["rest"], "reach_timeout")),
        ([AWAY] * 6 + [AT_TARGET] * 9, FROM_ANYWHERE, (14, ["rest"], "success")),
    ],
)
def test_other_paths_through_the_table(path, table, expected):
    assert follow(path, table)[0][-1] == expected


def test_a_broken_hold_does_not_restart_the_time_of_the_centre():
    """A cursor that flutters across the edge of the centre could keep a trial from ending otherwise."""
    log, _ = follow([AT_CENTRE] * 8 + [AWAY] * 40)
    assert log[2:4] == [(8, ["centre"]), (35, ["rest"], "centre_timeout")]
    fluttering, _ = follow([AT_CENTRE, AWAY] * 30)
    assert next(entry for entry in fluttering if entry[-1] == "centre_timeout")[0] == 35


def test_durations_of_zero_take_no_tick_but_a_trial_ends_and_begins_in_separate_ticks():
    log, state = follow([AT_CENTRE] * 2 + [AT_TARGET] * 2, length=(0, 30, 0, 20, 0))
    assert log == [
        (0, ["centre"]),
        (1, ["centre_hold", "reach"]),
        (2, ["hold", "rest"], "success"),
        (3, ["centre"]),
    ]
    assert state.trial == 2


@pytest.mark.parametrize(("x", "inside"), [(0.0699, True), (0.0501, True), (0.0499, False), (0.0901, False)])
def test_inside_is_within_the_radius(x, inside):
    state = trial.TrialState(REACH, 0, 0, 1, 0, GOAL)
    after, events = trial.advance(FROM_CENTRE, LENGTH, RADII, state, (x, 0.0), 1)
    assert (after.phase == HOLD) is inside
    assert bool(events) is inside


@pytest.mark.parametrize("phase", [REST, CENTRE, CENTRE_HOLD, REACH, HOLD])
def test_the_cue_of_each_phase(phase):
    state = trial.TrialState(phase, 0, 0, 4, 2, GOAL)
    cue = trial.cue(state, RADII)
    expected = {REST: (None, 0.0), CENTRE: ([[0, 0]], 0.01), CENTRE_HOLD: ([[0, 0]], 0.01)}
    goal, radius = expected.get(phase, (GOAL.tolist(), 0.02))
    assert (None if cue.goal is None else cue.goal.tolist()) == goal
    assert (cue.radius_m, cue.phase, cue.target, cue.trial, cue.events) == (radius, phase, 2, 4, ())


def test_durations_in_ticks():
    config = Config(inter_trial_s=0.5, centre_timeout_s=10, centre_hold_s=0, reach_timeout_s=3, target_hold_s=0.25)
    assert trial.durations(config, 0.01) == (50, 1000, 0, 300, 25)
    assert trial.durations(RandomConfig(inter_trial_s=1), 0.05) == (20, 0, 0, 100, 8)


@pytest.mark.parametrize("name", ["radius_m", "centre_radius_m"])
def test_a_cursor_larger_than_the_target_is_an_error(name):
    with pytest.raises(ValidationError, match=rf"cursor_radius_m = 0.02 does not fit inside {name} = 0.01"):
        Config(cursor_radius_m=0.02, **{"radius_m": 0.05, "centre_radius_m": 0.05, name: 0.01})


def test_targets_come_in_blocks_of_all():
    stream = Stream((1,), "task/order", Spec("uniform", 8))
    order = [trial.block_order(stream, 1, k, 8) for k in range(800)]
    blocks = np.reshape(order, (100, 8))
    assert (np.sort(blocks, axis=1) == np.arange(8)).all()
    assert len({tuple(block) for block in blocks}) == 100
    for place in range(8):  # every target as often in every place of the block
        assert stats.chisquare(np.bincount(blocks[:, place], minlength=8)).pvalue > 1e-3
    assert [trial.block_order(stream, 2, k, 8) for k in range(8)] != order[:8]
