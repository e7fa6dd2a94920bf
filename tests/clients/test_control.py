"""Control over real sockets: requests are sent again under one id, refusals are typed."""

from __future__ import annotations

import asyncio
import struct
import time

import pytest

from decoderd.wire import control, envelope
from decoderd_client import AsyncSession, ControlError, NoAnswer, Session, Supervisor, requests
from decoderd_client.control import SessionOperations, SupervisorOperations
from tests.clients.fake import Fake


class Recording:
    """Keeps requests instead of sending them."""

    def _ask(self, op, **fields):
        return requests.request(op, fields)[1]


class RecordingSession(Recording, SessionOperations):
    pass


class RecordingSupervisor(Recording, SupervisorOperations):
    pass


ARRAY = ([1, 2], struct.pack("<2d", 1.0, 2.0))
TURN = {"name": "turn", "kind": "rotation", "site": "cursor", "angle_rad": 0.5}
OF_SESSION = [
    ("describe", ()),
    ("health", ()),
    ("get_decoder", ()),
    ("missed", ("tick", 3, 5)),
    ("send_input", ({"op": "unperturb", "name": "turn"},)),
    ("perturb", (TURN,)),
    ("unperturb", ("turn",)),
    ("task_event", ("start",)),
    ("kinematics", ((0.1, 0.0), (0.0, 0.0))),
    ("set_decoder", ({"K": ARRAY},)),
    ("metrics", ("me", {"x": 1.0}, 2)),
    ("pause", ()),
    ("resume", ()),
    ("stop", ()),
    ("checkpoint", ()),
    ("join", ("a",)),
    ("grant", ("a", 3, [{"op": "unperturb", "name": "x"}], ["tick"])),
    ("leave", ("a",)),
]
OF_SUPERVISOR = [
    ("sessions", ()),
    ("find", ("s",)),
    ("start", ("s", {"name": "p"}, "max")),
    ("resume", ("s",)),
    ("stop", ("s",)),
    ("health", ()),
]


@pytest.mark.parametrize(("name", "arguments"), OF_SESSION)
def test_operations_of_a_session_are_valid_requests(name, arguments):
    envelope.read(getattr(RecordingSession(), name)(*arguments), control.OF_SESSION)


@pytest.mark.parametrize(("name", "arguments"), OF_SUPERVISOR)
def test_operations_of_a_supervisor_are_valid_requests(name, arguments):
    envelope.read(getattr(RecordingSupervisor(), name)(*arguments), control.OF_SUPERVISOR)


@pytest.mark.parametrize(
    ("recording", "operations", "adapter"),
    [(RecordingSession, OF_SESSION, control.OF_SESSION), (RecordingSupervisor, OF_SUPERVISOR, control.OF_SUPERVISOR)],
)
def test_no_operation_of_the_protocol_is_missing(recording, operations, adapter):
    requested = {envelope.read(getattr(recording(), name)(*arguments), adapter).op for name, arguments in operations}
    schema = adapter.json_schema()
    assert requested == set(schema["discriminator"]["mapping"])


def test_an_unanswered_request_is_repeated_under_its_id():
    with Fake() as fake, Session(fake.control, timeout_s=0.2) as session:
        fake.ignored = 2
        assert session.describe()["stream"] == fake.stream
        assert len(fake.requests) >= 3
        assert len({request["id"] for request in fake.requests}) == 1


def test_without_an_answer_the_client_gives_up():
    with Fake() as fake, Session(fake.control, timeout_s=0.1, attempts=2) as session:
        fake.ignored = 2
        with pytest.raises(NoAnswer, match=r"'describe' in 2 x 0\.1 s"):
            session.describe()


def test_a_late_reply_is_not_taken_for_another_requests():
    def slow(request, frames):
        time.sleep(0.3)
        return {"state": "running", "late": True}, []

    with Fake() as fake, Session(fake.control, timeout_s=0.1, attempts=1) as session:
        fake.answers["health"] = slow
        with pytest.raises(NoAnswer):
            session.health()
        session._timeout_ms = 20_000
        assert "late" not in session.describe()


def test_a_refusal_is_typed():
    with Fake() as fake, Session(fake.control) as session, pytest.raises(ControlError, match="a fake") as caught:
        session.pause()
    assert (caught.value.code, caught.value.field) == ("refused", "op")


def busy_once(fake, name):
    """Answer the first such request as a session does that is being prepared."""
    asked = []

    def answer(request, frames):
        asked.append(request["id"])
        if len(asked) == 1:
            return {"ok": False, "error": {"code": "busy", "message": "it is being prepared", "field": None}}, []
        return {"tick": 7, "changed": True}, []

    fake.answers[name] = answer
    return asked


def test_a_session_that_is_being_prepared_is_asked_again():
    with Fake() as fake, Session(fake.control) as session:
        asked = busy_once(fake, "join")
        assert session.join("a")["tick"] == 7
        assert len(set(asked)) == 2  # under a new id: the reply to the first is remembered
        asked = busy_once(fake, "checkpoint")
        with pytest.raises(ControlError) as caught:  # what changes something is for the user to repeat
            session.checkpoint()
    assert (caught.value.code, len(asked)) == ("busy", 1)


def test_asyncio_asks_several_things_at_once():
    async def ask():
        async with AsyncSession(fake.control, timeout_s=0.3, attempts=30) as session:
            fake.ignored = 1
            described = await asyncio.gather(*(session.describe() for _ in range(5)))
            with pytest.raises(ControlError, match="a fake"):
                await session.pause()
            return described

    with Fake() as fake:
        assert {one["stream"] for one in asyncio.run(ask())} == {fake.stream}


def test_a_session_without_a_process_has_no_control():
    with Fake() as fake, Supervisor(fake.control) as supervisor:
        fake.answers["describe"] = lambda request, frames: ({"control": None, "state": "failed", "why": "disk"}, [])
        with pytest.raises(ControlError, match=r"'x' is failed \(disk\)"):
            supervisor.session("x")
