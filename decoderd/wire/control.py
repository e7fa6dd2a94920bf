"""Control: requests and replies, field by field; the only source of their schema.

Every request has `v` (version), `id` (chosen by the client; a request repeated under its id is answered again and not
carried out again) and `op`. Every reply has `v`, `id` and `ok`; one that is not ok has an `error`. How they become
frames: wire.envelope.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from decoderd.wire.inputs import AnyInput

Code = Literal[
    "malformed",  # not one msgpack map, or frames missing
    "too_large",
    "bad_version",
    "unknown_operation",
    "invalid",  # a field is missing, unknown, or has a wrong type or value
    "bad_protocol",
    "bad_array",
    "ill_conditioned",
    "bad_store",
    "refused",  # understood, but this session cannot do it; nothing was changed
    "not_found",
    "exists",
    "forbidden",  # an observer asked for what only a controller may
    "busy",  # too many requests wait
    "timeout",
    "over",  # the session has ended or is stopping
    "internal",
]

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME)]
Whole = Annotated[int, Field(strict=True, ge=0, le=2**53)]
Topic = Literal[
    "tick", "counts", "task", "trial", "plasticity", "decoder", "perturbation", "metrics", "day", "health", "session"
]


class Part(BaseModel):
    """A part of a request: unknown fields are errors, so that a misspelt one is not lost in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Request(Part):
    """What all requests have in common."""

    v: Literal[1]
    id: Annotated[str, Field(min_length=1, max_length=64, description="unique to this request, such as a UUID")]


class Participants(Part):
    """Who grants what in lockstep, and what happens when one is silent."""

    grants: Annotated[
        dict[Name, Literal["tick", "trial", "day"]], Field(min_length=1, max_length=16, description="by participant")
    ]
    silence_s: Annotated[float, Field(gt=0, le=86_400, description="how long a participant may keep silent")] = 30.0
    when_silent: Annotated[
        Literal["stop", "pause", "drop"],
        Field(description="stop the session; wait on, and say so; or go on without the silent one"),
    ] = "stop"


# --- of a session process


class Describe(Request):
    """What the session is and where it stands: the snapshot for who comes late."""

    op: Literal["describe"]


class Health(Request):
    """Whether the loop turns, and how punctually."""

    op: Literal["health"]


class GetDecoder(Request):
    """The decoder's arrays, unperturbed, as frames after the reply."""

    op: Literal["get_decoder"]


class Missed(Request):
    """Recorded messages of a topic from a sequence number on, as frames after the reply."""

    op: Literal["missed"]
    topic: Topic
    first: Whole
    count: Annotated[int, Field(strict=True, ge=1, le=1000)] = 1000


class Give(Request):
    """An input, to be consumed by the next tick: a task event, kinematics, a perturbation, a decoder, metrics."""

    op: Literal["input"]
    input: Annotated[AnyInput, Field(discriminator="op")]


class Pause(Request):
    """Let no more ticks pass."""

    op: Literal["pause"]


class Resume(Request):
    """Go on after a pause."""

    op: Literal["resume"]


class Stop(Request):
    """Stop at the next tick, with everything stored; the process goes on answering for a while. It can be resumed."""

    op: Literal["stop"]


class Checkpoint(Request):
    """Put all that has happened on the disk, now."""

    op: Literal["checkpoint"]


class Join(Request):
    """Take part in lockstep (again)."""

    op: Literal["join"]
    participant: Name


class Grant(Request):
    """Let the session run until so many ticks, trials or days are over, counted from its beginning.

    The inputs are consumed by the first of those ticks. The reply comes once they are over, or the session stops.
    """

    op: Literal["grant"]
    participant: Name
    until: Whole
    inputs: Annotated[
        tuple[Annotated[AnyInput, Field(discriminator="op")], ...],
        Field(max_length=64),
    ] = ()
    want: Annotated[tuple[Topic, ...], Field(max_length=10, description="topics to be sent with the reply")] = ()


class Leave(Request):
    """Take part in lockstep no more: the session does not wait for this participant."""

    op: Literal["leave"]
    participant: Name


SessionRequest = (
    Describe | Health | GetDecoder | Missed | Give | Pause | Resume | Stop | Checkpoint | Join | Grant | Leave
)


# --- of the supervisor


class List(Request):
    """All sessions of the data directory."""

    op: Literal["list"]


class Find(Request):
    """One session: how it is and where its sockets are."""

    op: Literal["describe"]
    session: Name


class Start(Request):
    """Begin a session. The protocol is that of a TOML file as a map; files it names are sought in the data directory.

    The reply comes once its sockets are bound. Repeated with the same protocol: the session that there is, as it is;
    one that was stopped does not begin again by that, but by `resume`.
    """

    op: Literal["start"]
    session: Name
    protocol: dict[str, JsonValue]
    speed: Annotated[str, Field(max_length=32, description="realtime, max, lockstep, or a factor")] = "realtime"
    lockstep: Participants | None = None


class ResumeSession(Request):
    """Go on with a session that has ended or stopped, from its last commit. A process that still answers is ended."""

    op: Literal["resume"]
    session: Name


class StopSession(Request):
    """Stop a session at a tick boundary, with everything stored. Its process goes on answering for a while; where it
    does so already, it is ended now, and `changed` is false."""

    op: Literal["stop"]
    session: Name


class SupervisorHealth(Request):
    """Whether the supervisor lives, and how its sessions do."""

    op: Literal["health"]


SupervisorRequest = List | Find | Start | ResumeSession | StopSession | SupervisorHealth

# What may be asked without the right to change anything.
OBSERVING = frozenset({"describe", "health", "get_decoder", "missed", "list"})

State = Literal[
    "preparing",  # calibrating, loading
    "running",
    "paused",
    "waiting",  # in lockstep, for a participant
    "stopped",  # no process; can be resumed
    "done",  # came to the end of its protocol
    "crashed",  # the process died; it will be resumed
    "failed",  # cannot go on: see `why`
]


# --- replies


class Reply(BaseModel):
    """What replies have in common. Readers ignore fields they do not know."""

    model_config = ConfigDict(frozen=True, extra="allow")

    v: Literal[1] = 1
    id: Annotated[str, Field(description="that of the request; empty if it could not be read")]
    ok: bool


class Fault(BaseModel):
    """Why a request was not carried out."""

    model_config = ConfigDict(frozen=True, extra="allow")

    code: Code
    message: Annotated[str, Field(description="what was wrong, where, and what would be right")]
    field: Annotated[str | None, Field(description="the offending field, with dots")] = None


class Failed(Reply):
    """The reply to a request that was not carried out. Nothing was changed."""

    ok: Literal[False] = False
    error: Fault


class Done(Reply):
    """The plain reply. `tick`: the one that consumed an input, or the next one to come."""

    ok: Literal[True] = True
    tick: Whole
    changed: Annotated[bool, Field(description="false if it was so already")] = True


class PerturbationState(BaseModel):
    """A perturbation of the session."""

    name: str
    state: Literal["waiting", "on", "past"]
    config: dict[str, Any]


class ArrayFrame(BaseModel):
    """An array in a frame of its own: float64, little-endian, row by row."""

    shape: list[Whole]
    frame: Annotated[Whole, Field(description="its place among the frames after the map, from 0")]


class Description(Reply):
    """A session and where it stands. `next` holds each topic's next sequence number."""

    ok: Literal[True] = True
    decoderd: Annotated[str, Field(description="version of the service, of no meaning to the protocol")]
    session: Annotated[str, Field(description="the session's name, `s` of its messages")]
    seed: Annotated[int, Field(strict=True, ge=0, description="that of the protocol")]
    state: State
    incarnation: Whole
    from_tick: Annotated[Whole, Field(description="first tick of this incarnation")]
    speed: str
    tick: Annotated[Whole, Field(description="the next one to come")]
    tick_s: float
    bin_ticks: int
    units: int
    readouts: Annotated[
        list[Whole] | None, Field(description="the units the decoder reads now, in its order; nil: all")
    ]
    first_readouts: Annotated[list[Whole] | None, Field(description="those it read on day 1")] = None
    day: int
    days: int
    block: str
    trial: Whole
    trials: Annotated[Whole, Field(description="finished")]
    successes: Whole
    phase: Whole
    goal: tuple[float, float] | None
    cursor: tuple[float, float, float, float]
    perturbations: list[PerturbationState]
    decoder: dict[str, Any]
    participants: dict[str, Any]
    next: dict[Topic, Whole]
    committed: Annotated[Whole, Field(description="ticks below this one are on the disk")]
    stream: Annotated[str, Field(description="endpoint to subscribe to")]
    control: str
    protocol: dict[str, Any]


class HealthReport(Reply):
    """How a session's loop does."""

    ok: Literal[True] = True
    state: State
    tick: Whole
    committed: Whole
    since_turn_s: Annotated[float, Field(description="time since the loop last turned")]
    errors: Annotated[Whole, Field(description="requests answered with an error")]
    dropped: Annotated[Whole, Field(description="requests that could not even be answered")]


class DecoderArrays(Reply):
    """The decoder's arrays; the frames follow."""

    ok: Literal[True] = True
    kind: str
    arrays: dict[str, ArrayFrame]


class MissedMessages(Reply):
    """Messages follow, a frame each, byte by byte as published, numbered from `first` without gaps.

    Fewer than asked for, or none, if no more are on the disk; `next` is the number that the topic's next message
    will have. What is published is on the disk within half a second.
    """

    ok: Literal[True] = True
    topic: Topic
    first: Whole
    count: Whole
    next: Whole


class Refusal(BaseModel):
    """An input of a grant that the session could not consume."""

    index: Whole
    code: Code
    message: str
    field: str | None = None


class Granted(Reply):
    """What was granted is over. Messages wanted follow, a frame each; `topics` names them in order."""

    ok: Literal[True] = True
    tick: Whole
    trials: Whole
    days: Whole
    state: State
    refused: list[Refusal]
    topics: list[Topic]
    lost: Annotated[Whole, Field(description="messages wanted that were too many to be sent: ask for them as missed")]


class SessionState(BaseModel):
    """A session as the supervisor knows it."""

    model_config = ConfigDict(extra="allow")

    session: Annotated[str, Field(description="its name, by which it was started; `s` of its messages")]
    state: State
    incarnation: Whole
    stream: str | None
    control: str | None
    why: Annotated[str | None, Field(description="for people: why it failed, or what it needs to go on")] = None


class Sessions(Reply):
    """All sessions."""

    ok: Literal[True] = True
    sessions: list[SessionState]


class One(Reply, SessionState):
    """One session."""

    ok: Literal[True] = True
    changed: bool = True


class SupervisorReport(Reply):
    """How the supervisor does."""

    ok: Literal[True] = True
    sessions: dict[State, Whole]
    restarts: Annotated[Whole, Field(description="sessions resumed after a crash, since the supervisor began")]
    errors: Whole
    dropped: Whole


REPLIES: dict[type[Request], type[Reply]] = {
    Describe: Description,
    Health: HealthReport,
    GetDecoder: DecoderArrays,
    Missed: MissedMessages,
    Give: Done,
    Pause: Done,
    Resume: Done,
    Stop: Done,
    Checkpoint: Done,
    Join: Done,
    Grant: Granted,
    Leave: Done,
    List: Sessions,
    Find: One,
    Start: One,
    ResumeSession: One,
    StopSession: One,
    SupervisorHealth: SupervisorReport,
}

OF_SESSION: TypeAdapter[SessionRequest] = TypeAdapter(Annotated[SessionRequest, Field(discriminator="op")])
OF_SUPERVISOR: TypeAdapter[SupervisorRequest] = TypeAdapter(Annotated[SupervisorRequest, Field(discriminator="op")])
