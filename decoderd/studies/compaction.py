"""Measures of the readouts' counts in reaches: the number of units that predict the target, and their dimensions.

Both are those of Rajeswaran, Payeur, Lajoie & Orsborn (2024); `analysis.neuron_adding` and `analysis.dimensionality`
have the equations. The client plug-in `compaction` measures more of one session, with intervals and tests.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from decoderd.analysis import dimensionality, features, neuron_adding
from decoderd.config import ComponentConfig, Count, Seconds
from decoderd.studies.measures import Day, Measure, Numbers

Bin = Annotated[Seconds, Field(description="bin of the counts, from the go cue on")]
Window = Annotated[Seconds, Field(description="time after the go cue that is used; shorter reaches are padded")]


class UnitsNeededConfig(ComponentConfig):
    """Readouts needed to predict the target with 80 % of the accuracy between that of the best one and that of all."""

    kind: Literal["n_c"] = "n_c"
    bin_s: Bin = 0.1
    window_s: Window = 1.8
    per_target: Annotated[Count, Field(description="training reaches to each target")] = 25
    repeats: Annotated[Count, Field(description="random draws of training and test reaches")] = 10


class DimensionsConfig(ComponentConfig):
    """Normalised participation ratio of standardised counts."""

    kind: Literal["pr_norm"] = "pr_norm"
    bin_s: Bin = 0.1
    window_s: Window = 1.8


def reaches(day: Day, bin_s: float, window_s: float) -> features.Reaches:
    """Counts of the day's reaches that arrived at their target or ran their fixed time, in bins.

    Raises ArrayError for bins that do not fit the window.
    """
    cued = day.trials[day.trials["go_tick"] >= 0].copy()
    lengths = [len(counts) for counts in day.counts]
    begins = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    cued["go_tick"], cued["end_tick"] = begins[:-1], begins[1:]
    units = day.counts[0].shape[1] if len(day.counts) else 0
    counts = np.concatenate(day.counts) if len(day.counts) else np.zeros((0, units))
    return features.reaches(counts, cued, day.protocol.tick_s, 0, REACHED, bin_s, window_s)


# Of a trial of fixed length also the outcome `missed`: it is as long as one that succeeds.
REACHED = (*features.ARRIVED, "missed")


def n_c(config: UnitsNeededConfig, day: Day) -> Numbers:
    """`n_c`, and `accuracy` with all readouts; NaN on a day with too few reaches to some target.

    Draws depend on the day alone, so that sessions are compared with the same ones.
    """
    from decoderd.analysis import classification  # scikit-learn, which takes a second

    cut = reaches(day, config.bin_s, config.window_s)
    known = cut.targets >= 0
    counts, targets = cut.counts[known], cut.targets[known]
    present, number = np.unique(targets, return_counts=True)
    if len(present) < 2 or number.min() < config.per_target or number.sum() < config.per_target * len(present) + 2:
        return {"n_c": float("nan"), "accuracy": float("nan")}
    splits = classification.draws(targets, config.repeats, np.random.default_rng([0, day.day]), config.per_target)
    score = classification.accuracy(classification.scores_by_half(counts, targets, splits))
    curve = neuron_adding.adding_curve(score, range(counts.shape[1])).scores.mean(axis=1)
    return {"n_c": float(neuron_adding.n_c(curve)), "accuracy": float(curve[-1])}


def pr_norm(config: DimensionsConfig, day: Day) -> Numbers:
    """`pr_norm`; NaN with fewer than two reaches or readouts, or where nothing varies."""
    cut = reaches(day, config.bin_s, config.window_s)
    if len(cut.counts) < 2 or cut.counts.shape[1] < 2:
        return {"pr_norm": float("nan")}
    return {"pr_norm": dimensionality.pr_norm(cut.counts)}


N_C = Measure(UnitsNeededConfig, n_c, counts=True)
PR_NORM = Measure(DimensionsConfig, pr_norm, counts=True)
