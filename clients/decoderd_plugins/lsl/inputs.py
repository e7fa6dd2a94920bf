"""What comes in over LSL: which streams a session can take, and the inputs that their samples become."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from decoderd_client.plugins import Unable
from decoderd_plugins.lsl.streams import ticks_per_s

EVENTS = ("start", "go", "end")


class Offered(NamedTuple):
    """A stream of another program, as it declares itself. `rate_hz` is 0 for samples at no regular rate."""

    name: str
    channels: int
    text: bool
    rate_hz: float


class Reading(NamedTuple):
    """How samples become inputs: which of those that came together, and the fields of each.

    `fields` raises ValueError for a sample that is no input.
    """

    pick: Callable[[Sequence[Any]], Sequence[Any]]
    fields: Callable[[Sequence[Any]], dict[str, Any]]


def reading(offered: Offered, description: Mapping[str, Any], scale: float) -> Reading:
    """How the samples of a stream become inputs of the session. Raises Unable where they cannot.

    Text is markers of the `external` task; two numbers are the velocity for the `external` decoder, of which the newest
    counts.
    """
    wanted = "task" if offered.text else "decoder"
    kind = description["protocol"][wanted]["kind"]
    if offered.text and offered.channels != 1:
        raise Unable(f"{offered.name}: has {offered.channels} channels of text; markers have one")
    if not offered.text and offered.channels != 2:
        what = "velocities have two, x and y in m/s (or in units of --input-scale)"
        raise Unable(f"{offered.name}: has {offered.channels} channels; {what}")
    if kind != "external":
        raise Unable(
            f"{offered.name}: this session has a {wanted} of its own, {kind!r}; one that follows a stream needs "
            f'[{wanted}] kind = "external" in its protocol'
        )
    fastest = ticks_per_s(description)
    if not offered.text and fastest and offered.rate_hz > fastest * 1.001:
        raise Unable(
            f"{offered.name}: has {offered.rate_hz:g} samples/s and the session {fastest:g} ticks/s, each of which "
            "takes one velocity: send fewer samples"
        )
    if offered.text:
        return Reading(lambda samples: samples, lambda sample: task_event(sample[0]))
    return Reading(lambda samples: samples[-1:], lambda sample: velocity(sample, scale))


def velocity(sample: Sequence[float], scale: float) -> dict[str, Any]:
    """Two numbers as the input `kinematics`."""
    return {"op": "kinematics", "velocity": [float(value) * scale for value in sample]}


def task_event(marker: str) -> dict[str, Any]:
    """A marker as the input `task`: `start`, `go` or `end`, or a JSON object with the fields of the input.

    Raises ValueError for other text.
    """
    if marker.strip() in EVENTS:
        return {"op": "task", "event": marker.strip()}
    try:
        fields = json.loads(marker)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or fields.get("event") not in EVENTS:
        raise ValueError(
            f"marker {marker[:80]!r} is no task event: write start, go or end, or JSON such as "
            '{"event": "go", "target": [0.05, 0], "radius_m": 0.01, "index": 0}'
        )
    return {**fields, "op": "task"}
