"""Figures of the report about a fit to kinematics, drawn on matplotlib figures. T bins, k axes."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.html_page import Figure
from decoderd.twin.kinematics.arrays import runs
from decoderd.twin.kinematics.fit import Fitted
from decoderd.twin.kinematics.validation import Choice

RECORDED, DECODED = "tab:blue", "tab:orange"
SHOWN_S = 20.0
# Marks of a figure: more would cover one another, and take time to draw.
MARKS = 3000
CENTIMETRES = 100.0


def of_decoding(found: Fitted) -> list[Figure]:
    """Decoded against recorded kinematics, in time and in all bins, and what was compared by cross-validation."""
    rows = shown_bins(found)
    return [
        Figure(
            "Decoded and recorded kinematics",
            f"{len(rows) * found.recorded.bin_s:.3g} s from the middle of the longest part without gaps. Each bin is "
            "decoded by a decoder that was fitted without it.",
            partial(in_time, choice=found.choice, rows=rows, bin_s=found.recorded.bin_s),
            (9.0, 1.6 * len(found.choice.axes) + 0.4),
        ),
        Figure(
            "Decoded against recorded kinematics",
            f"At most {MARKS} bins, evenly spaced, each decoded by a decoder that was fitted without it.",
            partial(against, choice=found.choice),
            (9.0, 9.0 / len(found.choice.axes)),
        ),
        Figure(
            "What was compared",
            "Left: log likelihood of held-out counts by the lag from counts to kinematics, less the highest. Right: R2 "
            "of held-out bins by the decoder's regularisation. The marks are what was chosen.",
            partial(compared, found=found),
            (9.0, 3.0),
        ),
    ]


def shown_bins(found: Fitted) -> NDArray[np.intp]:
    """Bins (at most SHOWN_S of them) from the middle of the longest part in which all is known."""
    known = _known(found.choice)
    run = runs(known, found.recorded.trial)
    numbers, length = np.unique(run[known], return_counts=True)
    rows = np.flatnonzero(known & (run == numbers[length.argmax()]))
    most = max(1, round(SHOWN_S / found.recorded.bin_s))
    first = max(0, (len(rows) - most) // 2)
    return rows[first : first + most]


def _known(choice: Choice) -> NDArray[np.bool_]:
    """(T,) whether recorded and decoded kinematics of a bin are known."""
    return np.asarray(np.isfinite(choice.recorded).all(axis=1) & np.isfinite(choice.decoded).all(axis=1))


def in_time(canvas: Any, choice: Choice, rows: NDArray[np.intp], bin_s: float) -> None:
    """Decoded and recorded kinematics of bins `rows`, a panel for each axis."""
    panels = canvas.subplots(len(choice.axes), 1, sharex=True, squeeze=False).ravel()
    time = bin_s * rows
    for axis, (panel, name) in enumerate(zip(panels, choice.axes, strict=True)):
        panel.plot(time, CENTIMETRES * choice.recorded[rows, axis], color=RECORDED, label="recorded")
        panel.plot(time, CENTIMETRES * choice.decoded[rows, axis], color=DECODED, label="decoded")
        panel.set_ylabel(_label(name))
    panels[0].legend(loc="upper right", fontsize=8)
    panels[-1].set_xlabel("time in the recording (s)")


def against(canvas: Any, choice: Choice) -> None:
    """Decoded against recorded kinematics, a panel for each axis."""
    known = np.flatnonzero(_known(choice))
    marks = known[:: max(1, -(-len(known) // MARKS))]
    panels = canvas.subplots(1, len(choice.axes), squeeze=False).ravel()
    for axis, (panel, name) in enumerate(zip(panels, choice.axes, strict=True)):
        x, y = (CENTIMETRES * values[marks, axis] for values in (choice.recorded, choice.decoded))
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        panel.plot(ends, ends, color="0.7", linewidth=1)
        panel.scatter(x, y, s=4, alpha=0.4, color="0.2", linewidths=0)
        panel.set_title(f"R2 {choice.score.r2[axis]:.3f}", fontsize=10)
        panel.set_xlabel(f"recorded {_label(name)}")
        panel.set_ylabel(f"decoded {_label(name)}")


def compared(canvas: Any, found: Fitted) -> None:
    """Likelihood by lag, and R2 by regularisation."""
    by_lag, by_setting = canvas.subplots(1, 2)
    lags, lag = found.lags, found.lags.lag * found.recorded.bin_s * 1e3
    _curve(by_lag, lags.lags * found.recorded.bin_s * 1e3, lags.log_likelihood, lag)
    by_lag.set_xlabel("lag (ms)")
    by_lag.set_ylabel("log likelihood")
    choice = found.choice
    _curve(by_setting, choice.settings, choice.r2, choice.decoder.value)
    by_setting.set_xlabel(choice.decoder.setting.replace("_", " ") or "no regularisation")
    by_setting.set_ylabel("mean R2")


def _curve(panel: Any, x: Array, y: Array, chosen: float) -> None:
    panel.plot(x, y, marker=".", color=RECORDED)
    at = int(np.argmin(np.abs(x - chosen)))
    panel.plot([x[at]], [y[at]], marker="o", markersize=9, color=DECODED)


def _label(axis: str) -> str:
    return f"{axis} (cm)" if axis[0] == "p" else f"{axis} (cm/s)"
