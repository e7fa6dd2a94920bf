"""The trials of a day, with their times in seconds since the day's first tick."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd import registry
from decoderd.recording.export.columns import Batch, Column, column_of
from decoderd.recording.export.reading import DayReader
from decoderd.recording.schema import TRIAL_COLUMNS, trial_row
from decoderd.wire.messages import Trial

ABOUT = {
    "trial": "number of the trial, from 1, counted through the session",
    "day": "day",
    "block": "block of the day's protocol, in which the trial ended",
    "target": "index of the target, -1 without one",
    "target_x_m": "where the target was, m; NaN without one",
    "target_y_m": "where the target was, m; NaN without one",
    "start_tick": "tick of the session at which the trial began",
    "go_tick": "tick of the go cue, -1 without one",
    "end_tick": "tick at which the outcome was seen",
    "outcome": "success, or why it is none",
    "perturbations": "names of the perturbations that were on at any time of the trial, joined by commas",
}
TEXT = ("outcome", "perturbations")
REAL = ("target_x_m", "target_y_m")
SECONDS = (
    Column("start_s", "float", "when its first tick began, s"),
    Column("go_s", "float", "when the tick of the go cue began, s; NaN without one"),
    Column("stop_s", "float", "when its last tick ended, s"),
)
RECORDED = tuple(
    Column(name, "text" if name in TEXT else "float" if name in REAL else "int", ABOUT[name]) for name in TRIAL_COLUMNS
)
COLUMNS = (*RECORDED, *SECONDS)


def batches(reader: DayReader) -> Iterator[Batch]:
    """The values of COLUMNS, in batches of trials."""
    judged_in_last = registry.find("tasks", reader.protocol.task.kind).outcome is not None
    for payloads in reader.batches(Trial.topic):
        rows = [trial_row(payload) for payload in payloads]
        found = {
            column.name: column_of(column.kind, [row[place] for row in rows]) for place, column in enumerate(RECORDED)
        }
        found["perturbations"] = [", ".join(json.loads(names)) for names in found["perturbations"]]
        stop = stop_ticks(found["start_tick"], found["end_tick"], found["outcome"], judged_in_last)
        go = np.where(found["go_tick"] >= 0, found["go_tick"].astype(np.float64), np.nan)
        seconds = (reader.seconds(ticks) for ticks in (found["start_tick"], go, stop))
        yield found | dict(zip((column.name for column in SECONDS), seconds, strict=True))


def stop_ticks(start: NDArray[Any], end: NDArray[Any], outcome: list[str], judged_in_last: bool) -> NDArray[Any]:
    """The tick after each trial's last, from when it began and when its outcome was seen.

    Most trials end in the tick before that; a trial that the end of a day breaks off, or that the task judges in its
    last tick, ends in it. No trial is shorter than a tick.
    """
    inside = np.array([judged_in_last or text == "day_end" for text in outcome], dtype=bool)
    found: NDArray[Any] = np.maximum(end + inside, start + 1)
    return found


def whole(reader: DayReader) -> Batch:
    """All trials of the day in one batch."""
    several = list(batches(reader))
    return {
        column.name: list(chain(*(part[column.name] for part in several)))
        if column.kind == "text"
        else np.concatenate([part[column.name] for part in several])
        for column in COLUMNS
    }
