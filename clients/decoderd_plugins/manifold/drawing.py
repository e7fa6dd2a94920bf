"""The figure: performance and activity over trials, and the candidates that the perturbation was chosen from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from decoderd_plugins.manifold.choosing import SIDES
from decoderd_plugins.manifold.course import Course

LINES = {
    "success rate": ("success_rate",),
    "acquisition time (s)": ("acquisition_s",),
    "learning amount": ("learning_amount",),
    "manifold": ("part_in_manifold", "overlap"),
    "variance read, over before": ("control_intuitive", "control_perturbed"),
}


def draw(path: Path, session: str, course: Course) -> None:
    """One panel a measure over the middle trial of each stretch, and the candidates."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    figure.suptitle(f"{session}, {course.config.kind}")
    *axes, last = figure.subplots(2, 3).ravel().tolist()
    for panel, (title, names) in zip(axes, LINES.items(), strict=True):
        _measures(panel, course, title, names)
    _candidates(last, course)
    figure.savefig(path, dpi=120)


def _measures(panel: Any, course: Course, title: str, names: tuple[str, ...]) -> None:
    for name in names:
        found = [((one.first + one.last) / 2, one.numbers[name]) for one in course.stretches if name in one.numbers]
        if found:
            panel.plot(*np.array(found).T, marker="o", label=name)
    for stage in course.stages[1:]:
        if stage.trials:
            panel.axvline(stage.trials[0].number - 0.5, color="0.7", linewidth=0.8)
    panel.set(title=title, xlabel="trial")
    if len(names) > 1 and panel.has_data():
        panel.legend(frameon=False, fontsize="small")


def _candidates(panel: Any, course: Course) -> None:
    panel.set(title="candidates", xlabel="change of preferred directions (deg)", ylabel="progress (mm a bin)")
    if course.fit is None:
        return
    choice = course.fit.choice
    for side, colour in zip(SIDES, ("C0", "C3"), strict=True):
        found = choice.of[side]
        turned = np.degrees(found.predicted.direction_change)
        progress = 1e3 * found.predicted.progress.mean(axis=1)
        panel.plot(turned, progress, ".", color=colour, alpha=0.2, markersize=2)
        panel.plot(turned[found.chosen], progress[found.chosen], "o", color=colour, label=side)
    panel.axhline(1e3 * choice.progress.mean(), color="0.4", linewidth=0.8, label="intuitive")
    panel.legend(frameon=False, fontsize="small")
