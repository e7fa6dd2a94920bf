"""States of a session process and the events that change them, in one table.

The session process, the supervisor and the names of states on the wire (`wire.control.State`) use this table.
tools/lifecycle_diagram.py draws it as docs/explanation/lifecycle.md.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from decoderd.wire.control import State

Event = Literal["prepared", "pause", "continue", "wait", "granted", "stop", "end", "die", "fail", "resume"]


class Transition(NamedTuple):
    """What an event means, the states in which it can happen, and the state that follows."""

    meaning: str
    before: tuple[State, ...]
    after: State


# A process begins here.
FIRST: State = "preparing"

TRANSITIONS: dict[Event, Transition] = {
    "prepared": Transition("the first tick can begin", ("preparing",), "running"),
    "pause": Transition(
        "control asks for a pause, or lockstep has no participant left", ("running", "waiting"), "paused"
    ),
    "continue": Transition("control ends the pause, or a stop does", ("paused",), "running"),
    "wait": Transition("the next tick is not granted yet", ("running",), "waiting"),
    "granted": Transition("every participant has granted the next tick", ("waiting",), "running"),
    "stop": Transition(
        "a request or a signal asks for a stop; also a death while one was asked for",
        ("preparing", "running", "paused", "waiting", "crashed"),
        "stopped",
    ),
    "end": Transition("the last day of the protocol is over", ("running",), "done"),
    "die": Transition("the process is missing", ("preparing", "running", "paused", "waiting"), "crashed"),
    "fail": Transition(
        "the process ended with an error that it printed, or died too often at the same tick",
        ("preparing", "running", "paused", "waiting", "crashed"),
        "failed",
    ),
    "resume": Transition(
        "a new process is started for the session", ("stopped", "done", "crashed", "failed"), "preparing"
    ),
}

# States of a session that has a process, or should have one.
LIVE = TRANSITIONS["die"].before
# States whose process, if it still runs, only answers readers: everything is stored.
STORED = (TRANSITIONS["stop"].after, TRANSITIONS["end"].after)
# States in which no more ticks pass in this process.
OVER = (*STORED, TRANSITIONS["fail"].after)


class IllegalTransition(RuntimeError):
    """An event happened in a state in which the table does not have it: an error of the program."""


def next_state(state: State, event: Event) -> State:
    """The state that follows `event` in `state`. Raises IllegalTransition."""
    transition = TRANSITIONS[event]
    if state not in transition.before:
        expected = ", ".join(transition.before)
        raise IllegalTransition(f"event {event!r} in state {state!r}: it is possible in {expected} only")
    return transition.after
