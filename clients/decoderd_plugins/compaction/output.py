"""Writes the files of a compaction measurement: a table (CSV) and all results (JSON)."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from decoderd.analysis import days
from decoderd.files import replace_text
from decoderd_plugins.compaction.measures import DayMeasures, Estimate, MeasurementPlan

TABLE, DATA, FIGURE = "compaction.csv", "compaction.json", "compaction.png"
FIELDS = ("value", "low", "high", "p")


def flat(numbers: DayMeasures) -> dict[str, float]:
    """Estimates as one flat dictionary of finite numbers: `n_c`, `n_c_low`, `n_c_high`, `n_c_change_p`, ..."""
    whole = {"kept": float(numbers.kept)}
    for name, estimate in numbers.estimates.items():
        for field, value in zip(FIELDS, estimate, strict=True):
            if math.isfinite(value):
                whole[name if field == "value" else f"{name}_{field}"] = value
    return whole


def summary(numbers: DayMeasures) -> str:
    """One line of text about a day."""
    if not numbers.kept:
        return f"day {numbers.day}: not kept: {min(numbers.per_target)} reaches to the target with the fewest"
    parts = [f"{numbers.estimates['reaches'].value:.0f} reaches"]
    for name in ("accuracy", "n_c", "n_c_change", "n_c_modes", "pr_norm", "sot", "d_shared"):
        if name in numbers.estimates:
            parts.append(f"{name} {numbers.estimates[name].value:.3g}")
    return f"day {numbers.day}: {', '.join(parts)}"


def table(session: str, series: Sequence[DayMeasures]) -> str:
    """CSV with a row for each day and measure; empty cells where there is no interval or test."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["session", "day", "kept", "measure", *FIELDS])
    for numbers in series:
        for name, estimate in numbers.estimates.items():
            values = ["" if math.isnan(value) else repr(float(value)) for value in estimate]
            writer.writerow([session, numbers.day, int(numbers.kept), name, *values])
    return text.getvalue()


def data(session: str, plan: MeasurementPlan, series: Sequence[DayMeasures]) -> dict[str, Any]:
    """All results as plain data; None for NaN."""
    of_days = [
        {
            "day": numbers.day,
            "kept": numbers.kept,
            "reaches_per_target": numbers.per_target,
            "readouts": list(numbers.readouts),
            "measures": {name: _plain(estimate) for name, estimate in numbers.estimates.items()},
            "order": numbers.order,
            "curves": {name: scores.mean(axis=1).tolist() for name, scores in numbers.curves.items()},
        }
        for numbers in series
    ]
    kept = [numbers for numbers in series if numbers.kept]
    names = list(kept[0].estimates) if kept else []
    return {
        "session": session,
        "config": plan.config.model_dump(mode="json", exclude={"out", "publish"}),
        "readouts": list(plan.readouts),
        "units": plan.units,
        "targets": plan.targets,
        "days": of_days,
        "early_and_late": {name: _change(kept, name) for name in names if name != "best_mode"},
    }


def _plain(estimate: Estimate) -> dict[str, float | None]:
    return {field: _number(value) for field, value in zip(FIELDS, estimate, strict=True)}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _change(kept: Sequence[DayMeasures], name: str) -> dict[str, float | None]:
    values = [numbers.estimates[name].value if name in numbers.estimates else math.nan for numbers in kept]
    found = days.change([numbers.day for numbers in kept], values)
    return {field: _number(value) for field, value in found._asdict().items()}


def write(folder: Path, session: str, plan: MeasurementPlan, series: Sequence[DayMeasures]) -> None:
    """Write table and JSON, each replaced as a whole. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(folder / TABLE, table(session, series))
    replace_text(folder / DATA, json.dumps(data(session, plan, series), indent=1) + "\n")
