"""Control without a process: an invalid request gets one typed error and changes nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from decoderd.clock import Stepped
from decoderd.errors import StoreError
from decoderd.protocol import protocol as protocols
from decoderd.recording import session_file
from decoderd.run import loop
from decoderd.run.signals import Interrupt
from decoderd.service import control as control_module
from decoderd.service.control import SessionControl
from decoderd.service.description import RunInfo
from decoderd.service.live_inputs import LiveInputs
from decoderd.service.lockstep import Lockstep
from decoderd.service.requests import RequestSocket, open_router
from decoderd.service.shared_state import SharedState
from decoderd.wire import codec, control, envelope
from decoderd.wire.version import VERSION
from tests.protocols import begun, lasting, outside
from tests.service.in_memory import KeptEntry
from tests.wire import generated
from tests.wire.generated import CODES, MODELS, packed, valid

TERMS = control.Participants(grants={"a": "tick", "b": "trial"})


class Sink:
    """Keeps what the loop produces, and keeps the shared state up to date."""

    def __init__(self, shared: SharedState, live_inputs: LiveInputs) -> None:
        self._shared, self._live_inputs = shared, live_inputs
        self.bodies: list[bytes] = []
        self.journalled: list[bytes] = []

    def put(self, messages: Any, tick: int) -> None:
        self.bodies += [body for _, _, body in messages]

    def journal(self, tick: int, place: int, body: bytes) -> None:
        self.journalled.append(body)

    def timed(self, late_ns: int, busy_ns: int) -> None:
        pass

    def settle(self, state: Any) -> None:
        self._shared.session_state = state
        self._live_inputs.tick_over(state.tick - 1)


class Controlled(NamedTuple):
    """A session before its first tick, and sockets within the process for requests to it."""

    session: Any
    state: Any
    store: Any
    router: Any
    dealer: Any

    def __repr__(self) -> str:
        return f"<{self.session.name}>"

    def run_info(self, speed="realtime"):
        ends = ("tcp://127.0.0.1:1", "tcp://127.0.0.1:2")
        return RunInfo(self.session, self.store, 1, 0, speed, *ends, protocols.dump(self.session.protocol))

    def shared(self):
        shared = SharedState(self.state, Interrupt(), KeptEntry())
        shared.advance("prepared")
        return shared

    def request(self, frames, terms=None, ticks=2):
        """Send one request, run ticks, conclude: (replies, messages of the loop, whether anything was changed)."""
        shared = self.shared()
        lockstep = Lockstep(terms) if terms is not None else None
        live_inputs = LiveInputs(shared, lockstep)
        run_info = self.run_info("lockstep" if terms is not None else "realtime")
        session_control = SessionControl(RequestSocket(self.router), shared, run_info, lockstep)
        sink = Sink(shared, live_inputs)
        try:
            self.dealer.send_multipart(frames)
            session_control.turn(1000)
            loop.run(self.session, self.state, Stepped(ticks), sink, live_inputs)
            session_control.conclude()
            replies = []
            while self.dealer.poll(0):
                replies.append(codec.decode(self.dealer.recv_multipart()[0]))
        finally:
            session_control.close()
            shared.close()
        granted = [(one.until, one.inputs, one.taking_part) for one in lockstep.participants.values()] if terms else []
        changed = (
            shared.paused or shared.stopping or bool(sink.journalled) or any(one != (0, [], True) for one in granted)
        )
        return replies, sink.bodies, changed


@pytest.fixture(scope="module", params=["simulated", "outside"])
def controlled(request, tmp_path_factory):
    session, state = begun(lasting(60.0) if request.param == "simulated" else outside())
    store, _ = session_file.begin(tmp_path_factory.mktemp("control"), session, state)
    context = zmq.Context()
    router, dealer = open_router(context), context.socket(zmq.DEALER)
    router.bind("inproc://control")
    dealer.connect("inproc://control")
    with store:
        yield Controlled(session, state, store, router, dealer)
    context.destroy(linger=0)


@pytest.mark.parametrize("terms", [None, TERMS], ids=["paced", "lockstep"])
@given(data=st.data())
@settings(max_examples=75)
def test_spoilt_requests_get_one_typed_reply_and_change_nothing(controlled, terms, data):
    frames = [
        packed(data.draw(generated.spoilt(valid["session"]))),
        *data.draw(st.lists(st.binary(max_size=9), max_size=2)),
    ]
    (reply,), bodies, changed = controlled.request(frames, terms)
    if reply["ok"]:  # what is left of it is a request
        control.REPLIES[type(envelope.read(frames, control.OF_SESSION))].model_validate(reply)
        return
    assert control.Failed.model_validate(reply).error.code in CODES
    assert not changed
    assert bodies == controlled.request([packed({"v": VERSION, "id": "a", "op": "health"})], terms)[1]


@pytest.mark.parametrize("terms", [None, TERMS], ids=["paced", "lockstep"])
@pytest.mark.parametrize("model", MODELS["session"], ids=lambda model: model.__name__)
@given(data=st.data())
@settings(max_examples=10)
def test_valid_requests_get_the_reply_of_their_operation(controlled, model, terms, data):
    """Valid in form; whether this session can do it is another question."""
    given = model.model_validate(data.draw(generated.of_model(model)))
    (reply,), _, changed = controlled.request(envelope.write(given.model_dump()), terms)
    assert reply["id"] == given.id
    if reply["ok"]:
        control.REPLIES[model].model_validate(reply)
    else:
        assert control.Failed.model_validate(reply).error.code in CODES
    if model in (control.Describe, control.Health, control.GetDecoder, control.Missed):
        assert not changed


def test_a_file_that_cannot_be_read_and_a_fault_of_our_own_are_answered(controlled, monkeypatch):
    ask = [packed({"v": VERSION, "id": "a", "op": "missed", "topic": "tick", "first": 0})]
    for error, code in (
        (StoreError("the disk is missing", "session.sqlite"), "bad_store"),
        (KeyError("oh"), "internal"),
    ):

        def fails(_, error=error):
            raise error

        monkeypatch.setattr(SessionControl, "_read", fails)
        (reply,), _, _ = controlled.request(ask)
        assert (reply["ok"], reply["error"]["code"]) == (False, code)


def test_decoders_that_wait_are_bounded_in_bytes(controlled):
    """While a session is paused nothing takes its inputs."""
    shared = controlled.shared()
    shared.advance("pause")
    session_control = SessionControl(RequestSocket(controlled.router), shared, controlled.run_info(), None)
    array = {"shape": [2**21], "data": bytes(2**24)}
    for number in range(8):
        given = {"op": "decoder", "arrays": {"A": array}}
        controlled.dealer.send_multipart(
            envelope.write({"v": VERSION, "id": f"{number}", "op": "input", "input": given})
        )
        session_control.turn(1000)
    waiting = len(shared.inputs)
    shared.advance("stop")
    session_control.conclude()
    codes = [codec.decode(controlled.dealer.recv_multipart()[0])["error"]["code"] for _ in range(8)]
    session_control.close()
    shared.close()
    assert (waiting, codes.count("busy"), codes.count("over")) == (5, 3, 5)


@pytest.mark.parametrize("op", ["checkpoint", "stop"])
def test_requests_that_wait_for_a_commit_or_for_the_end_are_bounded(controlled, op, monkeypatch):
    monkeypatch.setattr(control_module, "WAITING", 5)
    shared = controlled.shared()
    shared.committed = -1  # there is something to commit
    session_control = SessionControl(RequestSocket(controlled.router), shared, controlled.run_info(), None)
    for number in range(8):
        controlled.dealer.send_multipart(envelope.write({"v": VERSION, "id": f"{number}", "op": op}))
        session_control.turn(1000)
    refused = [codec.decode(controlled.dealer.recv_multipart()[0])["error"]["code"] for _ in range(3)]
    assert not controlled.dealer.poll(0)
    shared.advance("stop")
    session_control.conclude()
    done = [codec.decode(controlled.dealer.recv_multipart()[0])["ok"] for _ in range(5)]
    session_control.close()
    shared.close()
    assert (refused, done) == (["busy"] * 3, [True] * 5)
