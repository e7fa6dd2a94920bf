"""The decoders that a fit compares: of one kind, by the kind's own fit, with more and less regularisation.

    kalman, steady_state_kalman   Q shrunk towards its diagonal; 0 is the sample covariance
    linear                        memory: velocity that is kept over 100 ms; 0 decodes each bin by itself
    others                        their own fit alone

The first is the plain one. Another is taken only where it decodes held-out bins better.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from decoderd import registry
from decoderd.arrays import Array
from decoderd.decoders import Calibration, CalibrationData
from decoderd.errors import NumericalError, ProtocolError
from decoderd.twin.kinematics.arrays import States

SHRINKAGES = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
DECAYS = (0.0, 0.5, 0.7, 0.8, 0.9)


class Candidate(NamedTuple):
    """One decoder: what distinguishes it from the others, and its arrays."""

    setting: str  # "noise_shrinkage", "decay_per_100ms", or "" where there is one alone
    value: float
    arrays: dict[str, NDArray[Any]]


def config(kind: str, states: States) -> Any:
    """The configuration of a fit. Raises ProtocolError for kinds that cannot be fitted to these kinematics."""
    decoder = registry.find("decoders", kind)
    fields = decoder.Config.model_fields
    if decoder.fit is None or "factors" in decoder.Config.model_fields:
        raise ProtocolError(f"decoder = {kind!r}: has no fit to kinematics", "decoder")
    if "state" not in fields and states == "position":
        raise ProtocolError(
            f"decoder = {kind!r}: decodes velocity alone; use --kinematics velocity (velocities follow from positions)",
            "decoder",
        )
    chosen = {"state": "position_velocity" if states == "position" else "velocity"} if "state" in fields else {}
    return decoder.Config(kind=kind, **chosen)


def fitted(kind: str, data: CalibrationData, states: States) -> list[Candidate]:
    """All candidates, fitted to the same data; their names and order depend on the kind alone."""
    settings, decoder = config(kind, states), registry.find("decoders", kind)
    plain = Calibration(noise_shrinkage=0.0, dynamics="fitted")
    if kind == "linear":
        return [Candidate("decay_per_100ms", decay, _with_memory(decoder, data, decay)) for decay in DECAYS]
    arrays = decoder.fit(data, plain, settings)
    if kind not in ("kalman", "steady_state_kalman"):
        return [Candidate("", 0.0, arrays)]
    return [Candidate("noise_shrinkage", s, {**arrays, "Q": shrunk(arrays["Q"], s)}) for s in SHRINKAGES]


def solvable(candidate: Candidate, kind: str) -> bool:
    """Whether the decoder can be computed with: units that are copies of one another make an unshrunk Q singular."""
    try:
        registry.find("decoders", kind).load(candidate.arrays)
    except NumericalError:
        return False
    return True


def shrunk(Q: Array, shrinkage: float) -> Array:
    """Q with correlations reduced by the part `shrinkage`."""
    out = (1 - shrinkage) * Q
    np.fill_diagonal(out, np.diag(Q))
    return out


def _with_memory(decoder: Any, data: CalibrationData, decay_per_100ms: float) -> dict[str, NDArray[Any]]:
    """A linear decoder that keeps a part of its velocity: the memoryless one of counts smoothed in the same way.

    With k the part kept from bin to bin, v_t = k v_{t-1} + (1 - k) (M y_t + m) is M s_t + m for s the smoothed counts.
    """
    keep = decay_per_100ms ** (data.bin_s / 0.1)
    smoothed = data._replace(counts=_smoothed(data, keep))
    arrays = decoder.fit(smoothed, Calibration(decay_per_100ms=0.0), decoder.Config())
    scaled = {name: (1 - keep) * arrays[name] for name in ("M2", "m0")}
    return {**arrays, **scaled, "M1": keep * np.eye(2)}


def _smoothed(data: CalibrationData, keep: float) -> Array:
    """Counts (T, N) smoothed over the bins before in the same run; a run begins at its own first counts."""
    if not keep:
        return data.counts
    assert data.trial is not None
    edges = np.flatnonzero(np.diff(data.trial, prepend=data.trial[0] - 1, append=data.trial[-1] + 1))
    out = np.empty_like(data.counts)
    for a, b in pairwise(edges):
        before = keep * data.counts[a : a + 1]
        out[a:b] = lfilter([1 - keep], [1, -keep], data.counts[a:b], axis=0, zi=before)[0]
    return out
