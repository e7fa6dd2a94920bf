"""Writes the files of a manifold experiment: tables of measures and of candidates (CSV), and all results (JSON)."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from decoderd.files import replace_text
from decoderd_plugins.manifold.experiment import ManifoldExperiment
from decoderd_plugins.manifold.measures import Numbers
from decoderd_plugins.manifold.permutation_choice import SIDES, PermutationChoice

CHANGES = ("velocity_change_m_s", "direction_change_deg", "angle_1_deg", "angle_2_deg")
TABLE, CANDIDATES, DATA, FIGURE = "manifold.csv", "candidates.csv", "manifold.json", "manifold.png"


def table(session: str, experiment: ManifoldExperiment) -> str:
    """CSV with a row for each window of trials and measure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["session", "block", "stage", "blend", "day", "first_trial", "last_trial", "measure", "value"])
    for window in experiment.windows:
        for name, value in window.numbers.items():
            place = [session, window.block, window.stage, window.blend, window.day, window.first, window.last]
            writer.writerow([*place, name, "" if math.isnan(value) else repr(float(value))])
    return text.getvalue()


def candidates(choice: PermutationChoice) -> str:
    """CSV with a row for each candidate: progress in mm a bin, changes and angles in degrees."""
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
            shown = [f"{value:.6g}" for value in values]
            writer.writerow(
                [side, number, int(number == found.chosen), int(allowed), *shown, " ".join(map(str, order))]
            )
    return text.getvalue()


def data(session: str, experiment: ManifoldExperiment) -> dict[str, Any]:
    """All results except the candidates that were not chosen, as plain data; None for NaN."""
    return {
        "session": session,
        "config": experiment.config.model_dump(mode="json", exclude={"out", "publish", "participant"}),
        "fit": None if experiment.fit is None else _fit(experiment),
        "stages": [
            {"block": stage.block, "blend": stage.blend, "from_tick": stage.from_tick, "trials": len(stage.trials)}
            for stage in experiment.stages
        ],
        "mixed_trials": experiment.mixed,
        "windows": [
            {
                "block": window.block,
                "stage": window.stage,
                "blend": window.blend,
                "day": window.day,
                "trials": [window.first, window.last],
                "measures": _plain(window.numbers),
            }
            for window in experiment.windows
        ],
        "strategies": _plain(experiment.strategies),
    }


def _fit(experiment: ManifoldExperiment) -> dict[str, Any]:
    assert experiment.fit is not None
    choice, tried = experiment.fit.choice, experiment.fit.tried
    return {
        "factors": experiment.fit.factors,
        "log_likelihood": None if tried is None else dict(zip(tried.tried, tried.scores.tolist(), strict=True)),
        "bins": len(experiment.fit.reference.counts),
        "targets": experiment.fit.reference.labels.tolist(),
        "progress_mm": (1e3 * choice.progress).tolist(),
        "pair": {side: _candidate(choice, side) for side in SIDES},
    }


def _candidate(choice: PermutationChoice, side: Any) -> dict[str, Any]:
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


def write(folder: Path, session: str, experiment: ManifoldExperiment) -> None:
    """Write tables and JSON, each replaced as a whole. Raises OSError."""
    replace_text(folder / TABLE, table(session, experiment))
    replace_text(folder / DATA, json.dumps(data(session, experiment), indent=1) + "\n")
    if experiment.fit is not None:
        replace_text(folder / CANDIDATES, candidates(experiment.fit.choice))
