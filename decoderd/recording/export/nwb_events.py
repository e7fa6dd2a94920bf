"""Messages and inputs in an NWB file: a series of text for each topic.

A row is one message, as JSON with the names of `decoderd.wire.messages`, at the time of its tick. They are no tables,
since of most of them a day has few or a single one, and NWB advises against tables of one row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from decoderd.recording.export.columns import as_json
from decoderd.recording.export.nwb_dataset import Fill, empty
from decoderd.recording.export.reading import DayReader
from decoderd.wire import topics
from decoderd.wire.message import TICK, Message, keys_of
from decoderd.wire.messages import Counts, Tick

# Topics that other parts of the file hold.
ELSEWHERE = (Tick, Counts)
Event = tuple[int, str]  # tick and JSON


class Events(NamedTuple):
    """The events of a series, and a function that reads them."""

    name: str
    about: str
    read: Callable[[], Iterator[Event]]


def add(reader: DayReader, module: Any) -> Iterator[Fill]:
    """Add a series of each topic that has messages, and of inputs, to a processing module; functions that fill them."""
    import h5py
    from pynwb import TimeSeries

    for events in _all(reader):
        ticks = np.fromiter((tick for tick, _ in events.read()), dtype=np.int64)
        if not len(ticks):
            continue
        data = empty(len(ticks), h5py.string_dtype())
        times = _times(reader, ticks)
        module.add(TimeSeries(name=events.name, data=data, unit="n.a.", description=events.about, **times))
        yield partial(_fill, data, events)


def _all(reader: DayReader) -> Iterator[Events]:
    for topic in topics.TABLE:
        if topic.model not in ELSEWHERE:
            about = f"{' '.join((topic.model.__doc__ or '').split())} JSON."
            yield Events(topic.name, about, partial(_messages, reader, topic.model))
    yield Events("inputs", "Inputs from outside, by the tick that consumed them. JSON.", partial(_inputs, reader))


def _messages(reader: DayReader, model: type[Message]) -> Iterator[Event]:
    keys = {name: key for name, key in keys_of(model).items() if name not in Message.model_fields}
    for payload in reader.payloads(model.topic):
        yield payload[TICK], as_json({name: payload[key] for name, key in keys.items()})


def _inputs(reader: DayReader) -> Iterator[Event]:
    for several in reader.inputs():
        for tick, given in several:
            yield tick, as_json(given)


def _times(reader: DayReader, ticks: Any) -> dict[str, Any]:
    """Times of events: of those that come regularly as a rate, which NWB asks for."""
    between = np.diff(ticks)
    if len(between) > 1 and between[0] and (between == between[0]).all():
        return {"starting_time": float(reader.seconds(ticks[0])), "rate": 1 / (between[0] * reader.tick_s)}
    return {"timestamps": reader.seconds(ticks)}


def _fill(data: Any, events: Events) -> None:
    for place, (_, text) in enumerate(events.read()):
        data.dataset[place] = text
