"""What the numbers of a decoder file imply: a constant, units without variance, the order of its states, its speed.

A filter (A, W) that was fitted elsewhere seldom says what its states are. Some of it follows from the numbers:
positions integrate velocities, a constant is carried over without noise, velocities have the SD that A and W give.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.decoders import FileLayout, layout
from decoderd.errors import ArrayError

# Rounding of single precision (6e-8) as least squares on velocities of some cm/s amplifies it. A state with noise that
# changed by so little would take an hour of 50 ms bins to change at all.
CONSTANT = 1e-5
# Of the largest variance. A unit with a spike in hours of recording has more than 1e-6 counts^2, rounding gives 1e-13.
NO_VARIANCE = 1e-10
# In a reach the SD of velocity along an axis is about .3 of its top speed (a bell-shaped profile, all directions). A
# filter in cm gives 100 times the number, so that which unit is meant is decided at a factor of 10.
SD_OF_TOP_SPEED, FACTOR = 0.3, 10.0
# How long a reach lasts: a W that lets velocity wander without end is judged by the SD that it gives within this time.
REACH_S = 1.0
# Positions integrate velocities if [A_pp, A_pv / bin] differs from [I, I] by no more than this (Frobenius norm).
INTEGRATES = 0.5
# By how much a position may move beside velocity times bin.
BIN_FACTOR = 1.25


def exact(
    kind: FileLayout, arrays: Mapping[str, NDArray[Any]], states: tuple[str, ...] | None
) -> dict[str, NDArray[Any]]:
    """The arrays with a last state that is a constant within rounding made one, and without units of no variance.

    A unit without variance in Q gets weight 0: its row of C becomes 0, and its variance 1.
    """
    found = dict(arrays)
    filter_, observed = pair(kind.dynamics, arrays), pair(kind.observation, arrays)
    if filter_ is not None and (states is None or states[-1] == "1"):
        A, W = filter_
        if len(A) > 1 and A.shape == W.shape == (len(A), len(A)) and _is_constant(A, W, len(A) - 1):
            found |= zip(kind.dynamics or (), _constant_last(A, W), strict=True)
    if observed is not None:
        C, Q = observed
        if Q.shape in ((len(C),), (len(C), len(C))) and len(quiet := without_variance(Q)):
            found |= zip(kind.observation or (), _left_out(C, Q, quiet), strict=True)
    return found


def pair(names: tuple[str, str] | None, arrays: Mapping[str, NDArray[Any]]) -> tuple[Array, Array] | None:
    """The two arrays of these names; None where they are not there, or are no finite numbers in rows."""
    found = [np.asarray(arrays[name]) for name in names or () if name in arrays]
    if len(found) < 2 or any(array.ndim == 0 or array.dtype.kind not in "bifu" for array in found):
        return None
    one, other = found
    return (one, other) if np.isfinite(one).all() and np.isfinite(other).all() else None


def without_variance(Q: Array) -> NDArray[np.intp]:
    """The units whose variance in Q, (N, N) or (N,), is zero within rounding; none if no unit has any."""
    variance = np.diag(Q) if Q.ndim == 2 else Q
    most = variance.max(initial=0.0)
    return np.flatnonzero(np.abs(variance) <= NO_VARIANCE * most) if most > 0 else np.array([], dtype=np.intp)


def check_order(A: Array, W: Array, states: tuple[str, ...], named: bool) -> None:
    """Raise ArrayError for an A that contradicts the order of its `states`: another one fits, and this does not."""
    source = "the file names its states" if named else f"{len(states)} states without names are taken for"
    shown = f"A: {source} {' '.join(states)}, but"
    constants = [k for k in range(len(A)) if _is_constant(A, W, k)]
    if states[-1] == "1" and constants and len(A) - 1 not in constants:
        raise ArrayError(
            f"{shown} the constant is state {constants[0]} (from 0), which A carries over and W gives no noise. Put it "
            f"last, or name the states in an array `states`",
            "A",
        )
    if states[:4] != layout.NAMES[4] or integrates(A, (0, 1, 2, 3)):
        return
    other = next((order for order in permutations(range(4)) if integrates(A, order)), None)
    if other is not None:
        found = " ".join(layout.NAMES[4][other.index(k)] for k in range(4))
        raise ArrayError(
            f"{shown} its positions do not integrate its velocities; in the order {found} they would. Put the states "
            f"in order, or name them in an array `states`",
            "A",
        )


def check_meant(A: Array, W: Array, states: tuple[str, ...]) -> None:
    """Raise ArrayError for an A that does not show its presumed states: without a constant, or with free positions."""
    if states[-1] == "1" and not _is_constant(A, W, len(A) - 1):
        raise ArrayError(
            f"A: the last of {len(A)} states must be a constant 1 ({' '.join(states)}), with the row "
            f"{' '.join('0' * (len(A) - 1))} 1 in A and zeros in W; name other states in an array `states`",
            "A",
        )
    if "px" in states and not integrates(A, (0, 1, 2, 3)):
        raise ArrayError(
            f"A: {len(A)} states without names are taken for {' '.join(states)}, but its positions do not integrate "
            f"its velocities, as in px' = px + bin vx; name the states in an array `states`",
            "A",
        )


def integrates(A: Array, order: tuple[int, ...]) -> bool:
    """Whether the states px py vx vy at `order` are positions and their velocities: p' = p + bin v, for some bin."""
    p, v = list(order[:2]), list(order[2:])
    moved = A[np.ix_(p, v)]
    bin_s = np.trace(moved) / 2
    if bin_s <= 0:
        return False
    off = np.hstack([A[np.ix_(p, p)] - np.eye(2), moved / bin_s - np.eye(2)])
    return bool(np.linalg.norm(off) <= INTEGRATES)


def check_bin(A: Array, bin_s: float) -> None:
    """Raise ArrayError for a position filter (px py vx vy ...) that was made for another bin.

    In a bin a position moves by velocity times bin; where velocity is that at the end of the bin before, least squares
    gives this times the velocity's decay.
    """
    moved, keep = float(np.trace(A[0:2, 2:4])) / 2, float(np.trace(A[2:4, 2:4])) / 2
    low, high = min(max(keep, 0.0), 1.0) * bin_s / BIN_FACTOR, bin_s * BIN_FACTOR
    if not low <= moved <= high:
        raise ArrayError(
            f"A: its positions move by {moved:.3g} s times velocity in a bin, and bins of the session have {bin_s:g} s "
            f"(tick_s x bin_ticks): give the session the filter's bin, or say it in `bin_s` of the file",
            "A",
        )


def velocity_sd(A: Array, W: Array, bins: int) -> float:
    """The SD of velocity along an axis, that A and W (2, 2) give within `bins` bins from rest."""
    reached, step, noise = np.zeros_like(W), A, W
    with np.errstate(over="ignore", invalid="ignore"):
        while bins:  # by doubling: the covariance of 1, 2, 4 ... bins, of which the binary digits of `bins` are added
            if bins & 1:
                reached = noise + step @ reached @ step.T
            noise, step, bins = noise + step @ noise @ step.T, step @ step, bins >> 1
        return float(np.sqrt(np.trace(reached) / 2))


def check_speed(A: Array, W: Array, bin_s: float, top_speed_m_s: float) -> None:
    """Raise ArrayError where the velocities of A and W (2, 2) are too fast for m/s and this subject."""
    sd, most = velocity_sd(A, W, max(1, round(REACH_S / bin_s))), FACTOR * SD_OF_TOP_SPEED * top_speed_m_s
    if sd <= most:
        return
    unit, factor = ("cm", 0.01) if sd * 0.01 <= most / FACTOR else ("mm", 0.001)
    raise ArrayError(
        f"W: with A it gives velocity an SD of {sd:.3g}, which in m/s is too much for a subject of at most "
        f"{top_speed_m_s:g} m/s. In {unit}/s it would be {sd * factor:.2g} m/s: if the file is in {unit}, say so in an "
        f"array length_unit = '{unit}'; if it is in m, say 'm'",
        "W",
    )


def _is_constant(A: Array, W: Array, k: int) -> bool:
    """Whether A carries state k over and W gives it no noise, both within rounding."""
    carried = np.abs(A[k] - np.eye(len(A))[k]).max() <= CONSTANT
    return bool(carried and abs(W[k, k]) <= CONSTANT**2)


def _constant_last(A: Array, W: Array) -> tuple[Array, Array]:
    A, W = np.array(A), np.array(W)
    A[-1] = np.eye(len(A))[-1]
    W[-1] = W[:, -1] = 0
    return A, W


def _left_out(C: Array, Q: Array, units: NDArray[np.intp]) -> tuple[Array, Array]:
    C, Q = np.array(C), np.array(Q)
    C[units] = 0
    if Q.ndim == 2:
        Q[units] = Q[:, units] = 0
        Q[units, units] = 1
    else:
        Q[units] = 1
    return C, Q
