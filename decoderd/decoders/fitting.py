"""Fits of decoders to kinematics and counts by least squares (Wu et al. 2006).

Every function returns the arrays that the decoder's `load` reads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd.analysis import log_linear
from decoderd.arrays import Array
from decoderd.decoders import Calibration, CalibrationData
from decoderd.errors import ArrayError


def dynamics(calibration: Calibration, bin_s: float, position: bool) -> tuple[Array, Array]:
    """A and W of a cursor whose velocity decays by `decay_per_100ms` and has the SD `speed_sd_m_s`.

    The state is (p) v 1. W acts on velocity only, and gives it this SD for any length of the bin. Shapes (5, 5)
    with positions, (3, 3) without.
    """
    keep = calibration.decay_per_100ms ** (bin_s / 0.1)
    noise = calibration.speed_sd_m_s**2 * (1 - keep**2)
    n = 5 if position else 3
    A, W = np.eye(n), np.zeros((n, n))
    v = slice(n - 3, n - 1)
    A[v, v] *= keep
    W[v, v] = noise * np.eye(2)
    if position:
        A[0:2, v] = bin_s * np.eye(2)
    return A, W


def fitted_dynamics(velocity: Array, trial: NDArray[Any] | None, position: bool, bin_s: float) -> tuple[Array, Array]:
    """A and W by least squares of each bin's velocity (T, 2) on the one before it in the same trial.

    W is the residuals' mean square. Shapes as in `dynamics`. Raises ArrayError where there are too few bins.
    """
    before, after, _ = _pairs(velocity, trial)
    return _of_velocity(before, after, len(before), position, bin_s)


def published_dynamics(
    velocity: Array, trial: NDArray[Any] | None, position: bool, bin_s: float
) -> tuple[Array, Array]:
    """A and W as the published program of Rajeswaran, Payeur, Orsborn & Lajoie (2024) computes them.

    It compares the place of a bin among all bins with the number of pairs, which is smaller by the number of trials. So
    the last pairs of the last trial, as many as there are trials, have velocity 0 in place of their second bin's. W is
    the residuals' sum of squares over the number of pairs - 1. Otherwise as `fitted_dynamics`.
    """
    before, after, places = _pairs(velocity, trial)
    after = np.where((places < len(before))[:, np.newaxis], after, 0)
    return _of_velocity(before, after, len(before) - 1, position, bin_s)


def _pairs(velocity: Array, trial: NDArray[Any] | None) -> tuple[Array, Array, NDArray[np.int64]]:
    """Velocities of bins that follow each other in a trial, (pairs, 2) each, and places (pairs,) of the second bins."""
    same = np.ones(len(velocity) - 1, dtype=bool) if trial is None else trial[1:] == trial[:-1]
    if same.sum() < 4:
        raise ArrayError(f"velocity: {same.sum()} pairs of bins are too few to fit dynamics to", "velocity")
    return velocity[:-1][same], velocity[1:][same], np.flatnonzero(same) + 1


def _of_velocity(before: Array, after: Array, divisor: int, position: bool, bin_s: float) -> tuple[Array, Array]:
    """A and W of pairs of velocities: least squares, and the residuals' sum of squares over `divisor`."""
    keep = np.linalg.lstsq(before, after, rcond=None)[0].T
    residual = after - before @ keep.T
    n = 5 if position else 3
    A, W = np.eye(n), np.zeros((n, n))
    v = slice(n - 3, n - 1)
    A[v, v], W[v, v] = keep, residual.T @ residual / divisor
    if position:
        A[0:2, v] = bin_s * np.eye(2)
    return A, W


def observation(counts: Array, states: Array, shrinkage: float) -> tuple[Array, Array]:
    """C (N, n) and Q (N, N) of counts (T, N) on states (T, n) by least squares.

    Q is the residuals' sample covariance, shrunk towards its diagonal by `shrinkage`; no unit has less variance than
    a single count in the data would give it. Raises ArrayError where there are too few bins.
    """
    bins, n = states.shape
    if bins <= n:
        raise ArrayError(f"counts: {bins} bins are too few to fit {n} coefficients a unit", "counts")
    C = np.linalg.lstsq(states, counts, rcond=None)[0].T
    residual = counts - states @ C.T
    sample = residual.T @ residual / (bins - n)
    spread = np.maximum(np.diag(sample), 1.0 / bins)
    Q = (1 - shrinkage) * sample
    Q[np.diag_indices_from(Q)] = spread
    return C, Q


def states(data: CalibrationData, position: bool) -> Array:
    """States (T, n) of the data: (p) v 1. Raises ArrayError for positions of data without."""
    columns = [data.velocity, np.ones((len(data.velocity), 1))]
    if position:
        if data.position is None:
            raise ArrayError("position: the data have none; fit a velocity filter", "position")
        columns.insert(0, data.position)
    return np.hstack(columns)


def motion(data: CalibrationData, calibration: Calibration, position: bool) -> tuple[Array, Array]:
    """A and W as the calibration says: `dynamics`, or `fitted_dynamics` or `published_dynamics` of the data."""
    if calibration.dynamics == "assumed":
        return dynamics(calibration, data.bin_s, position)
    fit = published_dynamics if calibration.dynamics == "as_published" else fitted_dynamics
    return fit(data.velocity, data.trial, position, data.bin_s)


def kalman(data: CalibrationData, calibration: Calibration, state: str) -> dict[str, NDArray[Any]]:
    """A position-velocity (px py vx vy 1) or velocity (vx vy 1) Kalman filter."""
    position = state == "position_velocity"
    C, Q = observation(data.counts, states(data, position), calibration.noise_shrinkage)
    A, W = motion(data, calibration, position)
    return {"A": A, "W": W, "C": C, "Q": Q}


def point_process(data: CalibrationData, calibration: Calibration, state: str, law: str) -> dict[str, NDArray[Any]]:
    """A position-velocity (px py vx vy 1) or velocity (vx vy 1) point-process filter; see `log_linear.regression`."""
    position = state == "position_velocity"
    beta = log_linear.regression(data.counts, states(data, position), law)
    A, W = motion(data, calibration, position)
    return {"A": A, "W": W, "beta": beta, "bernoulli": np.array([float(law == "bernoulli")])}


def linear(data: CalibrationData, calibration: Calibration) -> dict[str, NDArray[Any]]:
    """A linear decoder: ridge regression of velocity on counts (penalty 1 count^2), smoothed over bins."""
    mean = data.counts.mean(axis=0)
    y = data.counts - mean
    ridge = y.T @ y + np.eye(y.shape[1])
    weights = np.linalg.solve(ridge, y.T @ (data.velocity - data.velocity.mean(axis=0))).T
    keep = calibration.decay_per_100ms ** (data.bin_s / 0.1)
    M2 = (1 - keep) * weights
    offset = (1 - keep) * data.velocity.mean(axis=0) - M2 @ mean
    residual = data.velocity - data.velocity.mean(axis=0) - y @ weights.T
    Q = residual.T @ residual / len(residual)
    return {"M1": keep * np.eye(2), "M2": M2, "m0": offset, "count_mean": mean, "Q": Q}


def factor_analysis(counts: Array, factors: int) -> dict[str, NDArray[Any]]:
    """Factor analysis of z-scored counts (T, N): count_mean, count_scale, fa_loadings (N, q), fa_private_var (N).

    Loadings are rotated to be orthogonal, strongest first. A unit with the same count in every bin, such as one that
    never fires, has no loadings. Raises ArrayError where bins, or units with different counts, are too few.
    """
    from sklearn.decomposition import FactorAnalysis

    varying = counts.max(axis=0) > counts.min(axis=0)
    bins, n = len(counts), int(varying.sum())
    if bins <= n or factors >= n:
        constant = f" whose counts differ ({len(varying)} in all)" if n < len(varying) else ""
        raise ArrayError(
            f"counts: {bins} bins x {n} units{constant} are too few for {factors} factors "
            "(more bins than units and more units than factors are needed)",
            "counts",
        )
    mean, sd = counts.mean(axis=0), np.where(varying, counts.std(axis=0), 1.0)
    scaled = np.compress(varying, (counts - mean) / sd, axis=1)
    model = FactorAnalysis(n_components=factors, tol=1e-4, max_iter=5000, svd_method="lapack").fit(scaled)
    u, s, _ = np.linalg.svd(model.components_.T, full_matrices=False)
    loadings, private_var = np.zeros((len(varying), factors)), np.ones(len(varying))
    loadings[varying], private_var[varying] = u * s, np.maximum(model.noise_variance_, 1e-6)
    return {"count_mean": mean, "count_scale": 1 / sd, "fa_loadings": loadings, "fa_private_var": private_var}


def factors_of(counts: Array, fa: dict[str, NDArray[Any]]) -> Array:
    """Posterior means (T, q) of the factors of counts (T, N)."""
    weighted = fa["fa_loadings"].T / fa["fa_private_var"]
    beta = np.linalg.solve(np.eye(len(weighted)) + weighted @ fa["fa_loadings"], weighted)
    return ((counts - fa["count_mean"]) * fa["count_scale"]) @ beta.T


def intrinsic_manifold(
    data: CalibrationData, calibration: Calibration, fa: dict[str, NDArray[Any]] | None = None
) -> dict[str, NDArray[Any]]:
    """A velocity Kalman filter on factors of unit variance. `fa` is a factor analysis made before, if there is one."""
    fa = fa or factor_analysis(data.counts, calibration.factors)
    f = factors_of(data.counts, fa)
    mean, scale = f.mean(axis=0), 1 / f.std(axis=0)
    A, W = dynamics(calibration, data.bin_s, position=False)
    states = np.hstack([data.velocity, np.ones((len(f), 1))])
    C, R = observation((f - mean) * scale, states, calibration.noise_shrinkage)
    return {
        **fa,
        "factor_mean": mean,
        "factor_scale": scale,
        "kf_A": A[:2, :2],
        "kf_b": np.zeros(2),
        "kf_Q": W[:2, :2],
        "kf_C": C[:, :2],
        "kf_d": C[:, 2],
        "kf_R": R,
    }
