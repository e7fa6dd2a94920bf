"""Kalman filters as BMI3D saves them, and a plain filter that decodes them as it does."""

from __future__ import annotations

from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]

NAMES = ("hand_px", "hand_py", "hand_pz", "hand_vx", "hand_vy", "hand_vz", "offset")
UNITS = 30


def saved(draw: np.random.Generator, observed: tuple[int, ...] = (3, 5), **more: Any) -> Arrays:
    """Arrays of a decoder with BMI3D's default dynamics, in cm, whose units observe these states and the constant."""
    A = np.kron(np.array([[1.0, 0.1], [0.0, 0.8]]), np.eye(3))
    A = np.block([[A, np.zeros((6, 1))], [np.zeros((1, 6)), np.ones((1, 1))]])
    C = np.zeros((UNITS, 7))
    C[:, list(observed)] = draw.normal(0, 0.08, (UNITS, len(observed)))
    C[:, 6] = draw.uniform(0.5, 3.0, UNITS)
    mixed = draw.normal(0, 0.2, (UNITS, UNITS))
    Q = mixed @ mixed.T + np.diag(C[:, 6])
    return {"A": A, "W": np.diag([0, 0, 0, 7.0, 7.0, 7.0, 0]), "C": C, "Q": Q, **more}


def as_there(arrays: Arrays, counts: Any) -> Any:
    """States (T, n) in the unit of the arrays: the textbook recursion from x0 and P0, or 0 with the last state 1."""
    A, W, C, Q = (arrays[name] for name in "AWCQ")
    x, P, rows = arrays.get("x0", np.eye(len(A))[-1]), arrays.get("P0", np.zeros_like(A)), []
    for y in counts:
        x, P = A @ x, A @ P @ A.T + W
        K = P @ C.T @ np.linalg.inv(C @ P @ C.T + Q)
        x, P = x + K @ (y - C @ x), P - K @ C @ P
        rows.append(x)
    return np.array(rows)
