"""Draws the figure of a demultiplexing: both signals over trials, and the errors recovered from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from decoderd_plugins.demultiplex.measures import RECOVERED, Window

STYLES = dict(zip(RECOVERED, ("C1-o", "C0-o", "C1--s", "C0--s"), strict=True))
BINS = 100  # of the course in time that is shown


def draw(path: Path, session: str, windows: Sequence[Window]) -> None:
    """Draw event rate, burst fraction, size of the error and correlations over trials, and the last bins in time."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    figure.suptitle(session)
    rate, fraction, error, right, *units = figure.subplots(2, 3).ravel().tolist()
    middle = np.array([(window.first + window.last) / 2 for window in windows])
    _from_zero(rate, middle, [window.pooled.event_rate_hz for window in windows], "event rate of a unit (Hz)")
    _fraction(fraction, middle, windows)
    _from_zero(error, middle, [_size(window) for window in windows], "error seen (root mean square, m/s)")
    _correlations(right, middle, windows)
    _units(units[0], windows)
    _course(units[1], windows[-1])
    figure.savefig(path, dpi=120)


def _from_zero(panel: Any, middle: Any, values: Sequence[Any], title: str) -> None:
    panel.plot(middle, values, "C0-o")
    panel.set(title=title, xlabel="trial", ylim=(0, 1.2 * max(values) or 1.0))


def _size(window: Window) -> float:
    seen = window.course.seen
    return float(np.sqrt((seen**2).sum(axis=1).mean()))


def _fraction(panel: Any, middle: Any, windows: Sequence[Window]) -> None:
    value, low, high = np.array([[w.pooled.corrected, w.pooled.low, w.pooled.high] for w in windows]).T
    panel.errorbar(middle, value, [np.maximum(value - low, 0), np.maximum(high - value, 0)], fmt="C1-o", capsize=2)
    raw = [window.pooled.burst_fraction for window in windows]
    panel.plot(middle, raw, "C1:", label="not corrected")
    panel.set(title="burst fraction", xlabel="trial")
    panel.legend(frameon=False, fontsize="small")


def _correlations(panel: Any, middle: Any, windows: Sequence[Window]) -> None:
    for name, style in STYLES.items():
        r = np.array([window.correlations[name] for window in windows])
        if np.isfinite(r).any():
            panel.plot(middle, r, style, markersize=4, label=name.replace("_", ", "))
    panel.axhline(0, color="0.7", linewidth=0.8)
    panel.set(title="r of the error recovered", xlabel="trial", ylim=(-1.05, 1.05))
    if panel.get_legend_handles_labels()[0]:
        panel.legend(frameon=False, fontsize="small")


def _units(panel: Any, windows: Sequence[Window]) -> None:
    for window, colour in zip((windows[0], windows[-1]), ("0.6", "C1"), strict=True):
        label = f"trials {window.first} to {window.last}"
        panel.plot(window.units.event_rate_hz, window.units.corrected, ".", color=colour, label=label)
    panel.set(title="units", xlabel="event rate (Hz)", ylabel="burst fraction, corrected")
    panel.legend(frameon=False, fontsize="small")


def _course(panel: Any, window: Window) -> None:
    course = window.course
    for name in ("bursts_projected", "bursts_regressed"):
        recovered = course.recovered[name][:BINS, 0]
        if np.isfinite(recovered).any():
            panel.plot(_standardised(course.seen[:BINS, 0]), "0.4", label="seen")
            panel.plot(_standardised(recovered), "C1", linewidth=0.9, label=name.replace("_", ", "))
            panel.legend(frameon=False, fontsize="small")
            break
    few = np.flatnonzero(~course.enough[:BINS])
    panel.plot(few, np.zeros(len(few)), "kx", markersize=4)
    panel.set(title=f"error along x, from trial {window.first} on", xlabel="bin", ylabel="in standard deviations")


def _standardised(values: Any) -> Any:
    spread = np.nanstd(values)
    return (values - np.nanmean(values)) / (spread if spread > 0 else 1.0)
