"""Figures of the report about a fit, drawn on matplotlib figures. K directions, N units."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from decoderd.arrays import Array
from decoderd.html_page import Figure
from decoderd.twin.tuning import Tuning, correlation, first_harmonic

# Units with a curve of their own: as many as can be read.
ROWS, COLUMNS = 2, 6
RECORDED, TWIN = "tab:blue", "tab:orange"


def of_tuning(tuning: Tuning) -> list[Figure]:
    """Tuning curves, preferred directions, and recorded against twin means."""
    return [
        Figure(
            "Tuning curves",
            "Rates by direction of the units that are tuned most deeply: recorded means with two standard errors, and "
            "the twin's curve.",
            partial(curves, tuning=tuning),
            (9.0, 4.0),
        ),
        Figure(
            "Preferred directions",
            "Left and middle: a line for each unit, as long as its depth of tuning, towards its preferred direction. "
            "Right: preferred directions of the recording and of the twin; the larger the mark, the deeper the tuning.",
            partial(preferred_directions, tuning=tuning),
            (9.0, 3.4),
        ),
        Figure(
            "Recorded against twin means",
            "A mark for each unit and direction. Left: mean rates. Right: the same without each unit's mean over "
            f"directions, with correlation {correlation(tuning):.3f}. On the line both are equal.",
            partial(means, tuning=tuning),
            (9.0, 4.2),
        ),
    ]


def curves(canvas: Any, tuning: Tuning) -> None:
    """Tuning curves of the units with the deepest tuning, a panel for each."""
    _, depth, _ = first_harmonic(tuning.direction, tuning.recorded)
    shown = np.argsort(-depth, kind="stable")[: ROWS * COLUMNS]
    panels = canvas.subplots(-(-len(shown) // COLUMNS), COLUMNS, sharex=True, squeeze=False).ravel()
    degrees, circle = np.rad2deg(tuning.direction), np.rad2deg(tuning.curve_direction)
    for panel, unit in zip(panels, shown, strict=False):
        panel.plot(circle, tuning.curve[:, unit], color=TWIN, label="twin")
        panel.errorbar(
            degrees,
            tuning.recorded[:, unit],
            2 * tuning.error[:, unit],
            fmt="o",
            markersize=3,
            color=RECORDED,
            label="recorded",
        )
        panel.set_title(f"unit {unit}", fontsize=9)
        panel.set_ylim(bottom=0)
        panel.set_xticks([0, 180, 360])
        panel.locator_params(axis="y", nbins=3)
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, fontsize=8)
    canvas.supxlabel("direction (degrees)", fontsize=10)
    canvas.supylabel("rate (Hz)", fontsize=10)


def preferred_directions(canvas: Any, tuning: Tuning) -> None:
    """Preferred directions and depths of recording and twin on circles, and one against the other."""
    recorded, twin = (first_harmonic(tuning.direction, rates)[1:] for rates in (tuning.recorded, tuning.twin))
    longest = max(recorded[0].max(), twin[0].max(), 1e-9)
    for place, (title, colour, (depth, preferred)) in enumerate(
        (("recorded", RECORDED, recorded), ("twin", TWIN, twin)), 1
    ):
        circle = canvas.add_subplot(1, 3, place, projection="polar")
        circle.vlines(preferred, 0, depth, color=colour, linewidth=0.9)
        circle.set_ylim(0, longest)
        circle.set_xticks(np.pi / 2 * np.arange(4))
        circle.set_rlabel_position(22.5)
        circle.set_yticks([longest / 2, longest], labels=[f"{longest / 2:.2g}", f"{longest:.2g}"])
        circle.tick_params(labelsize=7)
        circle.set_title(f"{title} (Hz)", fontsize=10)
    against = canvas.add_subplot(1, 3, 3)
    near = recorded[1] + (twin[1] - recorded[1] + np.pi) % (2 * np.pi) - np.pi  # the turn nearest to the recording
    against.plot([0, 360], [0, 360], color="0.7", linewidth=1)
    against.scatter(np.rad2deg(recorded[1]), np.rad2deg(near), s=2 + 40 * recorded[0] / longest, color="0.2", alpha=0.6)
    against.set_xlabel("recorded (degrees)")
    against.set_ylabel("twin (degrees)")
    against.set_xticks([0, 90, 180, 270, 360])
    against.set_yticks([0, 90, 180, 270, 360])


def means(canvas: Any, tuning: Tuning) -> None:
    """Recorded against twin means, with and without each unit's mean over directions."""
    panels = canvas.subplots(1, 2)
    pairs = (
        ("mean rate (Hz)", tuning.recorded, tuning.twin),
        ("change with direction (Hz)", *(rates - rates.mean(axis=0) for rates in (tuning.recorded, tuning.twin))),
    )
    for panel, (name, recorded, twin) in zip(panels, pairs, strict=True):
        ends = [min(recorded.min(), twin.min()), max(recorded.max(), twin.max())]
        panel.plot(ends, ends, color="0.7", linewidth=1)
        panel.scatter(recorded.ravel(), twin.ravel(), s=6, alpha=0.5, color="0.2", linewidths=0)
        panel.set_xlabel(f"recorded: {name}")
        panel.set_ylabel(f"twin: {name}")
        panel.set_aspect("equal", adjustable="datalim")


def progress(recorded: Array, twin: Array) -> Figure:
    """Progress (K,) towards each target, m a bin."""

    def draw(canvas: Any) -> None:
        panel = canvas.subplots()
        place = np.arange(len(recorded))
        panel.bar(place - 0.2, 1e3 * recorded, 0.4, color=RECORDED, label="recorded")
        panel.bar(place + 0.2, 1e3 * twin, 0.4, color=TWIN, label="twin")
        panel.axhline(0, color="0.3", linewidth=0.8)
        panel.locator_params(axis="x", integer=True)
        panel.set_xlabel("target, in the order of their numbers")
        panel.set_ylabel("progress (mm a bin)")
        panel.legend()

    return Figure(
        "Progress towards the targets",
        "How far the counts of a bin move the cursor towards its target through the decoder: mean over the bins of a "
        "target. The decoder is biased where some targets have much more than others.",
        draw,
    )
