"""Cross-validation of decoders on contiguous folds, and the choice of their regularisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.decoders import CalibrationData
from decoderd.errors import NumericalError
from decoderd.twin.kinematics import candidates, score
from decoderd.twin.kinematics.arrays import Kinematics, States, runs, usable
from decoderd.twin.kinematics.candidates import Candidate
from decoderd.twin.kinematics.decoding import decoded

FOLDS = 5

Progress = Callable[[], None]


class Choice(NamedTuple):
    """The decoder fitted to all bins with the regularisation chosen, and how it decodes bins that it was not fitted to.

    S settings compared, k axes.
    """

    decoder: Candidate
    settings: Array  # (S,)
    r2: Array  # (S,) mean over axes; NaN for a decoder that cannot be computed with
    axes: tuple[str, ...]  # "px", "py" where positions are decoded, "vx", "vy"
    recorded: Array  # (T, k) m and m/s, of the bin in which they are decoded; NaN where unknown
    decoded: Array  # (T, k), each bin by the decoder of the other folds
    score: score.Score


def folds(recorded: Kinematics) -> NDArray[np.int64]:
    """(T,) fold of each bin: contiguous parts with the same number of usable bins."""
    rank = np.cumsum(usable(recorded))
    fold: NDArray[np.int64] = FOLDS * (rank - 1).clip(0) // rank[-1]
    return fold


def data(recorded: Kinematics, rows: NDArray[np.bool_]) -> CalibrationData:
    """The bins `rows` (T,) as data for a fit; bins that do not follow one another count as of different trials."""
    position = None if recorded.position is None else recorded.position[rows]
    run = runs(rows, recorded.trial)[rows]
    return CalibrationData(recorded.counts[rows], position, recorded.velocity[rows], recorded.bin_s, run)


def chosen(
    kind: str, recorded: Kinematics, states: States, fold: NDArray[np.int64], on_fold: Progress = lambda: None
) -> Choice:
    """Compare the candidates of a kind on all folds; kinematics of `recorded` are those to be decoded in each bin.

    The plain candidate is kept unless another one's R2 is higher by more than the standard error of the difference.
    Raises ArrayError or NumericalError where no candidate can be fitted.
    """
    use = usable(recorded)
    truth = recorded.velocity if recorded.position is None else np.hstack([recorded.position, recorded.velocity])
    of_fold = [
        _held_out(kind, recorded, states, use & (fold != k), fold == k, on_fold) for k in range(int(fold[-1]) + 1)
    ]
    predicted = [np.concatenate(parts)[:, : truth.shape[1]] for parts in zip(*of_fold, strict=True)]
    truth = np.where(use[:, np.newaxis], truth, np.nan)
    r2 = np.stack(
        [
            score.jackknifed(rows, truth)[0].mean(axis=1)
            if np.isfinite(rows).all()
            else np.full(score.BLOCKS + 1, np.nan)
            for rows in predicted
        ]
    )
    best = _best(r2)
    whole = candidates.fitted(kind, data(recorded, use), states)
    axes = ("vx", "vy") if recorded.position is None else ("px", "py", "vx", "vy")
    return Choice(
        whole[best],
        np.array([candidate.value for candidate in whole]),
        r2[:, 0],
        axes,
        truth,
        predicted[best],
        score.score(predicted[best], truth),
    )


def _held_out(
    kind: str,
    recorded: Kinematics,
    states: States,
    training: NDArray[np.bool_],
    held_out: NDArray[np.bool_],
    on_fold: Progress,
) -> list[Array]:
    """States (bins held out, n) of each candidate, NaN where it cannot be computed with."""
    found = []
    run = runs(held_out, recorded.trial)[held_out]
    counts = recorded.counts[held_out]
    for candidate in candidates.fitted(kind, data(recorded, training), states):
        if candidates.solvable(candidate, kind):
            found.append(decoded(kind, candidate.arrays, counts, run))
        else:
            found.append(np.full((len(counts), 4), np.nan))
    on_fold()
    return found


def _best(r2: Array) -> int:
    """The candidate to take, from R2 (S, 1 + blocks): of all bins, then without each block."""
    able = np.flatnonzero(np.isfinite(r2[:, 0]))
    if not len(able):
        raise NumericalError("Q: is singular with every shrinkage; is a unit without variance among them?", "Q")
    best = int(able[np.argmax(r2[able, 0])])
    plain = int(able[0])
    gain = r2[best] - r2[plain]
    return best if gain[0] > score.standard_error(gain) else plain
