"""A figure of the lesson: the width of the decoder's bins that is best offline, and the one that is best in the loop.

    python examples/figures/bin_width.py docs/tutorials/bin-width.png

For each seed one session is recorded. For each width a decoder is fitted to a simulated calibration; it decodes the
recording offline, and drives a session of its own. After Cunningham et al. (2011), who let people control such a loop.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from decoderd.api import Simulation, simulate
from decoderd.decoders import gaussian, offline

SEEDS = range(1, 5)
TICK_S = 0.01
WIDTHS = (1, 2, 5, 10, 15, 20, 30)  # ticks of a bin
PROTOCOL = {
    "name": "widths",
    "tick_s": TICK_S,
    "schedule": {"blocks": [{"trials": 32}]},
    "task": {"kind": "centre_out"},
    "population": {"kind": "tuned", "units": 40},
    "decoder": {"kind": "kalman"},
}


class Measured(NamedTuple):
    """One width and one seed."""

    r2: float  # offline, of the velocity of each bin
    success: float
    per_min: float


def offline_r2(model: gaussian.Model, counts: Any, intended: Any, width: int) -> float:
    """R2 of the mean intended velocities of bins, decoded from the counts (ticks x units) of a recording."""
    bins = len(counts) // width
    summed = counts[: bins * width].reshape(bins, width, -1).sum(axis=1)
    true = intended[: bins * width].reshape(bins, width, 2).mean(axis=1)
    decoded = offline.decode("kalman", gaussian.model_arrays(model), summed)[:, :2]
    return float(1 - ((decoded - true) ** 2).sum() / ((true - true.mean(axis=0)) ** 2).sum())


def measured(seed: int) -> list[Measured]:
    """All widths of one seed."""
    recorded = simulate({**PROTOCOL, "bin_ticks": 1}, seed=seed)
    counts, intended = recorded.counts(), recorded.ticks()["intended"]
    found = []
    for width in WIDTHS:
        simulation = Simulation({**PROTOCOL, "bin_ticks": width}, seed=seed)
        r2 = offline_r2(simulation.state.parameters.decoder, counts, intended[: len(counts)], width)
        simulation.run()
        won = simulation.recorded.trials()["outcome"] == "success"
        found.append(Measured(r2, won.mean(), 60 * won.sum() / (simulation.state.tick * TICK_S)))
        print(seed, round(1e3 * width * TICK_S), *(f"{value:.2f}" for value in found[-1]), flush=True)
    return found


def draw(axes: Any, values: Any, colour: str, **labels: Any) -> None:
    """The mean over seeds and each seed, by width."""
    widths_ms = 1e3 * TICK_S * np.array(WIDTHS)
    axes.plot(widths_ms, values.T, color=colour, alpha=0.3, lw=0.8)
    axes.plot(widths_ms, values.mean(axis=0), "o-", color=colour)
    axes.set(xlabel="width of a bin (ms)", xlim=(0, 310), ylim=(0, None), **labels)


def main(path: str) -> None:
    """Measure and draw."""
    r2, success, per_min = np.array([measured(seed) for seed in SEEDS]).transpose(2, 0, 1)
    for width, *means in zip(WIDTHS, r2.mean(axis=0), success.mean(axis=0), per_min.mean(axis=0), strict=True):
        print(f"{1e3 * TICK_S * width:.0f} ms: R2 {means[0]:.2f}, success {means[1]:.2f}, {means[2]:.1f} a minute")
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    draw(left, r2, "#9a5b00", ylabel="R2 of the velocity", title="offline: wider is better")
    draw(right, per_min, "#1f5fa8", ylabel="targets reached a minute", title="in the loop: up to 150 ms are as good")
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main(sys.argv[1])
