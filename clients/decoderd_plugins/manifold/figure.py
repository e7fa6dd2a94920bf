"""Draws the figure of a manifold experiment: performance and activity over trials, and the candidates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from decoderd_plugins.manifold.experiment import ManifoldExperiment
from decoderd_plugins.manifold.permutation_choice import SIDES

LINES = {
    "success rate": ("success_rate",),
    "acquisition time (s)": ("acquisition_s",),
    "learning amount": ("learning_amount",),
    "manifold": ("part_in_manifold", "overlap"),
    "variance read, over that before": ("control_intuitive", "control_perturbed"),
}


def draw(path: Path, session: str, experiment: ManifoldExperiment) -> None:
    """Draw a panel for each measure over the middle trial of each window, and one for the candidates."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    figure.suptitle(f"{session}, {experiment.config.kind}")
    *axes, last = figure.subplots(2, 3).ravel().tolist()
    for panel, (title, names) in zip(axes, LINES.items(), strict=True):
        _measures(panel, experiment, title, names)
    _candidates(last, experiment)
    figure.savefig(path, dpi=120)


def _measures(panel: Any, experiment: ManifoldExperiment, title: str, names: tuple[str, ...]) -> None:
    for name in names:
        found = [
            ((window.first + window.last) / 2, window.numbers[name])
            for window in experiment.windows
            if name in window.numbers
        ]
        if found:
            panel.plot(*np.array(found).T, marker="o", label=name)
    for stage in experiment.stages[1:]:
        if stage.trials:
            panel.axvline(stage.trials[0].number - 0.5, color="0.7", linewidth=0.8)
    panel.set(title=title, xlabel="trial")
    if len(names) > 1 and panel.has_data():
        panel.legend(frameon=False, fontsize="small")


def _candidates(panel: Any, experiment: ManifoldExperiment) -> None:
    panel.set(title="candidates", xlabel="change of preferred directions (deg)", ylabel="progress (mm a bin)")
    if experiment.fit is None:
        return
    choice = experiment.fit.choice
    for side, colour in zip(SIDES, ("C0", "C3"), strict=True):
        found = choice.of[side]
        turned = np.degrees(found.predicted.direction_change)
        progress = 1e3 * found.predicted.progress.mean(axis=1)
        panel.plot(turned, progress, ".", color=colour, alpha=0.2, markersize=2)
        panel.plot(turned[found.chosen], progress[found.chosen], "o", color=colour, label=side)
    panel.axhline(1e3 * choice.progress.mean(), color="0.4", linewidth=0.8, label="intuitive")
    panel.legend(frameon=False, fontsize="small")
