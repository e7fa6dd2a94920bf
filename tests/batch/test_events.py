"""Events of otherwise quiet ticks against the same ticks by themselves."""

from __future__ import annotations

import pytest

from decoderd.batch.events import events
from decoderd.batch.quiet import restless
from decoderd.session.step import advance
from tests.batch.cases import CASES, rare
from tests.protocols import begun, centre_out

OF_EVENTS = ("task", "perturbations", "log", "progress")


def course(case, ticks=400):
    """For every tick of a session: the state before it, its events if any, and what the tick makes of the state."""
    session, state = begun(centre_out(**CASES[case]))
    while not state.progress.done and state.tick < ticks:
        found = None if restless(session, state) else events(session, state, 0)
        after, messages = advance(session, state)
        yield state, found, after, rare(messages)
        state = after


@pytest.mark.parametrize("case", ["kalman", "random targets, steady state", "perturbations without a memory"])
def test_events_are_those_of_the_tick_by_itself(case):
    some = 0
    for state, found, after, messages in course(case):
        if found is not None:
            assert found.messages == messages
            assert found.quiet.until > state.tick
            some += bool(messages)
            for name in OF_EVENTS:
                assert repr(getattr(found.state, name)) == repr(getattr(after, name))
            assert {**after.sequences, **found.state.sequences, "counts": 0} == {**after.sequences, "counts": 0}
    assert some > 5


@pytest.mark.parametrize("case", ["kalman", "random targets, steady state"])
def test_every_change_of_phase_is_an_event(case):
    for state, found, after, messages in course(case):
        if messages and state.tick and not after.progress.done:
            assert found is not None


@pytest.mark.parametrize(
    ("case", "topics"),
    [
        ("position and velocity, recentred", {"task"}),  # the cursor is put at the centre
        ("timed reach", {"task"}),  # the task may end the trial after the movement
        ("other readouts each day", {"day"}),
        ("every bin", {"decoder"}),
    ],
)
def test_what_changes_more_is_none(case, topics):
    refused = set()
    for _, found, _, messages in course(case):
        said = {topic for topic, _ in messages}
        assert found is None or said <= {"task", "trial", "perturbation"}
        if found is None:
            refused |= said
    assert topics <= refused


def test_nothing_is_changed():
    session, state = begun(centre_out(**CASES["kalman"]))
    state, _ = advance(session, state)
    for _ in range(70):
        before = repr(state)
        first, second = (events(session, state, 0) for _ in range(2))
        assert repr(first) == repr(second)
        assert repr(state) == before
        state, _ = advance(session, state)
