"""The replies of control, field by field; the only source of their schema.

Every reply has `v`, `id` and `ok`; one that is not ok has an `error`. How replies become frames: wire.envelope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from decoderd.wire.requests import LatePolicy, Whole
from decoderd.wire.topics import TopicName
from decoderd.wire.version import VERSION, Version

# Codes of errors, and what they mean.
CODES = {
    "malformed": "not one msgpack map with str keys, or an array's frame is not there",
    "too_large": "see limits",
    "bad_version": "`v` is not the version that the service speaks: use a client of its version",
    "unknown_operation": "`op` is missing, or not one of this socket",
    "invalid": "a field is missing, unknown, or has a wrong type or value; but see `refused`",
    "bad_protocol": "start, resume: the protocol of the experiment does not validate",
    "bad_array": "start, resume: a file has an array of a wrong shape, or numbers that are not finite",
    "ill_conditioned": "start, resume: numbers that no stable computation can use",
    "bad_store": "start, resume: the session file is foreign, corrupt, locked, or cannot be written",
    "refused": (
        "understood, but this session cannot do it: another task or decoder, a wrong shape, lockstep where "
        "there is none. Also whatever is wrong within `perturbation` and `arrays`, such as a missing field: "
        "what belongs there depends on the session"
    ),
    "not_found": "no such session or participant",
    "exists": "start: there is a session of this name with another protocol",
    "forbidden": "an observer asked for what only a controller may do",
    "busy": (
        "too much waits, a grant of this participant is under way, the session is being prepared, or the service has "
        "run out of something: try later, under a new id"
    ),
    "timeout": "reserved",
    "over": "the session has ended or is stopping",
    "internal": (
        "start, resume: the process failed in some other way; `message` is the end of its log. Any request: the "
        "service has a fault, which `message` names"
    ),
}

# States of a session, and what they mean.
STATES = {
    "preparing": (
        "the process has its sockets; it calibrates, pretrains or loads. It answers `health` and `stop`; other "
        "requests wait for it, and get the error `busy` after 2 s"
    ),
    "running": "ticks pass",
    "paused": "a client paused the session; no tick passes until one sends `resume`",
    "waiting": "in lockstep: a participant has not granted the next tick",
    "stopped": "ended on request, everything stored; `resume` continues it. The process may still answer requests",
    "done": "the protocol is over, everything stored. The process may still answer requests",
    "crashed": "the process died without an end; the supervisor resumes it from its last commit",
    "failed": "the session cannot continue by itself; `why` gives the reason",
}

if TYPE_CHECKING:
    Code = str
    State = str
else:
    Code = Literal[tuple(CODES)]
    State = Literal[tuple(STATES)]

Incarnation = Annotated[Whole, Field(description="counted from 1; 0 while it is not known yet")]
StateNow = Annotated[State, Field(description="state of the session")]
NextTick = Annotated[Whole, Field(description="the next tick to come")]
Committed = Annotated[Whole, Field(description="ticks below this one are on the disk")]
Changed = Annotated[bool, Field(description="false if it was so already")]


class Reply(BaseModel):
    """What all replies have in common. Readers ignore fields they do not know."""

    model_config = ConfigDict(frozen=True, extra="allow")

    v: Version = VERSION  # type: ignore[assignment]
    id: Annotated[str, Field(description="that of the request; empty if it could not be read")]
    ok: bool


class Fault(BaseModel):
    """Why a request was not carried out."""

    model_config = ConfigDict(frozen=True, extra="allow")

    code: Annotated[Code, Field(description="why it was not carried out")]
    message: Annotated[str, Field(description="for the user: what was wrong, where, and what would be right")]
    field: Annotated[
        str | None, Field(description="path to the field at fault within the request, such as `inputs.1.velocity.0`")
    ] = None


class Failed(Reply):
    """The reply to a request that was not carried out. Nothing was changed."""

    ok: Literal[False] = False
    error: Fault


class Done(Reply):
    """The plain reply. `tick`: the one that consumed an input, or the next one to come."""

    ok: Literal[True] = True
    tick: NextTick
    changed: Changed = True


class PerturbationState(BaseModel):
    """A perturbation of the session."""

    name: Annotated[str, Field(description="name of the perturbation")]
    state: Annotated[
        Literal["waiting", "on", "past"], Field(description="it was not on yet, is on, or will not be on again")
    ]
    config: Annotated[dict[str, Any], Field(description="its fields, as in a protocol's [[perturbations]]")]


class ArrayFrame(BaseModel):
    """An array in a frame of its own: float64, little-endian, row by row."""

    shape: Annotated[list[Whole], Field(description="rows, columns")]
    frame: Annotated[Whole, Field(description="its place among the frames after the map, from 0")]


class ClippedRates(BaseModel):
    """Rates that were too high to draw spikes from and were taken as the highest, and what drove the first."""

    unit_ticks: Annotated[Whole, Field(description="how many: units, summed over ticks")]
    tick: Annotated[Whole, Field(description="of the first")]
    unit: Annotated[Whole, Field(description="of the first")]
    expected: Annotated[float, Field(description="spikes of that unit in that tick, had it not been clipped")]
    cause: Annotated[str, Field(description="for the user: what drove the first")]


class Doubt(BaseModel):
    """A warning about what a session began with."""

    field: Annotated[str | None, Field(description="field of the protocol, or array, that it is about")]
    message: Annotated[str, Field(description="for the user: what is doubtful, and why")]


class Description(Reply):
    """A session and where it stands. `next` holds each topic's next sequence number."""

    ok: Literal[True] = True
    decoderd: Annotated[str, Field(description="version of the service, of no meaning to the protocol")]
    session: Annotated[str, Field(description="the session's name, the one it was started by; `s` of its messages")]
    seed: Annotated[int, Field(ge=0, description="of everything random, from the protocol; may exceed 2^53")]
    state: StateNow
    incarnation: Incarnation
    from_tick: Annotated[Whole, Field(description="first tick of this incarnation")]
    speed: Annotated[str, Field(description="`realtime`, `max`, `lockstep`, or a factor as text")]
    late: Annotated[LatePolicy, Field(description="what follows a delay, as in `start`")] = "catch-up"
    tick: NextTick
    tick_s: Annotated[float, Field(description="length of a tick, s")]
    bin_ticks: Annotated[int, Field(description="ticks of a decoder bin")]
    units: Annotated[int, Field(description="neurons")]
    channels: Annotated[list[str], Field(description="channels of counts that the population has, `counts` first")]
    readouts: Annotated[
        list[Whole] | None, Field(description="the units the decoder reads now, in its order; nil: all")
    ]
    first_readouts: Annotated[list[Whole] | None, Field(description="those it read on day 1")]
    day: Annotated[int, Field(description="the day under way, from 1")]
    days: Annotated[int, Field(description="days of the protocol")]
    block: Annotated[str, Field(description="name of the block under way")]
    trial: Annotated[Whole, Field(description="the trial under way or the last, from 1; 0 before the first")]
    trials: Annotated[Whole, Field(description="trials that are over")]
    successes: Annotated[Whole, Field(description="successes among them")]
    phase: Annotated[Whole, Field(description="as `p` of a tick")]
    goal: Annotated[tuple[float, float] | None, Field(description="m; nil at rest")]
    cursor: Annotated[tuple[float, float, float, float], Field(description="x y (m), vx vy (m/s)")]
    perturbations: Annotated[list[PerturbationState], Field(description="those added so far and not removed")]
    decoder: Annotated[dict[str, Any], Field(description="its `kind`, and the shapes of its `arrays` by name")]
    clipped: Annotated[ClippedRates | None, Field(description="nil if no rate was too high so far")] = None
    warnings: Annotated[list[Doubt], Field(description="what was doubtful about the session when it began")] = []
    participants: Annotated[dict[str, Any], Field(description="in lockstep, by name: `unit`, `until`, `taking_part`")]
    next: Annotated[dict[TopicName, Whole], Field(description="see above")]
    committed: Committed
    stream: Annotated[str, Field(description="endpoint of the PUB socket, to subscribe to")]
    control: Annotated[str, Field(description="endpoint of the ROUTER socket")]
    protocol: Annotated[dict[str, Any], Field(description="the whole protocol, as in a TOML file")]


class HealthReport(Reply):
    """How a session's loop does."""

    ok: Literal[True] = True
    state: StateNow
    tick: NextTick
    committed: Committed
    since_turn_s: Annotated[float, Field(description="time since the loop last turned, s")]
    errors: Annotated[Whole, Field(description="requests answered with an error")]
    dropped: Annotated[Whole, Field(description="requests that could not even be answered")]


class DecoderArrays(Reply):
    """The decoder's arrays; the frames follow."""

    ok: Literal[True] = True
    kind: Annotated[str, Field(description="kind of the decoder, as in the protocol")]
    arrays: Annotated[dict[str, ArrayFrame], Field(description="the arrays by name")]


class MissedMessages(Reply):
    """Messages follow, a frame each, byte by byte as published, numbered from `first` without gaps.

    Fewer than asked for, or none, if no more are on the disk; `next` is the number that the topic's next message
    will have. What is published is on the disk within half a second.
    """

    ok: Literal[True] = True
    topic: Annotated[TopicName, Field(description="whose messages")]
    first: Annotated[Whole, Field(description="sequence number of the first message")]
    count: Annotated[Whole, Field(description="how many frames follow")]
    next: Annotated[Whole, Field(description="see above")]


class Refusal(BaseModel):
    """An input of a grant that the session could not consume."""

    index: Annotated[Whole, Field(description="which input, from 0")]
    code: Annotated[Code, Field(description="why it was not consumed")]
    message: Annotated[str, Field(description="for the user: what was wrong")]
    field: Annotated[str | None, Field(description="path to the field at fault within the request")] = None


class Granted(Reply):
    """What was granted is over. Messages wanted follow, a frame each; `topics` names them in order."""

    ok: Literal[True] = True
    tick: NextTick
    trials: Annotated[Whole, Field(description="trials that are over")]
    days: Annotated[Whole, Field(description="days that are over")]
    state: StateNow
    refused: Annotated[list[Refusal], Field(description="inputs of the grant that were not consumed")]
    topics: Annotated[list[TopicName], Field(description="topics of the frames that follow, in order")]
    lost: Annotated[Whole, Field(description="messages wanted that were too many to be sent: ask for them as missed")]


class SessionState(BaseModel):
    """A session as the supervisor knows it."""

    model_config = ConfigDict(extra="allow")

    session: Annotated[str, Field(description="the name that it was started by")]
    state: StateNow
    incarnation: Incarnation
    stream: Annotated[str | None, Field(description="endpoint of the PUB socket, to subscribe to")]
    control: Annotated[str | None, Field(description="endpoint of the ROUTER socket")]
    why: Annotated[str | None, Field(description="for the user: why it failed, or what it needs to go on")] = None


class Sessions(Reply):
    """All sessions."""

    ok: Literal[True] = True
    sessions: Annotated[list[SessionState], Field(description="one entry for each session")]


class One(Reply, SessionState):
    """One session."""

    ok: Literal[True] = True
    changed: Changed = True


class SupervisorReport(Reply):
    """How the supervisor does."""

    ok: Literal[True] = True
    sessions: Annotated[dict[State, Whole], Field(description="how many sessions are in each state")]
    restarts: Annotated[Whole, Field(description="sessions resumed after a crash, since the supervisor began")]
    errors: Annotated[Whole, Field(description="requests answered with an error")]
    dropped: Annotated[Whole, Field(description="requests that could not even be answered")]
