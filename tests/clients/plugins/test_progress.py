"""Where a session stands, from its messages, against the positions of the session itself."""

from __future__ import annotations

import itertools

import pytest

from decoderd.session.step import step
from decoderd.trigger import Trigger, reached
from decoderd.wire.messages import Trial
from decoderd.wire.topics import read
from decoderd_client import Participant, Session
from decoderd_plugins.progress import SessionProgress, progress_of, trials_before
from tests.clients.plugins import building
from tests.protocols import begun, centre_out, given
from tests.service.serving import served

TRIALS, DAYS = 4, 3
PROTOCOL = centre_out(schedule={"days": DAYS, "blocks": [{"name": "only", "trials": TRIALS}]})
TRIGGERS = [
    Trigger(day=2),
    Trigger(trial=7),
    Trigger(day=2, trial=3),
    Trigger(day=1, trial=4),
    Trigger(day=3, trial=1),
    Trigger(tick=500),
]


def test_triggers_are_due_when_the_session_begins_the_trial():
    """The next trial or day has begun, in terms of the session, with the tick after the messages that announce it."""
    session, state = begun(PROTOCOL)
    progress = SessionProgress()
    due = dict.fromkeys(TRIGGERS)
    begins, ends = [], []
    while not state.progress.done:
        state, messages = step(session, state, given())
        for message in itertools.starmap(read, messages):
            progress.receive(message)
            if isinstance(message, Trial):
                begins.append(message.start_tick)
                ends.append(message.tick)
        for trigger, tick in due.items():
            if tick is None and progress.reached(trigger):
                due[trigger] = state.tick
    for trigger, tick in due.items():
        if trigger.tick is not None:
            assert tick == trigger.tick
            continue
        number = next(n for n in range(1, TRIALS * DAYS + 1) if reached(trigger, 0, *_place(n)))
        assert tick in (ends[number - 2] + 1, begins[number - 1] + 1), trigger


def _place(number):
    """(day, trial of the session, trial of the day) of trial `number`."""
    day, of_day = divmod(number - 1, TRIALS)
    return day + 1, number, of_day + 1


def test_more_trials_count_as_trials_of_this_day():
    progress = SessionProgress(tick=900, day=2, trials=5, trials_before_day=4)
    assert not progress.reached(Trigger(day=2, trial=4))
    assert progress.reached(Trigger(day=2, trial=4), more_trials=2)


def test_trials_of_earlier_days():
    days = [("block", 1, 0), ("end", 1, 4), ("block", 2, 0), ("end", 2, 5), ("block", 3, 0)]
    messages = [building.day(event, 0, number, trials) for event, number, trials in days]
    assert [trials_before(day, messages) for day in (1, 2, 3)] == [0, 4, 9]


@pytest.mark.parametrize("triggers", [[Trigger(day=2, trial=3)], [Trigger(day=2)]])
def test_progress_of_a_session_that_is_on_a_later_day(tmp_path, triggers):
    with (
        served(tmp_path, PROTOCOL, "--speed", "lockstep", "--participant", "test=trial") as (control, _, _),
        Session(control) as session,
    ):
        session.describe()
        Participant(session, "test").step(number=TRIALS + 2)
        progress = progress_of(session, triggers)
    assert (progress.day, progress.trials) == (2, TRIALS + 2)
    assert progress.trials_before_day == (TRIALS if triggers[0].trial else 0)
    assert progress.reached(triggers[0])
