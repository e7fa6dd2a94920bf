"""The files that an experiment leaves: a tidy table of measures, one of candidates, everything as JSON, a figure."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from decoderd_plugins.manifold.choosing import SIDES, Choice
from decoderd_plugins.manifold.course import Course
from decoderd_plugins.manifold.measuring import Numbers

CHANGES = ("velocity_change_m_s", "direction_change_deg", "angle_1_deg", "angle_2_deg")
TABLE, CANDIDATES, DATA, FIGURE = "manifold.csv", "candidates.csv", "manifold.json", "manifold.png"


def table(session: str, course: Course) -> str:
    """CSV: a row a measure and stretch of trials."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["session", "block", "stage", "part", "day", "first_trial", "last_trial", "measure", "value"])
    for one in course.stretches:
        for name, value in one.numbers.items():
            place = [session, one.block, one.stage, one.part, one.day, one.first, one.last]
            writer.writerow([*place, name, "" if math.isnan(value) else repr(float(value))])
    return text.getvalue()


def candidates(choice: Choice) -> str:
    """CSV: a row a candidate; progress in mm a bin, changes and angles in degrees."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    targets = [f"progress_mm_{k}" for k in range(len(choice.progress))]
    writer.writerow(["kind", "candidate", "chosen", "allowed", "progress_mm", *targets, *CHANGES, "order"])
    for side in SIDES:
        found = choice.of[side]
        predicted = found.predicted
        numbers = np.column_stack(
            [
                1e3 * predicted.progress.mean(axis=1),
                1e3 * predicted.progress,
                predicted.velocity_change,
                np.degrees(predicted.direction_change),
                np.degrees(predicted.angles),
            ]
        )
        rows = zip(found.allowed.tolist(), numbers.tolist(), found.orders.tolist(), strict=True)
        for number, (allowed, values, order) in enumerate(rows):
            told = [f"{value:.6g}" for value in values]
            writer.writerow([side, number, int(number == found.chosen), int(allowed), *told, " ".join(map(str, order))])
    return text.getvalue()


def data(session: str, course: Course) -> dict[str, Any]:
    """Everything but the candidates that were not chosen, as plain data; None where there is no number."""
    return {
        "session": session,
        "config": course.config.model_dump(mode="json", exclude={"out", "publish", "participant"}),
        "fit": None if course.fit is None else _fit(course),
        "stages": [
            {"block": stage.block, "part": stage.part, "from_tick": stage.from_tick, "trials": len(stage.trials)}
            for stage in course.stages
        ],
        "mixed_trials": course.mixed,
        "stretches": [
            {
                "block": one.block,
                "stage": one.stage,
                "part": one.part,
                "day": one.day,
                "trials": [one.first, one.last],
                "measures": _plain(one.numbers),
            }
            for one in course.stretches
        ],
        "strategies": _plain(course.strategies),
    }


def _fit(course: Course) -> dict[str, Any]:
    assert course.fit is not None
    choice, tried = course.fit.choice, course.fit.tried
    return {
        "factors": course.fit.factors,
        "log_likelihood": None if tried is None else dict(zip(tried.tried, tried.scores.tolist(), strict=True)),
        "bins": len(course.fit.reference.counts),
        "targets": course.fit.reference.labels.tolist(),
        "progress_mm": (1e3 * choice.progress).tolist(),
        "pair": {side: _candidate(choice, side) for side in SIDES},
    }


def _candidate(choice: Choice, side: Any) -> dict[str, Any]:
    found = choice.of[side]
    predicted, at = found.predicted, found.chosen
    return {
        "candidate": at,
        "of": len(found.orders),
        "order": choice.order(side).tolist(),
        "progress_mm": (1e3 * predicted.progress[at]).tolist(),
        "velocity_change_m_s": float(predicted.velocity_change[at]),
        "direction_change_deg": float(np.degrees(predicted.direction_change[at])),
        "angles_deg": np.degrees(predicted.angles[at]).tolist(),
    }


def _plain(numbers: Numbers) -> dict[str, float | None]:
    return {name: float(value) if math.isfinite(value) else None for name, value in numbers.items()}


def prepare(folder: Path) -> None:
    """Make the folder, so that one that cannot be written is known before anything happens. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f"{DATA}.part"
    probe.touch()
    probe.unlink()


def write(folder: Path, session: str, course: Course) -> None:
    """Tables and JSON, each replaced as a whole. Raises OSError."""
    _replace(folder / TABLE, table(session, course))
    _replace(folder / DATA, json.dumps(data(session, course), indent=1) + "\n")
    if course.fit is not None:
        _replace(folder / CANDIDATES, candidates(course.fit.choice))


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
