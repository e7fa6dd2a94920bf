"""The external task shows the cue that events set, and refuses events that do not fit its state."""

import pytest

from decoderd.errors import Refused
from decoderd.state import Event, TimeIndex, Timing
from decoderd.tasks.external import EXTERNAL, Config
from decoderd.tasks.trial import CENTRE, REACH, REST
from decoderd.wire.inputs import TaskEvent

PLAN = EXTERNAL.plan(Config(radius_m=0.015), Timing(0.01, 5))
NOW = TimeIndex(3, 1, 3, 0)


def after_events(*events, state=None):
    """(state, cue) after these events of one tick."""
    state = EXTERNAL.init(PLAN, NOW, 4) if state is None else state
    for event in events:
        state = EXTERNAL.take(PLAN, state, TaskEvent.model_validate(event), NOW)
    return EXTERNAL.step(PLAN, state, (0.0, 0.0), NOW, {})


def test_a_trial():
    state, cue = after_events()
    assert (cue.goal, cue.phase, cue.trial, cue.events) == (None, REST, 4, ())
    state, cue = after_events({"event": "start"}, state=state)
    assert (cue.goal, cue.phase, cue.trial, cue.target) == (None, CENTRE, 5, -1)
    assert cue.events == (Event(CENTRE, None),)
    state, cue = after_events({"event": "go", "target": (0.05, -0.02), "index": 3, "radius_m": 0.02}, state=state)
    assert cue.goal.tolist() == [[0.05, -0.02]]
    assert (cue.phase, cue.trial, cue.target, cue.radius_m) == (REACH, 5, 3, 0.02)
    state, cue = after_events(state=state)
    assert cue.events == ()
    assert cue.goal.tolist() == [[0.05, -0.02]]
    state, cue = after_events({"event": "end", "outcome": "too_late"}, state=state)
    assert (cue.goal, cue.phase, cue.trial, cue.target) == (None, REST, 5, 3)
    assert cue.events == (Event(REST, "too_late"),)


def test_an_end_without_an_outcome_is_a_success():
    _, cue = after_events({"event": "start", "target": (0, 0)}, {"event": "go"}, {"event": "end"})
    assert cue.events == (Event(CENTRE, None), Event(REACH, None), Event(REST, "success"))


def test_a_target_may_come_with_the_start():
    state, cue = after_events({"event": "start", "target": (0.01, 0.02), "index": 2})
    assert cue.goal.tolist() == [[0.01, 0.02]]
    _, cue = after_events({"event": "go"}, state=state)
    assert (cue.goal.tolist(), cue.target) == ([[0.01, 0.02]], 2)


def test_a_new_trial_does_not_keep_the_last_target():
    """A trial without an index must not go into the records under the last one's."""
    state, _ = after_events({"event": "start", "target": (0.01, 0.02), "index": 2}, {"event": "end"})
    state, cue = after_events({"event": "start"}, state=state)
    assert (cue.goal, cue.target) == (None, -1)
    with pytest.raises(Refused, match="go needs a target"):
        after_events({"event": "go"}, state=state)


@pytest.mark.parametrize(
    ("before", "event", "says", "field"),
    [
        ([], {"event": "go", "target": (0, 0)}, "no trial is under way: send start before go", "event"),
        ([], {"event": "end"}, "no trial is under way: send start before end", "event"),
        ([{"event": "start"}], {"event": "start"}, r"a trial is under way \(trial 5\): send end before start", "event"),
        ([{"event": "start"}], {"event": "go"}, "go needs a target", "target"),
    ],
)
def test_invalid_requests_are_refused(before, event, says, field):
    with pytest.raises(Refused, match=says) as caught:
        after_events(*before, event)
    assert caught.value.field == field


def test_several_events_of_one_tick_are_all_shown():
    _, cue = after_events(
        {"event": "start", "target": (0, 0.05)},
        {"event": "go"},
        {"event": "end", "outcome": "aborted"},
        {"event": "start"},
    )
    assert [event.outcome for event in cue.events] == [None, None, "aborted", None]
    assert (cue.phase, cue.trial, cue.goal) == (CENTRE, 6, None)
