"""The messages of a session, field by field; the only source of their schema.

Every field has a whole name, and a key of one character that stands for it on the wire: keys are short because ticks
are many. `Trial.build(day=1, ...)` makes a payload, `Trial.read(payload)` an object. Ticks and sequence numbers count
from 0, days, blocks and trials from 1.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from decoderd.wire.message import Message, Whole

Pair = tuple[float, float]
Natural = Annotated[int, Field(ge=1)]
PerturbationEvent = Literal["added", "on", "off", "removed"]
DecoderEvent = Literal["installed", "kept", "stopped", "restarted"]
DayEvent = Literal["block", "end"]
ProcessEvent = Literal["began", "resumed", "paused", "continued", "waiting", "dropped", "stopped", "done", "failed"]
Spread = tuple[float, float, float]  # median, 99th percentile, maximum


class Tick(Message):
    """One tick, after it was carried out. Its sequence number is the tick."""

    topic: ClassVar[Literal["tick"]] = "tick"

    day: Annotated[Natural, Field(alias="d", description="day")]
    block: Annotated[Natural, Field(alias="b", description="block of the day's protocol")]
    trial: Annotated[Whole, Field(alias="r", description="trial, 0 before the first")]
    phase: Annotated[Whole, Field(alias="p", description="0 rest, 1 centre, 2 centre hold, 3 reach, 4 hold")]
    goal: Annotated[Pair | None, Field(alias="t", description="goal, m; nil at rest")]
    cursor: Annotated[tuple[float, float, float, float], Field(alias="c", description="x y (m), vx vy (m/s)")]
    decoded_velocity: Annotated[Pair, Field(alias="v", description="decoded velocity before perturbation, m/s")]
    intended_velocity: Annotated[Pair, Field(alias="i", description="velocity the subject intended, m/s")]


class Counts(Message):
    """The spike counts of one channel in one decoder bin, published at the last tick of the bin.

    A bin has one message for each channel, `counts` first; so the sequence number is not the number of the bin where
    the population has more channels than one.
    """

    topic: ClassVar[Literal["counts"]] = "counts"

    channel: Annotated[
        str,
        Field(
            alias="c",
            description="the population's channel that was counted: `counts`, or another that the population names",
        ),
    ]
    shape: Annotated[tuple[Whole, Whole], Field(alias="n", description="ticks of the bin, units")]
    dtype: Annotated[
        Literal["|u1", "<u2", "<f4", "<f8"], Field(alias="e", description="type of an entry, little-endian")
    ]
    data: Annotated[bytes, Field(alias="y", description="the entries, row by row")]


class Task(Message):
    """The trial entered a phase."""

    topic: ClassVar[Literal["task"]] = "task"

    trial: Annotated[Whole, Field(alias="r", description="trial")]
    phase: Annotated[Whole, Field(alias="p", description="as in a tick")]
    target_index: Annotated[int, Field(alias="g", description="index of the target, -1 without one")]
    goal: Annotated[Pair | None, Field(alias="t", description="goal, m; nil without one")]


class Trial(Message):
    """A trial ended."""

    topic: ClassVar[Literal["trial"]] = "trial"

    day: Annotated[int, Field(alias="d", description="day")]
    block: Annotated[int, Field(alias="b", description="block of the day's protocol")]
    trial: Annotated[Natural, Field(alias="r", description="the trial that ended")]
    target_index: Annotated[int, Field(alias="g", description="index of the target, -1 without one")]
    target: Annotated[Pair | None, Field(alias="t", description="where the target was, m; nil without one")]
    start_tick: Annotated[Whole, Field(alias="a", description="tick at which the trial began")]
    go_tick: Annotated[int, Field(alias="o", description="tick of the go cue, -1 without one")]
    outcome: Annotated[
        str, Field(alias="x", description="success, reach_timeout, hold_broken, centre_timeout, day_end, ...")
    ]
    perturbations: Annotated[
        list[str], Field(alias="w", description="names of the perturbations that were on at any time of the trial")
    ]


class Plasticity(Message):
    """The population was changed by the last trials; the change holds from the next tick on. Or the population
    refuses the change, and is not changed again on this day."""

    topic: ClassVar[Literal["plasticity"]] = "plasticity"

    updates: Annotated[Natural, Field(alias="n", description="updates of the day so far")]
    loss: Annotated[float, Field(alias="l", ge=0, description="mean loss of the trials that the change is made from")]
    change_norm: Annotated[
        float, Field(alias="z", ge=0, description="norm of the change of all plastic parameters; 0 if it is refused")
    ]
    reason: Annotated[str, Field(alias="m", description="why it is refused; empty otherwise")]


class Perturbation(Message):
    """A perturbation was added or removed, or went on or off."""

    topic: ClassVar[Literal["perturbation"]] = "perturbation"

    name: Annotated[str, Field(alias="w", description="name of the perturbation")]
    event: Annotated[PerturbationEvent, Field(alias="x", description="what happened")]
    config: Annotated[dict[str, Any], Field(alias="f", description="its fields, as in a protocol's [[perturbations]]")]


class Decoder(Message):
    """The decoder was exchanged by an input, overnight or by an updater, or it was kept for the reason given."""

    topic: ClassVar[Literal["decoder"]] = "decoder"

    source: Annotated[str, Field(alias="w", description="`input`, `overnight`, or the kind of the updater")]
    event: Annotated[
        DecoderEvent,
        Field(
            alias="x", description="a decoder was installed; the old one was kept; updating stopped; or it restarted"
        ),
    ]
    reason: Annotated[
        str, Field(alias="m", description="why it was kept, or why updating stopped or restarted; empty otherwise")
    ]
    shapes: Annotated[
        dict[str, tuple[int, ...]], Field(alias="f", description="shapes of the arrays installed, by name")
    ]
    readouts: Annotated[
        list[Whole] | None, Field(alias="u", description="the units that are read, where they changed overnight")
    ]


class Metrics(Message):
    """Numbers that a client computed and sent as an input."""

    topic: ClassVar[Literal["metrics"]] = "metrics"

    source: Annotated[str, Field(alias="w", description="name of the client that computed them")]
    day: Annotated[Natural, Field(alias="d", description="the day they are about")]
    values: Annotated[dict[str, float], Field(alias="f", description="the numbers by name")]


class Day(Message):
    """A block or a day began, or a day ended."""

    topic: ClassVar[Literal["day"]] = "day"

    day: Annotated[int, Field(alias="d", description="day")]
    block: Annotated[int, Field(alias="b", description="block of the day's protocol")]
    event: Annotated[DayEvent, Field(alias="x", description="a block began, or the day ended")]
    block_name: Annotated[str, Field(alias="w", description="name of the block")]
    trials: Annotated[Whole, Field(alias="n", description="trials of the day so far")]
    successes: Annotated[Whole, Field(alias="u", description="successes of the day so far")]


class Health(Message):
    """Ticks were stored; the message's tick is the last of them. Another run of the session has other numbers."""

    topic: ClassVar[Literal["health"]] = "health"

    ticks: Annotated[Whole, Field(alias="n", description="how many ticks")]
    wall_s: Annotated[float, Field(alias="z", description="wall time of these ticks, s")]
    lateness_us: Annotated[
        Spread | None,
        Field(
            alias="l",
            description="how late the ticks began, us: median, 99th percentile, maximum; nil without deadlines",
        ),
    ]
    duration_us: Annotated[
        Spread | None,
        Field(
            alias="u",
            description="how long the ticks took, us: median, 99th percentile, maximum; nil without deadlines",
        ),
    ]
    missed_deadlines: Annotated[Whole, Field(alias="m", description="ticks that had not ended when the next was due")]
    clipped: Annotated[
        Whole,
        Field(alias="c", description="units whose rate was taken as the highest that can be drawn, summed over ticks"),
    ]


class Session(Message):
    """The process began, resumed, paused, went on, ended or failed. Another run of the session has other messages."""

    topic: ClassVar[Literal["session"]] = "session"

    event: Annotated[
        ProcessEvent,
        Field(alias="x", description="what happened"),
    ]
    run: Annotated[Natural, Field(alias="i", description="incarnation: number of this process of the session, from 1")]
    first_tick: Annotated[Whole, Field(alias="f", description="first tick of the incarnation")]
    detail: Annotated[
        str,
        Field(
            alias="w",
            description="the participants that it waits for or goes on without; why it failed; otherwise the endpoint "
            "of control",
        ),
    ]


AnyMessage = Tick | Counts | Task | Trial | Plasticity | Decoder | Perturbation | Metrics | Day | Health | Session
