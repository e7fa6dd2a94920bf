"""The trace of trials of the recurrent network, and the eligibilities and gradients computed from it.

Arrays have ticks before trials: a tick is written in one piece, and sums over both are matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.populations.products import outer_sums, rows
from decoderd.populations.rnn.equations import Parameters, Plan, State


class Trace(NamedTuple):
    """Rates, noise and input of the network in T ticks."""

    r: Array  # (..., T + 1, B, N) rates, the first [v_0]+
    xi: Array  # (..., T, B, N) noise
    e: Array  # (..., T, B, M) input


def keep(state: State) -> State:
    """The state without its delay line, which would make checkpoints large."""
    return state._replace(line=())


def trace(states: Sequence[State]) -> Trace:
    """The trace made of the states after T ticks."""
    v = np.stack([states[0].before, *(state.v for state in states)], axis=-3)
    r = np.maximum(v, 0, out=v)
    return Trace(r, np.stack([state.xi for state in states], axis=-3), np.stack([s.e for s in states], axis=-3))


def _per_field(amounts: Array, input_gradient: Array, trace: Trace, fields: tuple[str, ...]) -> dict[str, Array]:
    """Sums of amounts (..., B) times gradients by the plastic parameters.

    `input_gradient` (..., T', B, N) are those by the input of each unit, of the first T' ticks.
    """
    presynaptic = {"U": trace.e, "W": trace.r}
    weights = [name for name in fields if name in presynaptic]
    outer, bias = outer_sums(
        amounts, input_gradient, [presynaptic[name][..., : input_gradient.shape[-3], :, :] for name in weights]
    )
    found = dict(zip(weights, outer, strict=True))
    return found | {"b": bias} if "b" in fields else found


def eligibility(
    plan: Plan, parameters: Parameters, trace: Trace, amounts: Array, fields: tuple[str, ...]
) -> dict[str, Array]:
    """Eligibility of the plastic parameters, sum_k amount_k sum_t xi_t (e_t, r_{t-1}, 1), without the last tick."""
    return _per_field(amounts, trace.xi[..., :-1, :, :], trace, fields)


def backward(
    plan: Plan, parameters: Parameters, trace: Trace, t: int, gradient: Array, ahead: tuple[Array, Array] | None
) -> tuple[tuple[Array, Array], Array]:
    """The adjoint of tick t (see `contract.Backward`). The derivative of the rectification is 0 at 0."""
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
    """Gradient (k, ..., B, 2) by the positions that the network saw in k ticks from `first` on."""
    *lead, ticks, trials, _ = input_gradient.shape
    encoder = rows(input_gradient) @ parameters.U
    encoder *= rows(trace.e[..., first : first + ticks, :, :]) > 0
    by_position = encoder @ (parameters.E[..., :2] * plan.scale.astype(parameters.E.dtype))
    return np.moveaxis(by_position.reshape(*lead, ticks, trials, 2), -3, 0)


def parameter_gradient(
    plan: Plan, parameters: Parameters, trace: Trace, input_gradient: Array, fields: tuple[str, ...]
) -> dict[str, Array]:
    """{field: gradient} by the plastic parameters, summed over ticks and trials."""
    return _per_field(np.ones((*input_gradient.shape[:-3], input_gradient.shape[-2])), input_gradient, trace, fields)
