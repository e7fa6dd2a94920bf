"""The table of control operations: request, reply, role and process. All lists of operations come from it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, Union, get_args

from pydantic import Field, TypeAdapter

from decoderd.wire.replies import (
    Code,
    DecoderArrays,
    Description,
    Done,
    Failed,
    Granted,
    HealthReport,
    MissedMessages,
    One,
    Reply,
    Sessions,
    State,
    SupervisorReport,
)
from decoderd.wire.requests import (
    NAME,
    Checkpoint,
    Describe,
    Find,
    GetDecoder,
    Give,
    Grant,
    Health,
    Join,
    Leave,
    List,
    Missed,
    Participants,
    Pause,
    Request,
    Resume,
    ResumeSession,
    Start,
    Stop,
    StopSession,
    SupervisorHealth,
)

__all__ = [
    "NAME",
    "OBSERVING",
    "OF_SESSION",
    "OF_SUPERVISOR",
    "REPLIES",
    "TABLE",
    "Checkpoint",
    "Code",
    "Describe",
    "Failed",
    "Find",
    "GetDecoder",
    "Give",
    "Grant",
    "Health",
    "Join",
    "Leave",
    "List",
    "Missed",
    "Operation",
    "Participants",
    "Pause",
    "Resume",
    "ResumeSession",
    "Start",
    "State",
    "Stop",
    "StopSession",
    "SupervisorHealth",
    "of",
]

Process = Literal["session", "supervisor"]
# What a client's key permits: an observer may ask for what changes nothing, a controller for everything.
Role = Literal["observer", "controller"]


class Operation(NamedTuple):
    """An operation: which process answers it, which role may ask for it, its request, and the reply that is ok."""

    process: Process
    role: Role
    request: type[Request]
    reply: type[Reply]

    @property
    def op(self) -> str:
        """Its name: `op` of the request."""
        return str(get_args(self.request.model_fields["op"].annotation)[0])

    @property
    def handler(self) -> str:
        """Name of the method that carries it out, in the class that answers the requests of the process."""
        return f"_{self.op}"


TABLE: tuple[Operation, ...] = (
    Operation("session", "observer", Describe, Description),
    Operation("session", "observer", Health, HealthReport),
    Operation("session", "observer", GetDecoder, DecoderArrays),
    Operation("session", "observer", Missed, MissedMessages),
    Operation("session", "controller", Give, Done),
    Operation("session", "controller", Pause, Done),
    Operation("session", "controller", Resume, Done),
    Operation("session", "controller", Stop, Done),
    Operation("session", "controller", Checkpoint, Done),
    Operation("session", "controller", Join, Done),
    Operation("session", "controller", Grant, Granted),
    Operation("session", "controller", Leave, Done),
    Operation("supervisor", "observer", List, Sessions),
    Operation("supervisor", "observer", Find, One),
    Operation("supervisor", "controller", Start, One),
    Operation("supervisor", "controller", ResumeSession, One),
    Operation("supervisor", "controller", StopSession, One),
    Operation("supervisor", "observer", SupervisorHealth, SupervisorReport),
)


def of(process: Process) -> dict[str, Operation]:
    """{name: operation} of the operations that a process answers."""
    return {operation.op: operation for operation in TABLE if operation.process == process}


def _reader(process: Process) -> TypeAdapter[Any]:
    requests = tuple(operation.request for operation in of(process).values())
    union: Any = Annotated[Union[requests], Field(discriminator="op")]  # noqa: UP007
    return TypeAdapter(union)


# Readers of plain data as requests, for `envelope.read`.
OF_SESSION = _reader("session")
OF_SUPERVISOR = _reader("supervisor")
REPLIES: dict[type[Request], type[Reply]] = {operation.request: operation.reply for operation in TABLE}
# Names of the operations that an observer may ask for. One name has one role, whichever process answers.
OBSERVING = frozenset(operation.op for operation in TABLE if operation.role == "observer")
