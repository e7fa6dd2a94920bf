"""The waiting clock: pause, grants and silence, with each turn of the standing loop decided by the test."""

from __future__ import annotations

from typing import Any, cast

import pytest

from decoderd.clock import Unpaced
from decoderd.run.outlet import MemoryOutlet
from decoderd.service import waiting
from decoderd.service.lockstep import Lockstep
from decoderd.service.state_messages import StateMessages
from decoderd.service.systemd import Watchdog
from decoderd.service.waiting import WaitingClock
from decoderd.wire import codec, control
from tests.protocols import begun, lasting
from tests.service.in_memory import KeptCalls, shared_state


class Turns(MemoryOutlet):
    """An outlet that runs one step of the test in each turn of a loop that stands still."""

    def __init__(self, *steps):
        super().__init__()
        self.steps = list(steps)

    def send_pending(self):
        if self.steps:
            self.steps.pop(0)()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A loop that stands still looks for changes often, and time passes by a second a look."""
    monkeypatch.setattr(waiting, "STANDING_S", 0.001)
    now = [0]

    def now_ns():
        now[0] += 10**9
        return now[0]

    monkeypatch.setattr(waiting, "now_ns", now_ns)


@pytest.fixture
def shared():
    _, state = begun(lasting(1.0))
    with shared_state(state, "prepared") as found:
        yield found


def clock_of(shared, outlet, terms=None):
    """(clock, recorder, lockstep), where control has a thread of its own."""
    recorder = KeptCalls()
    messages = StateMessages(outlet, recorder, shared, 1)
    lockstep = Lockstep(terms) if terms is not None else None
    return WaitingClock(Unpaced(), shared, messages, outlet, Watchdog(), lockstep, None), recorder, lockstep


def sent(outlet):
    """(what, about) of the session messages."""
    return [(payload["x"], payload["w"]) for payload in (codec.decode(body) for _, body in outlet.sent)]


def test_without_a_pause_the_clock_within_decides(shared):
    outlet = Turns()
    clock, recorder, _ = clock_of(shared, outlet)
    assert clock.wait(0) == 0
    assert (outlet.sent, recorder.calls) == ([], [])


def test_a_pause_holds_the_tick_back_until_it_ends(shared):
    states = []
    outlet = Turns(lambda: states.append(shared.process_state), lambda: None, lambda: shared.set_paused(False))
    clock, recorder, _ = clock_of(shared, outlet)
    shared.paused = True
    assert clock.wait(0) == 0
    assert (states, shared.process_state) == (["paused"], "running")
    assert sent(outlet) == [("paused", ""), ("continued", "")]
    assert [call[0] for call in recorder.calls] == ["observe", "flush", "observe", "flush"]  # stored meanwhile


def test_a_stop_ends_a_pause(shared):
    outlet = Turns(shared.ask_stop)
    clock, _, _ = clock_of(shared, outlet)
    shared.paused = True
    assert clock.wait(0) is None
    assert shared.process_state == "running"


def test_a_commit_asked_for_during_a_pause(shared):
    outlet = Turns(shared.ask_flush, lambda: shared.set_paused(False))
    clock, recorder, _ = clock_of(shared, outlet)
    shared.paused = True
    clock.wait(0)
    assert [call[0] for call in recorder.calls] == ["observe", "flush", "flush", "observe", "flush"]


def grants(silence_s, when_silent, *names):
    return control.Participants(grants=dict.fromkeys(names, "tick"), silence_s=silence_s, when_silent=when_silent)


def test_a_tick_waits_for_its_grants(shared):
    states = []

    def grant():
        states.append(shared.process_state)
        lockstep.participants["a"].until = 1

    outlet = Turns(lambda: None, grant)
    clock, _, lockstep = clock_of(shared, outlet, grants(3600.0, "stop", "a"))
    assert clock.wait(0) == 0
    assert (states, shared.process_state, outlet.sent) == (["waiting"], "running", [])


def test_control_is_answered_in_the_state_that_a_session_is_going_to_stand_in(shared):
    states: list[str] = []
    lockstep = Lockstep(grants(3600.0, "stop", "a"))

    class Control:
        """In place of the control socket: grants the next tick in its first turn."""

        def turn(self, timeout_ms):
            states.append(shared.process_state)
            lockstep.participants["a"].until = 1

    outlet = Turns()
    messages = StateMessages(outlet, KeptCalls(), shared, 1)
    clock = WaitingClock(Unpaced(), shared, messages, outlet, Watchdog(), lockstep, cast(Any, Control()))
    assert clock.wait(0) == 0
    assert states == ["waiting"]
    clock.wait(0)  # granted: it is answered between two ticks
    assert states == ["waiting", "running"]


def test_silence_stops(shared):
    outlet = Turns()
    clock, _, _ = clock_of(shared, outlet, grants(5.0, "stop", "a", "b"))
    assert clock.wait(0) is None
    assert (shared.stopping, sent(outlet)) == (True, [("waiting", "a, b")])


def test_silence_is_reported_once_and_the_session_waits_on(shared):
    lockstep: Any = None
    outlet = Turns(*[lambda: None] * 20, lambda: setattr(lockstep.participants["a"], "until", 1))
    clock, _, lockstep = clock_of(shared, outlet, grants(5.0, "pause", "a"))
    assert clock.wait(0) == 0
    assert sent(outlet) == [("waiting", "a")]
    assert shared.process_state == "running"


def test_silent_participants_are_dropped_and_without_any_the_session_is_paused(shared):
    states = []

    def join():
        if shared.process_state == "paused":
            states.append(shared.process_state)
            participant = lockstep.participants["a"]
            participant.until, participant.taking_part = 1, True
            shared.set_paused(False)

    outlet = Turns(*[join] * 50)
    clock, _, lockstep = clock_of(shared, outlet, grants(5.0, "drop", "a", "b"))
    assert clock.wait(0) == 0
    assert sent(outlet) == [("dropped", "a"), ("dropped", "b"), ("paused", ""), ("continued", "")]
    assert (states, shared.process_state) == (["paused"], "running")
    assert not lockstep.participants["b"].taking_part
