"""The table of LSL streams that a session has: content, channels, rates, and the sample that a message becomes."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from decoderd.wire import topics
from decoderd.wire.message import Message

# A sample, one value a channel; None for a message that makes none in this stream.
Sample = Sequence[Any] | np.ndarray | None

INT16_MAX = 32_767


class Channel(NamedTuple):
    """A channel of a stream, as LSL describes it."""

    label: str
    unit: str


class Stream(NamedTuple):
    """A stream and what it is made from. `rate_hz` is 0 where samples come at no regular rate."""

    topics: tuple[str, ...]
    content: str
    format: str
    channels: tuple[Channel, ...]
    rate_hz: float
    sample: Callable[[Any], Sample]


class Group(NamedTuple):
    """Channels of the kinematics that belong together, and their values in a `tick` message."""

    labels: tuple[str, str]
    unit: str
    values: Callable[[Any], Sequence[float]]


_NOWHERE = (math.nan, math.nan)
GROUPS: dict[str, Group] = {
    "position": Group(("PositionX", "PositionY"), "meters", lambda tick: tick.cursor[:2]),
    "velocity": Group(("VelocityX", "VelocityY"), "meters/second", lambda tick: tick.cursor[2:]),
    "decoded_velocity": Group(
        ("DecodedVelocityX", "DecodedVelocityY"), "meters/second", lambda tick: tick.decoded_velocity
    ),
    "intended_velocity": Group(
        ("IntendedVelocityX", "IntendedVelocityY"), "meters/second", lambda tick: tick.intended_velocity
    ),
    "goal": Group(("GoalX", "GoalY"), "meters", lambda tick: tick.goal or _NOWHERE),
}
# Topics whose messages are markers.
MARKED = ("task", "trial", "day", "perturbation", "decoder", "session")


def available(description: Mapping[str, Any]) -> dict[str, Stream]:
    """{its name here: a stream} of a session, from the reply to `describe`.

    `kinematics` has all groups of channels in one stream, and each group is a stream as well. `counts` are those of the
    population's channel `counts`; another channel NAME is `counts.NAME`.
    """
    ticks_hz = ticks_per_s(description)
    bins_hz = ticks_hz / description["bin_ticks"]
    found = {"kinematics": _kinematics(tuple(GROUPS.values()), ticks_hz)}
    found |= {name: _kinematics((group,), ticks_hz) for name, group in GROUPS.items()}
    for channel in description["channels"]:
        name = channel if channel == "counts" else f"counts.{channel}"
        found[name] = _counts(channel, description["units"], bins_hz)
    found["events"] = Stream(MARKED, "Markers", "string", (Channel("event", "JSON"),), 0.0, _marker)
    return found


def ticks_per_s(description: Mapping[str, Any]) -> float:
    """Ticks in a second of LSL's time; 0 for a session that is not paced."""
    speed = description["speed"]
    if speed in ("max", "lockstep"):
        return 0.0
    factor = 1.0 if speed == "realtime" else float(speed)
    return factor / float(description["tick_s"])


def full_name(session: str, stream: str) -> str:
    """Name of a stream on LSL, unless `map` gives another."""
    return f"decoderd.{session}.{stream}"


def source_id(session: str, stream: str) -> str:
    """Source of a stream: the same after a restart of bridge or session, so that inlets find it again."""
    return f"{full_name(session, stream)}@{socket.gethostname()}"


def _kinematics(groups: tuple[Group, ...], rate_hz: float) -> Stream:
    channels = tuple(Channel(label, group.unit) for group in groups for label in group.labels)
    values = [group.values for group in groups]

    def sample(tick: Any) -> Sample:
        return [value for of in values for value in of(tick)]

    return Stream(("tick",), "Mocap", "float32", channels, rate_hz, sample)


def _counts(channel: str, units: int, rate_hz: float) -> Stream:
    """Sums over the ticks of a bin. Spikes are whole numbers; other channels may hold times."""
    spikes = channel == "counts"

    def sample(counts: Any) -> Sample:
        if counts.channel != channel:
            return None
        summed: np.ndarray = (
            np.frombuffer(counts.data, counts.dtype).reshape(counts.shape).sum(axis=0, dtype=np.float64)
        )
        return np.minimum(summed, INT16_MAX).astype(np.int16) if spikes else summed.astype(np.float32)

    channels = tuple(Channel(f"unit{number}", "spikes" if spikes else channel) for number in range(units))
    return Stream(("counts",), "SpikeCounts", "int16" if spikes else "float32", channels, rate_hz, sample)


def _marker(message: Message) -> Sample:
    """A message as JSON: its topic, its tick and its own fields by their whole names."""
    own = {name: getattr(message, name) for name in _own_fields(message.topic)}
    return [json.dumps({"topic": message.topic, "tick": message.tick, **own})]


def _own_fields(topic: str) -> list[str]:
    return [name for name in topics.MODELS[topic].model_fields if name not in Message.model_fields]
