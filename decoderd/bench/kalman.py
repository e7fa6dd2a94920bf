"""Time of one step of the filters with 96 units and 7 states, as a decoder in three dimensions has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from decoderd.bench.turns import figures, microseconds, ratio
from decoderd.decoders import kalman, point_process, steady_state

UNITS, STATES = 96, 7


def model(seed: int = 1) -> dict[str, Any]:
    """Arrays of a filter with positions, velocities and a constant, observed by 96 units."""
    generator = np.random.default_rng(seed)
    A = np.eye(STATES)
    A[0:3, 3:6] = 0.1 * np.eye(3)
    A[3:6, 3:6] *= 0.8
    W = np.diag([1e-6] * 3 + [7e-4] * 3 + [1e-9])
    C = generator.normal(size=(UNITS, STATES))
    mixing = generator.normal(size=(UNITS, UNITS)) / np.sqrt(UNITS)
    return {"A": A, "W": W, "C": C, "Q": mixing @ mixing.T + np.eye(UNITS)}


def measure(calls: int = 2000, rounds: int = 7) -> dict[str, Any]:
    """Time of our steps over a plain NumPy information filter and, where importable, over filterpy.

    That of the point-process filter is over our full Kalman step.
    """
    arrays = model()
    A, W, C, Q = (arrays[name] for name in "AWCQ")
    y = np.random.default_rng(2).poisson(2.0, size=(1, UNITS)).astype(np.float64)

    full = kalman.load(arrays)
    steady = steady_state.load(arrays)
    spiking = point_process.load({"A": A, "W": W, "beta": 0.1 * C})
    at: dict[str, Any] = {
        "full": kalman.init(full, 1),
        "steady": steady_state.init(steady, 1),
        "spiking": point_process.init(spiking, 1),
        "x": np.zeros(STATES),
        "P": np.eye(STATES) * 1e-3,
    }
    CtQinv = np.linalg.solve(Q, C).T
    D = CtQinv @ C
    counts = y[0]

    def ours() -> None:
        at["full"], _ = kalman.step(full, at["full"], y, None)

    def ours_steady() -> None:
        at["steady"], _ = steady_state.step(steady, at["steady"], y, None)

    def ours_spiking() -> None:
        at["spiking"], _ = point_process.step(spiking, at["spiking"], y, None)

    def plain() -> None:
        prior = A @ at["x"]
        information = np.linalg.inv(A @ at["P"] @ A.T + W)
        at["P"] = np.linalg.inv(information + D)
        at["x"] = prior + at["P"] @ (CtQinv @ counts - D @ prior)

    rivals = {
        "decoderd": ours,
        "decoderd_steady_state": ours_steady,
        "decoderd_point_process": ours_spiking,
        "plain_numpy": plain,
    }
    theirs = _filterpy(arrays, counts)
    if theirs is not None:
        rivals["filterpy"] = theirs
    found = microseconds(rivals, calls, rounds)
    out: dict[str, Any] = {
        "kalman_step_ratio": ratio(found["decoderd"], found["plain_numpy"]),
        "kalman_steady_state_ratio": ratio(found["decoderd_steady_state"], found["plain_numpy"]),
        "point_process_step_ratio": ratio(found["decoderd_point_process"], found["decoderd"]),
    }
    if theirs is not None:
        out["kalman_filterpy_ratio"] = ratio(found["decoderd"], found["filterpy"])
    return {**out, "kalman_us": {name: figures(times) for name, times in found.items()}}


def _filterpy(arrays: dict[str, Any], counts: Any) -> Any:
    try:
        from filterpy.kalman import KalmanFilter
    except ImportError:
        return None
    rival = KalmanFilter(dim_x=STATES, dim_z=UNITS)
    rival.F, rival.Q, rival.H, rival.R = (arrays[name] for name in "AWCQ")
    rival.P *= 1e-3
    column = counts[:, np.newaxis]

    def step() -> None:
        rival.predict()
        rival.update(column)

    return step
