"""A figure of the lesson: targets reached with a decoder that knows nothing, adapted in the loop or left as it is.

python examples/figures/adaptation.py docs/tutorials/adaptation.png
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from decoderd.api import simulate

PROTOCOL = Path(__file__).parents[2] / "protocols" / "experiments" / "smooth-batch.toml"
SEEDS, MINUTES = range(1, 4), 12


def per_minute(seed: int, **changed: Any) -> Any:
    """Successes in each minute."""
    recorded = simulate(PROTOCOL, seed=seed, set={"schedule.blocks.0.duration_s": 60 * MINUTES, **changed})
    trials, tick_s = recorded.trials(), recorded.protocol.tick_s
    ends_s = trials["end_tick"][trials["outcome"] == "success"] * tick_s
    found = np.histogram(ends_s, 60 * np.arange(MINUTES + 1))[0]
    print(seed, changed, found.tolist(), flush=True)
    return found


def main(path: str) -> None:
    """Run all sessions and draw them."""
    fixed = {"updater": {"kind": "none"}}
    figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
    for changed, colour, label in [({}, "#1f5fa8", "adapted in the loop"), (fixed, "0.4", "left as it is")]:
        counted = np.array([per_minute(seed, **changed) for seed in SEEDS])
        minutes = np.arange(MINUTES) + 0.5
        axes.plot(minutes, counted.T, color=colour, alpha=0.3, lw=0.8)
        axes.plot(minutes, counted.mean(axis=0), "o-", color=colour, label=label)
    axes.set(xlabel="time (min)", ylabel="targets reached a minute", ylim=(0, None), title="a decoder drawn at random")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main(sys.argv[1])
