"""The messages of a session, key by key: the only source of the schema.

Keys are short because ticks are many. Every payload has `s` (session), `q` (sequence number, without gaps within
its topic) and `k` (tick). Ticks and sequence numbers count from 0, days, blocks and trials from 1.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Pair = tuple[float, float]
Whole = Annotated[int, Field(ge=0)]


class Message(BaseModel):
    """What all have in common. Readers ignore fields they do not know."""

    model_config = ConfigDict(frozen=True, extra="allow")

    s: Annotated[str, Field(description="the session's own name: `session` of its `describe`, not the supervisor's")]
    q: Annotated[Whole, Field(description="sequence number within the topic")]
    k: Annotated[Whole, Field(description="tick")]


class Tick(Message):
    """One tick, after it was carried out. Its sequence number is the tick."""

    d: Annotated[int, Field(ge=1, description="day")]
    b: Annotated[int, Field(ge=1, description="block of the day's protocol")]
    r: Annotated[Whole, Field(description="trial, 0 before the first")]
    p: Annotated[Whole, Field(description="phase: 0 rest, 1 centre, 2 centre hold, 3 reach, 4 hold")]
    t: Annotated[Pair | None, Field(description="goal, m; none at rest")]
    c: Annotated[tuple[float, float, float, float], Field(description="cursor x y (m), vx vy (m/s)")]
    v: Annotated[Pair, Field(description="decoded velocity before perturbation, m/s")]
    i: Annotated[Pair, Field(description="velocity the subject intended, m/s")]


class Counts(Message):
    """The spike counts of one decoder bin, published at its last tick; `q` is the bin."""

    n: Annotated[tuple[Whole, Whole], Field(description="shape: ticks of the bin x units")]
    e: Annotated[Literal["|u1", "<u2", "<f4", "<f8"], Field(description="type of an entry, little-endian")]
    y: Annotated[bytes, Field(description="the entries, row by row")]


class Task(Message):
    """The trial entered a phase."""

    r: Whole
    p: Whole
    g: Annotated[int, Field(description="index of the target, -1 without one")]
    t: Annotated[Pair | None, Field(description="goal, m")]


class Trial(Message):
    """A trial ended."""

    d: int
    b: int
    r: Annotated[int, Field(ge=1)]
    g: int
    t: Annotated[Pair | None, Field(description="where the target was, m")]
    a: Annotated[Whole, Field(description="tick at which the trial began")]
    o: Annotated[int, Field(description="tick of the go cue, -1 if it never came")]
    x: Annotated[str, Field(description="outcome: success, reach_timeout, hold_broken, centre_timeout, ...")]
    w: Annotated[list[str], Field(description="perturbations that were on at any time of the trial")]


class Plasticity(Message):
    """The population was changed by what happened in the last trials; the change holds from the next tick on. Or
    it refuses the change, and learns no more on this day."""

    n: Annotated[int, Field(ge=1, description="updates of the day so far")]
    l: Annotated[float, Field(ge=0, description="mean loss of the trials it was made of")]  # noqa: E741
    z: Annotated[float, Field(ge=0, description="norm of the change of all plastic parameters, 0 where it is refused")]
    m: Annotated[str, Field(description="why it is refused; empty otherwise")] = ""


class Perturbation(Message):
    """A perturbation was added or removed, or went on or off; see below in which order."""

    w: Annotated[str, Field(description="its name")]
    x: Literal["added", "on", "off", "removed"]
    f: Annotated[dict[str, Any], Field(description="its whole configuration")]


class Decoder(Message):
    """The decoder was exchanged by an input, or overnight, or an updater changed it, or has to say why not."""

    w: Annotated[str, Field(description="who: `input`, `overnight`, or the kind of the updater")] = "input"
    x: Annotated[
        Literal["installed", "kept", "stopped", "restarted"],
        Field(description="what: a decoder was installed; the old one was kept; updating stopped; or restarted"),
    ] = "installed"
    m: Annotated[str, Field(description="why it was kept, why updating stopped or restarted; empty otherwise")] = ""
    f: Annotated[dict[str, tuple[int, ...]], Field(description="names and shapes of the arrays installed")]
    u: Annotated[list[Whole] | None, Field(description="the units that are read, where they changed overnight")] = None


class Metrics(Message):
    """Numbers that a client worked out and gave back."""

    w: Annotated[str, Field(description="who worked them out")]
    d: Annotated[int, Field(ge=1, description="the day they are about")]
    f: Annotated[dict[str, float], Field(description="by name")]


class Day(Message):
    """A block or a day began, or a day ended."""

    d: int
    b: int
    x: Literal["block", "end"]
    w: Annotated[str, Field(description="name of the block")]
    n: Annotated[Whole, Field(description="trials of the day so far")]
    u: Annotated[Whole, Field(description="successes of the day so far")]


Spread = tuple[float, float, float]  # median, 99th percentile, maximum


class Health(Message):
    """A stretch of ticks is on the disk; `k` is the last of them. One run's own: another has other numbers."""

    n: Annotated[Whole, Field(description="ticks in the stretch")]
    z: Annotated[float, Field(description="wall time of the stretch, s")]
    l: Annotated[  # noqa: E741
        Spread | None,
        Field(description="how late its ticks began, us: median, 99th percentile, maximum; nil without deadlines"),
    ]
    u: Annotated[
        Spread | None,
        Field(description="how long its ticks took, us: median, 99th percentile, maximum; nil without deadlines"),
    ]
    m: Annotated[Whole, Field(description="ticks that had not ended when the next was due")]


class Session(Message):
    """The process began, resumed, paused, went on or ended. One run's own."""

    x: Literal["began", "resumed", "paused", "continued", "waiting", "dropped", "stopped", "done"]
    i: Annotated[int, Field(ge=1, description="incarnation")]
    f: Annotated[Whole, Field(description="first tick of the incarnation")]
    w: Annotated[str, Field(description="whom it waits for or went on without; the endpoint of control otherwise")]


MODELS: dict[str, type[Message]] = {
    "tick": Tick,
    "counts": Counts,
    "task": Task,
    "trial": Trial,
    "plasticity": Plasticity,
    "decoder": Decoder,
    "perturbation": Perturbation,
    "metrics": Metrics,
    "day": Day,
    "health": Health,
    "session": Session,
}
