"""A figure of the lesson: spikes of three reaches, the velocity decoded from them, and the paths of the cursor.

python examples/figures/what_a_decoder_does.py docs/tutorials/what-a-decoder-does.png
"""

from __future__ import annotations

import sys
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from decoderd.api import simulate

PROTOCOL = {
    "name": "lesson",
    "schedule": {"blocks": [{"trials": 40}]},
    "task": {"kind": "centre_out"},
    "population": {"kind": "tuned"},
    "decoder": {"kind": "kalman"},
}
SHOWN_S = 8.0
TICK_S = 0.01


def draw_spikes(axes: Any, counts: Any, intended: Any) -> None:
    """A row for each unit, in the order of the directions in which they fire most; a dot for each spike."""
    preferred = np.angle(np.array([1, 1j]) @ intended.T @ (counts - counts.mean(axis=0)))
    ticks, rows = np.nonzero(counts[: round(SHOWN_S / TICK_S), np.argsort(preferred)])
    axes.plot(ticks * TICK_S, rows, ",", color="0.1")
    axes.set(ylabel="unit", ylim=(-1, counts.shape[1]), title="what the decoder gets: spikes of 100 units")


def draw_velocities(axes: Any, ticks: Any) -> None:
    """What the subject intended and what was decoded, along x."""
    shown = slice(0, round(SHOWN_S / TICK_S))
    time_s = np.arange(shown.stop) * TICK_S
    axes.plot(time_s, 100 * ticks["intended"][shown, 0], color="0.75", label="intended")
    axes.plot(time_s, 100 * ticks["decoded"][shown, 0], color="#1f5fa8", label="decoded")
    axes.set(
        xlabel="time (s)",
        ylabel="velocity along x (cm/s)",
        title="what it makes of them: a velocity, 20 times a second",
    )
    axes.legend(loc="upper right", frameon=False, ncols=2)


def draw_paths(axes: Any, ticks: Any, trials: Any) -> None:
    """Paths of all successful reaches, by target."""
    for trial in trials[trials["outcome"] == "success"]:
        path = 100 * ticks["cursor"][trial["go_tick"] : trial["end_tick"], :2]
        axes.plot(*path.T, color=plt.cm.hsv(trial["target"] / 8), lw=0.8)
    for x, y in {(trial["target_x_m"], trial["target_y_m"]) for trial in trials}:
        axes.add_patch(plt.Circle((100 * x, 100 * y), 1.2, fill=False, color="0.3"))
    axes.set(aspect="equal", xlabel="x (cm)", ylabel="y (cm)", title="where the cursor goes")


def main(path: str) -> None:
    """Run the session and draw it."""
    recorded = simulate(PROTOCOL)
    ticks, trials, counts = recorded.ticks(), recorded.trials(), recorded.counts()
    figure = plt.figure(figsize=(11, 5.2), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[1.7, 1])
    spikes = figure.add_subplot(grid[0, 0])
    draw_spikes(spikes, counts, ticks["intended"][: len(counts)])
    draw_velocities(figure.add_subplot(grid[1, 0], sharex=spikes), ticks)
    draw_paths(figure.add_subplot(grid[:, 1]), ticks, trials)
    figure.savefig(path, dpi=100)
    print(f"{(trials['outcome'] == 'success').sum()} of {len(trials)} trials succeeded")


if __name__ == "__main__":
    main(sys.argv[1])
