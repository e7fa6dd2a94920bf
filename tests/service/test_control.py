"""The desk without a process: what is no request gets one typed error, and the session does not notice."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from decoderd.clock import Stepped
from decoderd.errors import StoreError
from decoderd.recording import session_file
from decoderd.run import loop
from decoderd.service.control import Desk, Facts
from decoderd.service.live_inputs import Inbox
from decoderd.service.lockstep import Lockstep
from decoderd.service.requests import Answering, open_router
from decoderd.service.shared_state import Board
from decoderd.wire import codec, control, envelope
from tests.protocols import begun, lasting, outside
from tests.wire import generated
from tests.wire.generated import packed
from tests.wire.test_envelope import CODES, MODELS, valid

TERMS = control.Participants(grants={"a": "tick", "b": "trial"})
ENDPOINTS = ("tcp://127.0.0.1:1", "tcp://127.0.0.1:2")


class Sink:
    """What the loop put out, and the board that it keeps up to date."""

    def __init__(self, board: Board, inbox: Inbox) -> None:
        self._board, self._inbox = board, inbox
        self.bodies: list[bytes] = []
        self.journalled: list[bytes] = []

    def put(self, messages: Any, tick: int) -> None:
        self.bodies += [body for _, _, body in messages]

    def journal(self, tick: int, place: int, body: bytes) -> None:
        self.journalled.append(body)

    def timed(self, late_ns: int, busy_ns: int) -> None:
        pass

    def settle(self, state: Any) -> None:
        self._board.state = state
        self._inbox.over(state.tick - 1)


class Office(NamedTuple):
    """A session before its first tick, and sockets within the process to ask about it."""

    session: Any
    state: Any
    store: Any
    router: Any
    dealer: Any

    def __repr__(self) -> str:
        return f"<{self.session.name}>"

    def visited(self, frames, terms=None, ticks=2):
        """Ask once, let ticks pass, conclude: (replies, what the loop put out, whether anything of it was changed)."""
        board = Board()
        board.state, board.phase = self.state, "running"
        lockstep = Lockstep(terms) if terms is not None else None
        inbox = Inbox(board, lockstep)
        facts = Facts(self.session, self.store, 1, 0, "lockstep" if terms is not None else "realtime")
        desk = Desk(Answering(self.router), board, facts, lockstep, ENDPOINTS)
        sink = Sink(board, inbox)
        try:
            self.dealer.send_multipart(frames)
            desk.turn(1000)
            loop.run(self.session, self.state, Stepped(ticks), sink, inbox)
            desk.conclude()
            replies = []
            while self.dealer.poll(0):
                replies.append(codec.decode(self.dealer.recv_multipart()[0]))
        finally:
            desk.close()
            board.close()
        granted = [(who.until, who.inputs, who.taking_part) for who in lockstep.participants.values()] if terms else []
        changed = (
            board.paused or board.stopping or bool(sink.journalled) or any(one != (0, [], True) for one in granted)
        )
        return replies, sink.bodies, changed


@pytest.fixture(scope="module", params=["simulated", "outside"])
def office(request, tmp_path_factory):
    session, state = begun(lasting(60.0) if request.param == "simulated" else outside())
    store, _ = session_file.begin(tmp_path_factory.mktemp("desk"), session, state)
    context = zmq.Context()
    router, dealer = open_router(context), context.socket(zmq.DEALER)
    router.bind("inproc://desk")
    dealer.connect("inproc://desk")
    with store:
        yield Office(session, state, store, router, dealer)
    context.destroy(linger=0)


@pytest.mark.parametrize("terms", [None, TERMS], ids=["paced", "lockstep"])
@given(data=st.data())
@settings(max_examples=75)
def test_spoilt_requests_get_one_typed_reply_and_change_nothing(office, terms, data):
    frames = [
        packed(data.draw(generated.spoilt(valid["session"]))),
        *data.draw(st.lists(st.binary(max_size=9), max_size=2)),
    ]
    (reply,), bodies, changed = office.visited(frames, terms)
    if reply["ok"]:  # what is left of it is a request
        control.REPLIES[type(envelope.read(frames, control.OF_SESSION))].model_validate(reply)
        return
    assert control.Failed.model_validate(reply).error.code in CODES
    assert not changed
    assert bodies == office.visited([packed({"v": 2, "id": "a", "op": "health"})], terms)[1]


@pytest.mark.parametrize("terms", [None, TERMS], ids=["paced", "lockstep"])
@pytest.mark.parametrize("model", MODELS["session"], ids=lambda model: model.__name__)
@given(data=st.data())
@settings(max_examples=10)
def test_valid_requests_get_the_reply_of_their_operation(office, model, terms, data):
    """Valid in form; whether this session can do it is another question."""
    given = model.model_validate(data.draw(generated.of_model(model)))
    (reply,), _, changed = office.visited(envelope.write(given.model_dump()), terms)
    assert reply["id"] == given.id
    if reply["ok"]:
        control.REPLIES[model].model_validate(reply)
    else:
        assert control.Failed.model_validate(reply).error.code in CODES
    if model in (control.Describe, control.Health, control.GetDecoder, control.Missed):
        assert not changed


def test_a_file_that_cannot_be_read_and_a_fault_of_our_own_are_answered(office, monkeypatch):
    ask = [packed({"v": 2, "id": "a", "op": "missed", "topic": "tick", "first": 0})]
    for error, code in ((StoreError("the disk is gone", "session.sqlite"), "bad_store"), (KeyError("oh"), "internal")):

        def fails(_, error=error):
            raise error

        monkeypatch.setattr(Desk, "_read", fails)
        (reply,), _, _ = office.visited(ask)
        assert (reply["ok"], reply["error"]["code"]) == (False, code)


def test_decoders_that_wait_are_bounded_in_bytes(office):
    """While a session is paused nothing takes its inputs."""
    board = Board()
    board.state, board.phase = office.state, "paused"
    desk = Desk(Answering(office.router), board, Facts(office.session, office.store, 1, 0, "realtime"), None, ENDPOINTS)
    array = {"shape": [2**21], "data": bytes(2**24)}
    for number in range(8):
        given = {"op": "decoder", "arrays": {"A": array}}
        office.dealer.send_multipart(envelope.write({"v": 2, "id": f"{number}", "op": "input", "input": given}))
        desk.turn(1000)
    waiting = len(board.inputs)
    board.phase = "stopped"
    desk.conclude()
    told = [codec.decode(office.dealer.recv_multipart()[0])["error"]["code"] for _ in range(8)]
    desk.close()
    board.close()
    assert (waiting, told.count("busy"), told.count("over")) == (5, 3, 5)
