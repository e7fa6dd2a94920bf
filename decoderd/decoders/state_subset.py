"""A Kalman filter of some states of another one, as a filter in the plane is made of one in three dimensions.

    x_t = A x_{t-1} + w,  w ~ N(0, W)        y_t = C x_t + q,  q ~ N(0, Q)

The filter without some states decodes the same as before where these are

    zero      they begin at 0, W adds no noise to them, and only such states drive them: they stay 0;
    unseen    no unit observes them and they drive only such states: what is kept does not depend on them.

Other states are replaced by what the kept ones say of them on average. That is possible for velocities u with a
stationary covariance S: with the kept velocities v,

    u = B v + e,      B = S_uv S_vv^-1,      e ~ N(0, E),      E = S_uu - B S_vu

and e, taken as independent from bin to bin, adds A_u E A_u' to W and C_u E C_u' to Q.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag, solve, solve_discrete_lyapunov

from decoderd.arrays import Array
from decoderd.decoders import gaussian
from decoderd.errors import ArrayError
from decoderd.input_warning import InputWarning

# Entries below this part of the largest of their array are rounding errors: least squares leaves some for zeros.
ROUNDING = 1e-12


class Filter(NamedTuple):
    """Arrays of a Kalman filter. n states, N units."""

    A: Array  # (n, n)
    W: Array  # (n, n)
    C: Array  # (N, n)
    Q: Array  # (N, N)
    x0: Array  # (n,)
    P0: Array  # (n, n)

    def of(self, states: Sequence[int]) -> Filter:
        """The filter with these states alone, in this order: all others are removed without replacement."""
        square = np.ix_(states, states)
        return Filter(self.A[square], self.W[square], self.C[:, states], self.Q, self.x0[list(states)], self.P0[square])


def subset(
    given: Mapping[str, NDArray[Any]], names: Sequence[str], keep: Sequence[str], velocities: Sequence[str]
) -> tuple[dict[str, NDArray[Any]], list[InputWarning]]:
    """Arrays of the filter of the states `keep`, in this order, and a warning where it is not the same filter.

    Args:
        given: A, W, C, Q, x0 and P0 of a Kalman filter.
        names: names (n,) of its states, all different.
        keep: those to keep.
        velocities: those that are velocities, kept or not.

    Raises ArrayError, naming the state and the reason, where a state can neither be left out nor be replaced.
    """
    where = {name: index for index, name in enumerate(names)}
    filter_ = Filter(*(given[name] for name in Filter._fields))
    kept = [where[name] for name in keep]
    others = [index for index in range(len(names)) if index not in kept]
    others = [state for state in others if state not in _zero(filter_, others)]
    others = [state for state in others if state not in _unseen(filter_, others, kept)]
    if not others:
        return filter_.of(kept)._asdict(), []
    moving = [where[name] for name in velocities if where[name] in (*kept, *others)]
    covariance = _stationary(filter_, others, kept, moving, names)
    reduced = _averaged(filter_, others, kept, moving, covariance)
    return reduced._asdict(), [_warning(filter_, reduced, others, kept, moving, names)]


def _zero(filter_: Filter, states: Sequence[int]) -> list[int]:
    """Those of `states` that are 0 in every bin."""
    still = [
        state for state in states if not (filter_.x0[state] or filter_.P0[state].any() or _used(filter_.W)[state].any())
    ]
    return _closed(still, lambda state: np.flatnonzero(_used(filter_.A)[state]))


def _unseen(filter_: Filter, states: Sequence[int], kept: Sequence[int]) -> list[int]:
    """Those of `states` that no unit observes and that drive neither a kept state nor one of the others."""
    hidden = [state for state in states if not _used(filter_.C)[:, state].any()]
    driven = [*states, *kept]
    return _closed(hidden, lambda state: [other for other in driven if _used(filter_.A)[other, state]])


def _closed(states: list[int], leads_to: Callable[[int], Any]) -> list[int]:
    """The largest part of `states` in which each one leads to states of this part alone."""
    while True:
        inside = [state for state in states if all(other in states for other in leads_to(state))]
        if inside == states:
            return states
        states = inside


def _used(matrix: Array) -> NDArray[np.bool_]:
    """Which entries of a matrix are not zero, but for rounding errors."""
    used: NDArray[np.bool_] = np.abs(matrix) > ROUNDING * np.abs(matrix).max(initial=0.0)
    return used


def _stationary(
    filter_: Filter, others: Sequence[int], kept: Sequence[int], moving: Sequence[int], names: Sequence[str]
) -> Array:
    """The covariance of the velocities `moving` that the filter's dynamics settle at. Raises ArrayError without one."""
    A = _used(filter_.A)
    for state in others:
        if state not in moving:
            seen = int(_used(filter_.C)[:, state].sum())
            why = f"{seen} units observe it" if seen else "others depend on it"
            raise ArrayError(
                f"A: {names[state]} cannot be left out: {why}, and it is no velocity, which alone can be replaced by "
                "its average; choose axes that keep it",
                "A",
            )
    left = " and ".join(names[state] for state in others)
    for state in moving:
        foreign = [names[cause] for cause in (*kept, *others) if cause not in moving and A[state, cause]]
        if foreign:
            raise ArrayError(
                f"A: {left} cannot be left out: units observe it, and {names[state]} depends on {', '.join(foreign)}, "
                "which is no velocity, so that the velocities have no average of their own",
                "A",
            )
    dynamics = filter_.of(moving)
    largest = float(np.abs(np.linalg.eigvals(dynamics.A)).max())
    if largest >= 1:
        raise ArrayError(
            f"A: {left} cannot be left out: units observe it, and the velocities do not decay (the largest eigenvalue "
            f"of their part of A is {largest:.4g}), so that they have no average size",
            "A",
        )
    return gaussian.symmetric(solve_discrete_lyapunov(dynamics.A, dynamics.W))


def _averaged(
    filter_: Filter, others: Sequence[int], kept: Sequence[int], moving: Sequence[int], covariance: Array
) -> Filter:
    """The filter in which `others` are replaced by their regression on the kept velocities."""
    rest = [moving.index(state) for state in others]
    known = [index for index in range(len(moving)) if index not in rest]
    B = np.zeros((len(others), len(kept)))
    of_known = solve(covariance[np.ix_(known, known)], covariance[np.ix_(known, rest)], assume_a="pos").T
    B[:, [kept.index(moving[index]) for index in known]] = of_known
    E = covariance[np.ix_(rest, rest)] - of_known @ covariance[np.ix_(known, rest)]
    A_u, C_u, plain = filter_.A[np.ix_(kept, others)], filter_.C[:, others], filter_.of(kept)
    return plain._replace(
        A=plain.A + A_u @ B,
        W=gaussian.symmetric(plain.W + A_u @ E @ A_u.T),
        C=plain.C + C_u @ B,
        Q=gaussian.symmetric(plain.Q + C_u @ E @ C_u.T),
    )


def _warning(
    filter_: Filter,
    reduced: Filter,
    others: Sequence[int],
    kept: Sequence[int],
    moving: Sequence[int],
    names: Sequence[str],
) -> InputWarning:
    v = [kept.index(state) for state in moving if state in kept]
    share = difference(filter_.of(moving), reduced.of(v), [moving.index(kept[state]) for state in v])
    left = " and ".join(names[state] for state in others)
    return InputWarning(
        "C",
        f"C: units observe {left}, which is left out and replaced by its average; velocities differ from those of the "
        f"whole filter by {share:.0%} of their size (root mean square, on counts as the filter expects them)",
    )


def difference(whole: Filter, reduced: Filter, states: Sequence[int]) -> float:
    """Root mean square by which the reduced filter's estimates differ from those of `states` of the whole one.

    Relative to the root mean square of the latter, in the steady state of both, on counts that the whole filter's
    model makes: the stationary covariance of x, the whole filter's estimate and the reduced one's, taken together.
    """
    n, m = len(whole.A), len(reduced.A)
    keep_whole, K_whole = _steady(whole)
    keep_reduced, K_reduced = _steady(reduced)
    # x and both estimates in one vector: each estimate is keep (A estimate) + K (C x + q), with x of this bin.
    seen_whole, seen_reduced = K_whole @ whole.C, K_reduced @ whole.C
    A = block_diag(whole.A, keep_whole @ whole.A, keep_reduced @ reduced.A)
    A[n : 2 * n, :n] = seen_whole @ whole.A
    A[2 * n :, :n] = seen_reduced @ whole.A
    by_w = np.vstack([np.eye(n), seen_whole, seen_reduced])
    by_q = np.vstack([np.zeros((n, len(whole.Q))), K_whole, K_reduced])
    spread = solve_discrete_lyapunov(A, by_w @ whole.W @ by_w.T + by_q @ whole.Q @ by_q.T)
    estimates = np.zeros((m, 2 * n + m))
    estimates[range(m), [n + state for state in states]] = 1.0
    apart = estimates.copy()
    apart[:, 2 * n :] -= np.eye(m)
    return float(np.sqrt(np.trace(apart @ spread @ apart.T) / np.trace(estimates @ spread @ estimates.T)))


def _steady(filter_: Filter) -> tuple[Array, Array]:
    """I - K C and K in the steady state."""
    model = gaussian.load_model({**filter_._asdict()})
    P = gaussian.steady_covariance(model.A, model.W, model.D)
    return np.eye(len(P)) - P @ model.D, P @ model.CtQinv
