"""The error signal that feedback to dendrites carries, recovered from the bursts of many units.

Where the burst probability of unit i is that without an error plus what K_i e adds, K (N, 2) the feedback matrix and e
(2,) the error, bursts give e back: by projection on K where K is known; where it is not, by regression on an error that
was seen. Both take the burst fraction, whatever the event rate is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold

from decoderd.analysis.bursts.fraction import Sums, burst_fraction, corrected
from decoderd.arrays import Array, check_array
from decoderd.errors import ArrayError

# Strengths of ridge regression that are tried, on standardised features of which most say little.
STRENGTHS = np.logspace(-1, 5, 13)
FOLDS = 5


class SeenSoFar(NamedTuple):
    """What `seen` keeps of earlier ticks: the predicted velocity (2,) m/s, and errors (D + 1, 2) on their way."""

    predicted: Array
    waiting: Array


def at_rest(delay_ticks: int) -> SeenSoFar:
    """Before the first tick of a day: no velocity is predicted, and no error is on its way."""
    return SeenSoFar(np.zeros(2), np.zeros((delay_ticks + 1, 2)))


def seen(intended: ArrayLike, velocity: ArrayLike, follow: float, before: SeenSoFar) -> tuple[Array, SeenSoFar]:
    """Errors (T, 2) in m/s that a subject sees at each of T ticks, and what to keep for the ticks after them.

    The velocity predicted from the intended one u (T, 2) is v' = v + follow (u - v), `follow` the tick over the lag of
    the subject's internal model; the error is v less the displayed velocity (T, 2), both of D + 1 ticks before. Raises
    ArrayError for arrays that do not fit.
    """
    u = check_array("intended", intended, (None, 2))
    displayed = check_array("velocity", velocity, (len(u), 2))
    if not 0 < follow <= 1:
        raise ArrayError(f"follow = {follow}: must be above 0 and at most 1", "follow")
    predicted, _ = lfilter([follow], [1.0, follow - 1.0], u, axis=0, zi=(1.0 - follow) * before.predicted[np.newaxis])
    errors = np.concatenate([before.waiting, predicted - displayed])
    return errors[: len(u)], SeenSoFar(predicted[-1], errors[len(u) :])


def projected(sums: Sums, chances: ArrayLike, K: ArrayLike) -> Array:
    """Errors (T, 2) from sums (T, N) of events and bursts, the chances (N,) or (T, N), and K (N, 2); up to a scale.

    In each bin, the corrected burst fractions of the units that had events are p + K e; p and e are those of least
    squares, weighted by events. So event rates do not enter, and nor does a change of all burst probabilities. NaN in
    bins whose events are of too few units. Raises ArrayError for a K that does not fit.
    """
    q = np.broadcast_to(np.asarray(chances, dtype=np.float64), sums.events.shape)
    fractions = corrected(burst_fraction(sums), q)
    return _weighted(np.nan_to_num(fractions), np.where(np.isnan(fractions), 0.0, sums.events * (1 - q) ** 2), K)


def projected_events(sums: Sums, K: ArrayLike) -> Array:
    """The same (T, 2) of the event rates, each less its mean over the bins: what bursts are compared with."""
    rates = sums.events / np.where(sums.observed_s > 0, sums.observed_s, np.nan)
    return _weighted(rates - rates.mean(axis=0), np.ones_like(rates), K)


def _weighted(values: Array, weights: Array, K: ArrayLike) -> Array:
    """Slopes (T, 2) of values (T, N) on K (N, 2), with an intercept and weights (T, N); NaN where undetermined."""
    k = check_array("K", K, (values.shape[1], 2))
    design = np.column_stack([np.ones(len(k)), k / max(np.sqrt((k**2).sum(axis=1).mean()), np.finfo(float).tiny)])
    normal = np.einsum("tn,ni,nj->tij", weights, design, design)
    right = np.einsum("tn,tn,ni->ti", weights, values, design)
    found = np.full((len(values), 2), np.nan)
    known = np.linalg.matrix_rank(normal, hermitian=True) == design.shape[1]
    found[known] = np.linalg.solve(normal[known], right[known, :, np.newaxis])[:, 1:, 0]
    return found


def burst_features(sums: Sums, fractions: ArrayLike) -> Array:
    """Features (T, N) for a regression: bursts less those expected of as many events, with fractions (N,)."""
    return np.asarray(sums.bursts - np.asarray(fractions) * sums.events)


class Regression(NamedTuple):
    """A linear map from features of N units to an error, fitted by ridge regression."""

    mean: Array  # (N,)
    scale: Array  # (N,)
    weights: Array  # (N, 2)
    offset: Array  # (2,)
    strength: float

    def predict(self, features: Array) -> Array:
        """Errors (T, 2) of features (T, N)."""
        return np.asarray((features - self.mean) / self.scale @ self.weights + self.offset)


def regression(features: ArrayLike, error: ArrayLike, trial: NDArray[np.integer]) -> Regression:
    """The regression of errors (T, 2) on features (T, N) of the bins of several trials, `trial` (T,) their numbers.

    Features are standardised; the strength of the ridge is that of STRENGTHS which predicts trials left out best, in
    FOLDS parts of trials. Raises ArrayError for fewer than 2 * FOLDS trials, and for errors that never vary.
    """
    x = check_array("features", features, (None, None))
    y = check_array("error", error, (len(x), 2))
    if len(np.unique(trial)) < 2 * FOLDS:
        raise ArrayError(f"trial: {len(np.unique(trial))} trials are too few; {2 * FOLDS} are needed", "trial")
    if not y.std(axis=0).all():
        raise ArrayError("error: never varies, so that nothing can be fitted to it", "error")
    mean, spread = x.mean(axis=0), x.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    splits = list(GroupKFold(FOLDS).split(x, groups=trial))
    found = RidgeCV(STRENGTHS, cv=splits).fit((x - mean) / scale, y)
    return Regression(mean, scale, np.asarray(found.coef_.T), np.asarray(found.intercept_), float(found.alpha_))


def correlation(recovered: Array, truth: Array) -> float:
    """r of recovered errors (T, 2) with the true ones, over both components, each less its mean; bins of NaN left out.

    NaN without two bins, and where either never varies.
    """
    known = np.isfinite(recovered).all(axis=1) & np.isfinite(truth).all(axis=1)
    if known.sum() < 2:
        return float("nan")
    a, b = (each[known] - each[known].mean(axis=0) for each in (recovered, truth))
    size = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / size) if size > 0 else float("nan")
