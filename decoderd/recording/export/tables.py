"""The tables of a day, read in batches.

    ticks       a row a tick: all of topic `tick`, and how late each tick was
    trials      a row a trial
    counts      a row a tick, a column a unit; counts_NAME of other channels than `counts`
    inputs      a row an input that came from outside, with the tick that consumed it
    ...         a row a message for every other topic, by the topic's name

Every table but `trials` begins with `tick`, which counts through the session, and `time_s`, which is 0 where the day
begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from decoderd.populations import COUNTS
from decoderd.recording.export import trials
from decoderd.recording.export.columns import Batch, Column, Kind, as_json, columns_of, values_of
from decoderd.recording.export.reading import DayReader
from decoderd.wire import topics
from decoderd.wire.message import TICK, Message
from decoderd.wire.messages import Counts, Tick, Trial

TIMES = (
    Column("tick", "int", "tick of the session, from 0"),
    Column("time_s", "float", "when the tick began, s since the day's first"),
)
LATENESS = (
    Column("lateness_ns", "float", "how late the tick began, ns; NaN for a tick without a deadline"),
    Column("busy_ns", "float", "how long the tick took, ns; NaN for a tick without a deadline"),
)
INPUT = (
    Column("op", "text", "kind of the input"),
    Column("input", "text", "all its fields, JSON; bytes in base64"),
)
# Topics whose table has another form than a row a message and a column a field.
OF_THEIR_OWN = (Tick, Counts, Trial)


class Table(NamedTuple):
    """A table, and a function that reads its rows in batches: at least one, which may be empty."""

    name: str
    about: str
    columns: tuple[Column, ...]
    batches: Callable[[], Iterator[Batch]]


def tables(reader: DayReader) -> list[Table]:
    """The tables of a day."""
    return [*all_but_counts(reader), *(_counts(reader, channel, *form) for channel, form in reader.channels.items())]


def all_but_counts(reader: DayReader) -> list[Table]:
    """The tables without those that have a column a unit."""
    of_messages = [_messages(reader, topic.model) for topic in topics.TABLE if topic.model not in OF_THEIR_OWN]
    of_trials = Table("trials", "Trials that ended.", trials.COLUMNS, lambda: trials.batches(reader))
    return [ticks(reader), of_trials, _inputs(reader), *of_messages]


def _times(reader: DayReader, ticks: Any) -> Batch:
    whole = np.asarray(ticks, dtype=np.int64)
    return {"tick": whole, "time_s": reader.seconds(whole)}


def ticks(reader: DayReader) -> Table:
    """The table of ticks."""

    def batches() -> Iterator[Batch]:
        begin = reader.day.first_tick
        for payloads, measured in zip(reader.ticks(), reader.lateness(), strict=True):
            late = dict(zip((column.name for column in LATENESS), measured, strict=True))
            yield {**_times(reader, np.arange(begin, begin + len(payloads))), **values_of(Tick, payloads), **late}
            begin += len(payloads)

    return Table("ticks", "Ticks, each after it was carried out.", (*TIMES, *columns_of(Tick), *LATENESS), batches)


def _counts(reader: DayReader, channel: str, units: int, dtype: np.dtype[Any]) -> Table:
    kind: Kind = "int" if dtype.kind == "u" else "float"
    names = [f"unit_{unit}" for unit in range(units)]

    def batches() -> Iterator[Batch]:
        for first, counts in reader.counts(channel):
            begin = reader.day.first_tick + first
            columns = np.ascontiguousarray(counts.T)
            yield {**_times(reader, np.arange(begin, begin + len(counts))), **dict(zip(names, columns, strict=True))}

    name = "counts" if channel == COUNTS else f"counts_{channel}"
    of_units = (Column(unit, kind, f"channel {channel} of the unit in the tick", dtype) for unit in names)
    return Table(name, f"Channel {channel} of the population, tick by tick.", (*TIMES, *of_units), batches)


def _inputs(reader: DayReader) -> Table:
    def batches() -> Iterator[Batch]:
        for several in reader.inputs():
            given = [fields for _, fields in several]
            yield {
                **_times(reader, [tick for tick, _ in several]),
                "op": [fields["op"] for fields in given],
                "input": [as_json(fields) for fields in given],
            }

    return Table("inputs", "Inputs from outside, and the ticks that consumed them.", (*TIMES, *INPUT), batches)


def _messages(reader: DayReader, model: type[Message]) -> Table:
    def batches() -> Iterator[Batch]:
        for payloads in reader.batches(model.topic):
            yield {**_times(reader, [payload[TICK] for payload in payloads]), **values_of(model, payloads)}

    return Table(model.topic, " ".join((model.__doc__ or "").split()), (*TIMES, *columns_of(model)), batches)
