"""Performance in a task: success rate, times, and the learning amount."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.errors import ArrayError


class Performance(NamedTuple):
    """Success rate and times of some trials."""

    trials: int
    successes: int
    success_rate: float  # NaN without trials
    reach_s: float  # median time from go to the end of successful trials, NaN without any
    successes_per_min: float  # over the time the trials took, NaN without trials


def of(trials: NDArray[Any], tick_s: float) -> Performance:
    """Performance over rows of a trial table (recording.reader)."""
    won = trials[trials["outcome"] == "success"]
    spent_s = float((trials["end_tick"] - trials["start_tick"]).sum()) * tick_s
    reach_s = (won["end_tick"] - won["go_tick"]) * tick_s
    return Performance(
        len(trials),
        len(won),
        len(won) / len(trials) if len(trials) else float("nan"),
        float(np.median(reach_s)) if len(won) else float("nan"),
        60 * len(won) / spent_s if spent_s else float("nan"),
    )


def around(trials: NDArray[Any], name: str) -> dict[str, NDArray[Any]]:
    """Trials before, during and after a perturbation; during are those in which it was on at any time.

    Raises ArrayError if it was never on.
    """
    touched = np.array([name in names for names in trials["perturbations"]], dtype=bool)
    if not touched.any():
        raise ArrayError(f"perturbation {name!r} was on in none of the {len(trials)} trials", "perturbations")
    first, last = np.flatnonzero(touched)[[0, -1]]
    return {"before": trials[:first], "during": trials[first : last + 1], "after": trials[last + 1 :]}


def moving_success(trials: NDArray[Any], window: int) -> NDArray[np.float64]:
    """Success rate over the last `window` trials up to each trial; NaN for the first window - 1."""
    won = (trials["outcome"] == "success").astype(np.float64)
    out = np.full(len(won), np.nan)
    if len(won) >= window:
        total = np.cumsum(np.concatenate([[0.0], won]))
        out[window - 1 :] = (total[window:] - total[:-window]) / window
    return out


def learning_amount(first: Any, intuitive: Any, now: Any) -> NDArray[np.float64]:
    """Learning amount: 0 for performance at first under the perturbation, 1 for intuitive (Sadtler et al. 2014).

    A point of performance is (success rate, acquisition time), `now` (..., 2) one or many. Both are taken relative to
    the intuitive ones; learning is the projection on the line from the first perturbed point to the intuitive. NaN
    where that line has no length, or the intuitive point a 0 or NaN.
    """
    whole = np.asarray(intuitive, dtype=np.float64)
    if not np.isfinite(whole).all() or not whole.all():
        return np.full(np.shape(now)[:-1], np.nan)
    line = 1 - np.asarray(first) / whole
    come = (np.asarray(now) - first) / whole
    length = float(line @ line)
    return come @ line / (length if length > 0 else np.nan)
