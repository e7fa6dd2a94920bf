"""What happened in a recurrent network during trials, and the credit of its parameters for it: by the noise that went
through, or by the gradient. Arrays go by ticks and then by trials: a tick is written in one piece, and sums over both
are matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.populations.products import rows, summed
from decoderd.populations.rnn.equations import Parameters, Plan, State


class Trace(NamedTuple):
    """What happened in the network in T ticks."""

    r: Array  # (..., T + 1, B, N) rates, [v_0]+ first
    xi: Array  # (..., T, B, N) noise
    e: Array  # (..., T, B, M) input


def keep(state: State) -> State:
    """Without the positions on their way: a trial of them would weigh on every checkpoint."""
    return state._replace(line=())


def trace(states: Sequence[State]) -> Trace:
    """The trace of the states after T ticks."""
    v = np.stack([states[0].before, *(state.v for state in states)], axis=-3)
    r = np.maximum(v, 0, out=v)
    return Trace(r, np.stack([state.xi for state in states], axis=-3), np.stack([s.e for s in states], axis=-3))


def _per_field(amounts: Array, input_gradient: Array, trace: Trace, fields: tuple[str, ...]) -> dict[str, Array]:
    """How pushes (..., T', B, N) at each unit's input, of the first T' ticks, fall upon the plastic parameters."""
    driving = {"U": trace.e, "W": trace.r}
    through = [name for name in fields if name in driving]
    outer, alone = summed(
        amounts, input_gradient, [driving[name][..., : input_gradient.shape[-3], :, :] for name in through]
    )
    found = dict(zip(through, outer, strict=True))
    return found | {"b": alone} if "b" in fields else found


def eligibility(
    plan: Plan, parameters: Parameters, trace: Trace, amounts: Array, fields: tuple[str, ...]
) -> dict[str, Array]:
    """sum_k amount_k sum_t xi_t (e_t, r_{t-1}, 1), without the last tick."""
    return _per_field(amounts, trace.xi[..., :-1, :, :], trace, fields)


def backward(
    plan: Plan, parameters: Parameters, trace: Trace, t: int, gradient: Array, ahead: tuple[Array, Array] | None
) -> tuple[tuple[Array, Array], Array]:
    """The adjoint of tick t: see `populations.Plastic`. Rectification is zero at zero."""
    at = np.multiply(gradient, plan.hz, out=np.empty(gradient.shape, trace.r.dtype), casting="same_kind")
    if ahead is None:
        at *= trace.r[..., t + 1, :, :] > 0
    else:
        recurrent, leak = ahead
        at += recurrent
        at *= trace.r[..., t + 1, :, :] > 0
        at += leak
    input_gradient = plan.a * at
    at *= plan.keep
    return (input_gradient @ parameters.W, at), input_gradient


def feedback_gradient(plan: Plan, parameters: Parameters, trace: Trace, first: int, input_gradient: Array) -> Array:
    """(k, ..., B, 2), of the positions that came in in these k ticks."""
    *lead, ticks, trials, _ = input_gradient.shape
    encoder = rows(input_gradient) @ parameters.U
    encoder *= rows(trace.e[..., first : first + ticks, :, :]) > 0
    by_position = encoder @ (parameters.E[..., :2] * plan.scale.astype(parameters.E.dtype))
    return np.moveaxis(by_position.reshape(*lead, ticks, trials, 2), -3, 0)


def parameter_gradient(
    plan: Plan, parameters: Parameters, trace: Trace, input_gradient: Array, fields: tuple[str, ...]
) -> dict[str, Array]:
    """The gradient with respect to the plastic parameters."""
    return _per_field(np.ones((*input_gradient.shape[:-3], input_gradient.shape[-2])), input_gradient, trace, fields)
