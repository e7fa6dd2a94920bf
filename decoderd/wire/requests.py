"""The requests of control, field by field; the only source of their schema.

Every request has `v` (version), `id` (chosen by the client; a request repeated under its id is answered again and not
carried out again) and `op`. How requests become frames: wire.envelope. Which reply each gets: wire.control.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from decoderd.wire.inputs import AnyInput
from decoderd.wire.topics import NAMES, TopicName
from decoderd.wire.version import Version

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME)]
Whole = Annotated[int, Field(strict=True, ge=0, le=2**53)]
LatePolicy = Literal["catch-up", "from-now"]
ParticipantName = Annotated[
    str, Field(pattern=NAME, description="one of the participants that the session was started with")
]
SessionName = Annotated[str, Field(pattern=NAME, description="the name that the session was, or is to be, started by")]


class Part(BaseModel):
    """A part of a request: unknown fields are errors, so that a misspelt one is not lost in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Request(Part):
    """What all requests have in common."""

    v: Version
    id: Annotated[str, Field(min_length=1, max_length=64, description="unique to this request, such as a UUID")]


class Participants(Part):
    """The participants of lockstep, what each grants, and what the session does when one is silent."""

    grants: Annotated[
        dict[Name, Literal["tick", "trial", "day"]],
        Field(min_length=1, max_length=16, description="what is granted, by participant"),
    ]
    silence_s: Annotated[float, Field(gt=0, le=86_400, description="how long a participant may be silent, s")] = 30.0
    when_silent: Annotated[
        Literal["stop", "pause", "drop"],
        Field(description="stop the session; go on waiting and report it; or go on without the participant"),
    ] = "stop"


# --- of a session process


class Describe(Request):
    """What the session is and where it stands: the snapshot for a client that connects late."""

    op: Literal["describe"]


class Health(Request):
    """Whether the loop runs, and how punctually."""

    op: Literal["health"]


class GetDecoder(Request):
    """The decoder's arrays, unperturbed, as frames after the reply."""

    op: Literal["get_decoder"]


class Missed(Request):
    """Recorded messages of a topic from a sequence number on, as frames after the reply."""

    op: Literal["missed"]
    topic: Annotated[TopicName, Field(description="whose messages")]
    first: Annotated[Whole, Field(description="sequence number of the first message")]
    count: Annotated[int, Field(strict=True, ge=1, le=1000, description="how many messages")] = 1000


class Give(Request):
    """An input, to be consumed by the next tick: a task event, kinematics, a perturbation, a decoder, metrics."""

    op: Literal["input"]
    input: Annotated[AnyInput, Field(discriminator="op", description="see [inputs](#inputs)")]


class Pause(Request):
    """Let no more ticks pass."""

    op: Literal["pause"]


class Resume(Request):
    """Go on after a pause."""

    op: Literal["resume"]


class Stop(Request):
    """Stop at the next tick, with everything stored. It can be resumed.

    The process goes on answering for a while.
    """

    op: Literal["stop"]


class Checkpoint(Request):
    """Write all that has happened to the disk, now."""

    op: Literal["checkpoint"]


class Join(Request):
    """Take part in lockstep (again)."""

    op: Literal["join"]
    participant: ParticipantName


class Grant(Request):
    """Let the session run until so many ticks, trials or days are over, counted from its beginning.

    The inputs are consumed by the first of those ticks. The reply comes once they are over, or the session stops.
    """

    op: Literal["grant"]
    participant: ParticipantName
    until: Annotated[Whole, Field(description="so many ticks, trials or days since the session began")]
    inputs: Annotated[
        tuple[Annotated[AnyInput, Field(discriminator="op")], ...],
        Field(max_length=64, description="see [inputs](#inputs), consumed in this order"),
    ] = ()
    want: Annotated[
        tuple[TopicName, ...],
        Field(max_length=len(NAMES), description="topics whose messages are to be sent with the reply"),
    ] = ()


class Leave(Request):
    """Take part in lockstep no more: the session does not wait for this participant."""

    op: Literal["leave"]
    participant: ParticipantName


# --- of the supervisor


class List(Request):
    """All sessions of the data directory."""

    op: Literal["list"]


class Find(Request):
    """One session: its state and its sockets."""

    op: Literal["describe"]
    session: SessionName


class Start(Request):
    """Begin a session. The protocol is that of a TOML file as a map; files it names are sought in the data directory.

    The reply comes once its sockets are bound. Repeated with the same protocol: the session that exists, as it is;
    one that was stopped does not begin again by that, but by `resume`.
    """

    op: Literal["start"]
    session: SessionName
    protocol: Annotated[dict[str, JsonValue], Field(description="what would stand in the TOML file")]
    speed: Annotated[str, Field(max_length=32, description="`realtime`, `max`, `lockstep`, or a factor as text")] = (
        "realtime"
    )
    lockstep: Annotated[
        Participants | None, Field(description="the participants; needed at speed `lockstep`, and only there")
    ] = None
    late: Annotated[
        LatePolicy,
        Field(
            description="what follows a delay, as of a stopped process: the late ticks at once, until none is late "
            "(`catch-up`), or the next tick one period after the late one (`from-now`)"
        ),
    ] = "catch-up"


class ResumeSession(Request):
    """Go on with a session that has ended or stopped, from its last commit. A process that still answers is ended."""

    op: Literal["resume"]
    session: SessionName


class StopSession(Request):
    """Stop a session at a tick boundary, with everything stored.

    Its process goes on answering for a while; if it does so already, it is ended now, and `changed` is false.
    """

    op: Literal["stop"]
    session: SessionName


class SupervisorHealth(Request):
    """Whether the supervisor runs, and the states of its sessions."""

    op: Literal["health"]
