"""Draws the figure of a compaction measurement. Needs matplotlib, the extra `plot`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from decoderd.analysis.neuron_adding import by_range
from decoderd_plugins.compaction.measures import DayMeasures

LINES = {
    "accuracy of the predicted target": ("accuracy", "accuracy_nonreadouts", "accuracy_matched", "accuracy_everything"),
    "units and modes needed (N_c)": ("n_c", "n_c_modes"),
    "participation ratio": ("pr_norm",),
    "shared variance (SOT)": ("sot",),
    "halves of the modes": ("accuracy_high_variance", "accuracy_low_variance"),
}


def draw(path: Path, session: str, series: Sequence[DayMeasures]) -> None:
    """Draw a panel for each measure over the days kept, and the adding curves of the first and last day kept."""
    kept = [numbers for numbers in series if numbers.kept]
    figure = Figure(figsize=(12, 7), layout="constrained")
    figure.suptitle(session)
    axes = figure.subplots(2, 3).ravel().tolist()
    _curves(axes[0], kept)
    for panel, (title, names) in zip(axes[1:], LINES.items(), strict=True):
        _measures(panel, kept, title, names)
    figure.savefig(path, dpi=120)


def _curves(panel: Any, kept: Sequence[DayMeasures]) -> None:
    for place in dict.fromkeys((0, len(kept) - 1)):
        numbers = kept[place]
        curve = by_range(numbers.curves["units"].mean(axis=1))
        panel.plot(np.arange(1, len(curve) + 1), curve, marker="o", label=f"day {numbers.day}")
    panel.axhline(0.8, color="0.6", linewidth=0.8)
    panel.set(title="adding curve, normalised", xlabel="units, best first")
    _finished(panel)


def _measures(panel: Any, kept: Sequence[DayMeasures], title: str, names: Sequence[str]) -> None:
    for name in names:
        found = [(numbers.day, numbers.estimates[name]) for numbers in kept if name in numbers.estimates]
        if found:
            day = [number for number, _ in found]
            value, low, high = np.array([estimate[:3] for _, estimate in found]).T
            # An interval need not hold its estimate: that of a biased measure lies aside.
            beside = [np.maximum(value - low, 0), np.maximum(high - value, 0)]
            panel.errorbar(day, value, beside, marker="o", capsize=2, label=name)
    panel.set(title=title, xlabel="day")
    _finished(panel)


def _finished(panel: Any) -> None:
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    if panel.has_data():
        panel.legend(frameon=False, fontsize="small")
