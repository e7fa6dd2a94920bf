"""The sink of a served session: the order of publishing and recording, and what control gets to see."""

from __future__ import annotations

from decoderd.run.outlet import MemoryOutlet
from decoderd.service.live_inputs import LiveInputs
from decoderd.service.lockstep import Lockstep
from decoderd.service.requests import ReceivedRequest
from decoderd.service.shared_state import PendingInput
from decoderd.service.sink import PublishingSink
from decoderd.service.systemd import Watchdog
from decoderd.wire import control
from tests.protocols import begun, given, lasting
from tests.service.in_memory import KeptCalls, shared_state

MESSAGES = [("tick", {"k": 0}, b"tick 0"), ("trial", {"q": 0}, b"trial 0")]


class Ordered(MemoryOutlet):
    """Enters what is sent among the calls of a recorder."""

    def __init__(self, calls):
        super().__init__()
        self.calls = calls

    def send(self, topic, body):
        super().send(topic, body)
        self.calls.append(("send", topic))


def test_messages_are_published_and_then_recorded():
    _, state = begun(lasting(1.0))
    recorder = KeptCalls()
    outlet = Ordered(recorder.calls)
    with shared_state(state, "prepared") as shared:
        sink = PublishingSink(outlet, recorder, shared, LiveInputs(shared, None), None, Watchdog())
        outlet.send_later("health", b"health 0")
        sink.put(MESSAGES, 0)
        assert shared.last_tick == {"k": 0}
    assert recorder.calls == [
        ("send", "tick"),
        ("send", "trial"),
        ("send", "health"),
        ("put", 0, ["tick", "trial"]),
    ]
    assert outlet.sent == [("tick", b"tick 0"), ("trial", b"trial 0"), ("health", b"health 0")]


def test_a_participant_gets_the_messages_that_it_wants():
    _, state = begun(lasting(1.0))
    lockstep = Lockstep(control.Participants(grants={"a": "tick"}))
    grant = control.Grant.model_construct(participant="a", until=1, inputs=(), want=("trial",))
    received = ReceivedRequest(grant, (b"client",))
    lockstep.grant(grant, received)
    with shared_state(state, "prepared") as shared:
        sink = PublishingSink(MemoryOutlet(), KeptCalls(), shared, LiveInputs(shared, lockstep), lockstep, Watchdog())
        sink.put(MESSAGES, 0)
    assert lockstep.take_results(state, ended=False) == []  # no tick is over
    (result,) = lockstep.take_results(state, ended=True)
    assert (result.received, result.messages, result.lost) == (received, [("trial", b"trial 0")], 0)


def test_after_a_tick_control_sees_its_state_and_the_results_of_inputs():
    _, state = begun(lasting(1.0))
    recorder = KeptCalls()
    with shared_state(state, "prepared") as shared:
        live_inputs = LiveInputs(shared, None)
        sink = PublishingSink(MemoryOutlet(), recorder, shared, live_inputs, None, Watchdog())
        (one,) = given({"op": "metrics", "source": "test", "values": {"x": 1.0}})
        shared.inputs.append(PendingInput(one, None))
        assert live_inputs.due(0) == [one]
        shared.ask_flush()
        after = state._replace(tick=1)
        sink.settle(after)
        assert shared.session_state is after
        assert [(pending.given, pending.tick) for pending in shared.consumed] == [(one, 0)]
        sink.settle(after)
    assert recorder.calls == [("flush", 1), ("settle", 1), ("settle", 1)]
