"""Writes the files of a demultiplexing: tables of windows and of bins (CSV), and all but the bins (JSON)."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from decoderd.files import replace_text
from decoderd_plugins.demultiplex.measures import RECOVERED, Codes, Window
from decoderd_plugins.demultiplex.series import Series, correlations

TABLE, BINS, DATA, FIGURE = "demultiplex.csv", "bins.csv", "demultiplex.json", "demultiplex.png"
ALL = "all"  # in the place of a unit: all units together


def flat(window: Window) -> dict[str, float]:
    """A window as one flat dictionary of finite numbers: codes of all units together, r of errors, numbers of bins."""
    enough = window.course.enough
    found = {
        **_plain(window.pooled),
        **window.correlations,
        "first_trial": window.first,
        "last_trial": window.last,
        "bins": len(enough),
        "bins_too_few_events": int((~enough).sum()),
    }
    return {name: float(value) for name, value in found.items() if value is not None and math.isfinite(value)}


def summary(window: Window) -> str:
    """One line of text about a window."""
    pooled, few = window.pooled, int((~window.course.enough).sum())
    parts = [
        f"trials {window.first} to {window.last}: {pooled.event_rate_hz:.3g} events/s a unit",
        f"burst fraction {pooled.corrected:.3f} ({pooled.low:.3f} to {pooled.high:.3f})",
    ]
    for name, value in window.correlations.items():
        if math.isfinite(value):
            parts.append(f"r {name.replace('_', ' ')} {value:.2f}")
    if few:
        parts.append(f"too few events in {few} of {len(window.course.enough)} bins")
    return ", ".join(parts)


def table(session: str, series: Series) -> str:
    """CSV with a row for all units together and for each unit, of every window."""
    least = series.plan.config.least_events
    rows: list[list[Any]] = [["session", "day", "first_trial", "last_trial", "unit", *Codes._fields, "enough"]]
    for window in series.windows:
        place = [session, window.day, window.first, window.last]
        for unit, found in [(ALL, window.pooled), *enumerate(_each(window.units))]:
            rows.append([*place, unit, *_cells(found), int(found.events >= least)])
    return _csv(rows)


def bins(session: str, series: Series) -> str:
    """CSV with a row for each bin: codes of all units together, and errors seen and recovered."""
    errors = [f"{name}_{axis}" for name in ("seen", *RECOVERED) for axis in "xy"]
    rows: list[list[Any]] = [["session", "day", "trial", "tick", *Codes._fields, "enough", *errors]]
    for window in series.windows:
        course = window.course
        columns = np.column_stack([course.seen, *(course.recovered[name] for name in RECOVERED)])
        for number, found in enumerate(_each(course.pooled)):
            place = [session, window.day, int(course.trial[number]), int(course.tick[number])]
            rows.append([*place, *_cells(found), int(course.enough[number]), *map(_cell, columns[number])])
    return _csv(rows)


def data(session: str, series: Series) -> dict[str, Any]:
    """Results of windows as plain data, with the bins of too few events; None for NaN."""
    plan = series.plan
    return {
        "session": session,
        "config": plan.config.model_dump(mode="json", exclude={"out", "publish"}),
        "burst_threshold_s": plan.layout.threshold_s,
        "refractory_s": plan.refractory_s,
        "units": plan.layout.units,
        "regression": None if series.fit is None else _regression(series),
        "correlations": _numbers(correlations(series.windows)),
        "trials_left_out": series.left_out,
        "windows": [_window(window) for window in series.windows],
    }


def _regression(series: Series) -> dict[str, Any]:
    assert series.fit is not None
    return {
        "last_trial": series.fit.last,
        "strength": {"bursts": series.fit.bursts.strength, "events": series.fit.events.strength},
    }


def _window(window: Window) -> dict[str, Any]:
    course = window.course
    few = zip(course.trial[~course.enough].tolist(), course.tick[~course.enough].tolist(), strict=True)
    return {
        "day": window.day,
        "trials": [window.first, window.last],
        "pooled": _plain(window.pooled),
        "units": {name: [_number(value) for value in values] for name, values in window.units._asdict().items()},
        "correlations": _numbers(window.correlations),
        "bins": len(course.enough),
        "bins_too_few_events": [{"trial": trial, "tick": tick} for trial, tick in few],
    }


def _each(codes: Codes) -> Iterator[Codes]:
    return (Codes(*values) for values in zip(*codes, strict=True))


def _plain(codes: Codes) -> dict[str, float | None]:
    return {name: _number(value) for name, value in codes._asdict().items()}


def _numbers(values: dict[str, float]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _cells(codes: Codes) -> list[str]:
    return [_cell(value) for value in codes]


def _cell(value: Any) -> str:
    return f"{float(value):.6g}" if math.isfinite(value) else ""


def _csv(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def write(folder: Path, session: str, series: Series) -> None:
    """Write tables and JSON, each replaced as a whole. Raises OSError."""
    replace_text(folder / TABLE, table(session, series))
    replace_text(folder / BINS, bins(session, series))
    replace_text(folder / DATA, json.dumps(data(session, series), indent=1) + "\n")
