"""The table of process states: complete, reachable, drawn, and no state is entered against it."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import get_args

import pytest

from decoderd.service import lifecycle
from decoderd.service.lifecycle import TRANSITIONS, IllegalTransition, next_state
from decoderd.service.process_file import ProcessRecord
from decoderd.wire import replies
from decoderd.wire.control import State

STATES = get_args(State)
TOOL = runpy.run_path(str(Path(__file__).resolve().parents[2] / "tools" / "lifecycle_diagram.py"))


def test_the_wire_names_the_states_of_the_table():
    assert tuple(replies.STATES) == STATES
    assert {state for one in TRANSITIONS.values() for state in (*one.before, one.after)} == set(STATES)
    assert set(TRANSITIONS) == set(get_args(lifecycle.Event))


def test_every_state_is_reached_from_the_first():
    reached, fresh = set(), {lifecycle.FIRST}
    while fresh:
        reached |= fresh
        fresh = {one.after for one in TRANSITIONS.values() if reached & set(one.before)} - reached
    assert reached == set(STATES)


@pytest.mark.parametrize("event", TRANSITIONS)
@pytest.mark.parametrize("state", STATES)
def test_events_are_possible_in_the_states_of_the_table_only(state, event):
    record = ProcessRecord(state=state)
    if state in TRANSITIONS[event].before:
        assert next_state(state, event) == record.after(event).state == TRANSITIONS[event].after
    else:
        for change in (next_state, lambda _, event: record.after(event)):
            with pytest.raises(IllegalTransition, match=f"'{event}' in state '{state}'"):
                change(state, event)


def test_groups_of_states():
    """A session has a process, or should have one, or is over until it is resumed."""
    assert set(lifecycle.LIVE).isdisjoint(lifecycle.OVER)
    assert {*lifecycle.LIVE, *lifecycle.OVER, "crashed"} == set(STATES)
    assert set(TRANSITIONS["resume"].before) == set(STATES) - set(lifecycle.LIVE)


def test_the_page_is_drawn_from_the_table():
    assert TOOL["PAGE"].read_text(encoding="utf-8") == TOOL["page"](), "run tools/lifecycle_diagram.py"
