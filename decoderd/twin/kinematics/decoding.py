"""Decodes a whole recording at once: what the decoder's own steps give, to rounding, in a fraction of the time.

The gain of a Kalman filter does not depend on the counts, and after some bins no longer changes. Then, as for a linear
decoder from the beginning, a step is x_t = F x_{t-1} + z_t, with z = K y of all bins one product of matrices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd import registry
from decoderd.arrays import Array
from decoderd.decoders import gaussian, offline

# The covariance has settled when no entry of its gain on states changes by more than this part of the largest.
SETTLED = 1e-14


class Pass(NamedTuple):
    """A filter as affine steps: that of bin k after the start is x = F[k] x + P[k] z, the last one from then on."""

    first: Array  # (n,) state before the first bin
    F: Sequence[Array]  # (n, n) each
    P: Sequence[Array]  # (n, n) each
    drive: Array  # (n, N): z = drive y + offset
    offset: Array  # (n,)


def decoded(kind: str, arrays: Mapping[str, NDArray[Any]], counts: Array, run: NDArray[np.int64]) -> Array:
    """States (T, n) from counts (T, N); the decoder begins anew with each run (T,) of numbers."""
    edges = np.flatnonzero(np.diff(run, prepend=run[0] - 1, append=run[-1] + 1))
    parts = [slice(a, b) for a, b in pairwise(edges.tolist())]
    if kind not in PASSES or not np.isfinite(counts).all():
        return np.concatenate([offline.decode(kind, dict(arrays), counts[part]) for part in parts])
    steps = PASSES[kind](arrays, max(part.stop - part.start for part in parts))
    z = counts @ steps.drive.T + steps.offset
    return np.concatenate([_states(steps, z[part]) for part in parts])


def _states(steps: Pass, z: Array) -> Array:
    """States (T, n) of one run, from its drive (T, n)."""
    x, out, transient = steps.first, np.empty_like(z), len(steps.F) - 1
    for t in range(min(transient, len(z))):
        x = steps.F[t].dot(x) + steps.P[t].dot(z[t])
        out[t] = x
    F, driven = steps.F[-1], z @ steps.P[-1].T
    for t in range(transient, len(z)):
        x = F.dot(x)
        x += driven[t]
        out[t] = x
    return out


def _kalman(arrays: Mapping[str, NDArray[Any]], bins: int) -> Pass:
    model = gaussian.load_model(arrays)
    P, F = [], []
    for covariance in _covariances(model, bins):
        P.append(covariance)
        F.append((np.eye(len(covariance)) - covariance @ model.D) @ model.A)
    return Pass(model.x0, F, P, model.CtQinv, np.zeros(len(model.A)))


def _covariances(model: gaussian.Model, bins: int) -> Iterator[Array]:
    """The covariance after each of `bins` bins, until the gain no longer changes."""
    P, gain = model.P0, np.zeros_like(model.P0)
    for _ in range(bins):
        P = gaussian.updated(model.A @ P @ model.A.T + model.W, model.D)
        yield P
        last, gain = gain, P @ model.D
        if (np.abs(gain - last) <= SETTLED * np.abs(gain).max(axis=1, keepdims=True)).all():
            return


def _steady(arrays: Mapping[str, NDArray[Any]], bins: int) -> Pass:
    parameters = registry.find("decoders", "steady_state_kalman").load(arrays)
    model, gain = parameters.model, parameters.offline
    return Pass(model.x0, [gain.keep @ model.A], [gain.P], model.CtQinv, np.zeros(len(model.A)))


def _linear(arrays: Mapping[str, NDArray[Any]], bins: int) -> Pass:
    M1, M2, m0, *_ = registry.find("decoders", "linear").load(arrays)
    return Pass(np.zeros(2), [M1], [np.eye(2)], M2, m0)


PASSES = {"kalman": _kalman, "steady_state_kalman": _steady, "linear": _linear}
