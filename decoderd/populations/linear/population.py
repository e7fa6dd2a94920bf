"""A static linear network with Gaussian noise that can learn (Payeur, Orsborn & Lajoie 2023); equations in
`decoderd.populations.linear.equations`.

    v = A (b + U x + xi),   A = (I - W)^-1,   xi ~ N(0, s I)

A tick is one sample of activity, which remembers nothing: in the published model a reach is one tick and one bin of the
decoder. The input x is that of the target in whose direction the goal lies, and without a goal there is none; the
cursor is not seen. "Counts" are v itself, of either sign. V is a readout of the network's own, by which it was trained
before the session: V v is a place, with the targets on the unit circle, which stands for `distance_m`. In a session it
says what the network intends, and so what a decoder is calibrated to.

Axes in front of B may be any, as many as parameters have in front.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.populations import COUNTS, Plastic, Population, Spikes, WeightedSum
from decoderd.populations.linear import equations
from decoderd.populations.linear import individual as individuals
from decoderd.populations.linear.individual import FIELDS, LinearConfig, Parameters
from decoderd.populations.products import rows
from decoderd.rng import Draws, Spec
from decoderd.state import Cue, TimeIndex, Timing


class Plan(NamedTuple):
    """Constants worked out once."""

    noise_var: float
    noise_sd: float
    distance_m: float
    tick_s: float


@stored("populations.linear.state")
class State(NamedTuple):
    """This tick's activity, and what it came of."""

    v: Array  # (B, N)
    xi: Array  # (B, N) private noise, N(0, 1)
    shown: Array  # (B, K) 1 for the target that is shown, else 0
    x: Array  # (B, D) input, with its noise


def units(parameters: Parameters) -> int:
    """N."""
    return parameters.b.shape[-1]


def targets(parameters: Parameters) -> int:
    """K."""
    return parameters.X.shape[-1]


def overnight(config: LinearConfig, parameters: Parameters, generator: np.random.Generator) -> Parameters:
    """What was learned stays."""
    return parameters


# --- activity ---------------------------------------------------------------------------------------------------


def plan(config: LinearConfig, timing: Timing) -> Plan:
    """Constants."""
    return Plan(config.noise_var, config.noise_var**0.5, config.distance_m, timing.tick_s)


def streams(plan: Plan, parameters: Parameters) -> dict[str, Spec]:
    """Private noise, and that of the input where there is any."""
    m = parameters.B.shape[-1]
    return {"noise": Spec("normal", units(parameters)), **({"input": Spec("normal", m)} if m else {})}


def init(plan: Plan, parameters: Parameters, cursor: Array) -> State:
    """Silent."""
    lead, D, K = cursor.shape[:-1], *parameters.X.shape[-2:]
    silent = np.zeros((*lead, units(parameters)))
    return State(silent, silent, np.zeros((*lead, K)), np.zeros((*lead, D)))


def rates(
    plan: Plan, parameters: Parameters, state: State, cue: Cue, seen: Array, moment: TimeIndex, draws: Draws
) -> tuple[State, Array, Array]:
    """Rates (B, N) such that a tick counts v; the intent is where V v is, as a velocity that gets there in a tick."""
    shown = direction(cue.goal, targets(parameters), seen.shape[:-1])
    x = shown @ _t(parameters.X)
    if parameters.B.shape[-1]:
        x = x + np.einsum("...bk,...kdm,...bm->...bd", shown, parameters.B, draws.row("input"))
    xi = draws.row("noise")
    drive = parameters.b[..., np.newaxis, :] + x @ _t(parameters.U) + plan.noise_sd * xi
    v = _settled(parameters.W, drive)
    return State(v, xi, shown, x), v / plan.tick_s, v @ _t(parameters.V) * (plan.distance_m / plan.tick_s)


def direction(goal: Array | None, number: int, lead: tuple[int, ...]) -> Array:
    """(..., B, K): 1 for the target whose direction is nearest to that of the goal (..., B, 2); 0 in the centre."""
    shown = np.zeros((*lead, number))
    if goal is None:
        return shown
    turns = np.arctan2(goal[..., 1], goal[..., 0]) / (2 * np.pi)
    nearest = np.round(turns * number).astype(np.int64) % number
    away = np.hypot(goal[..., 0], goal[..., 1]) > 1e-9
    return shown + (np.arange(number) == nearest[..., np.newaxis]) * away[..., np.newaxis]


def spikes(plan: Plan, parameters: Parameters, state: State, rates: Array, draws: Draws) -> tuple[State, Spikes]:
    """Activity (B, N), of either sign."""
    return state, {COUNTS: rates * plan.tick_s}


def _settled(W: Array, drive: Array) -> Array:
    """Rows (..., B, N) of A drive."""
    return np.ascontiguousarray(_t(np.linalg.solve(np.eye(W.shape[-1]) - W, _t(drive))))


# --- learning ---------------------------------------------------------------------------------------------------


def keep(state: State) -> State:
    """All of it."""
    return state


def trace(states: Sequence[State]) -> State:
    """The states after T ticks as one, each field (..., T, B, .)."""
    return State(*(np.stack(field, axis=-3) for field in zip(*states, strict=True)))


def eligibility(
    plan: Plan, parameters: Parameters, trace: State, amounts: Array, fields: tuple[str, ...]
) -> dict[str, Array]:
    """How the log probability of the activity there was depends on the parameters (Williams 1992), weighed by amounts:

    xi (v', x', 1) / sigma, of W less A'. The last tick counts: its noise moves the cursor as any other's. Without
    noise there is nothing to go by, and it is zero.
    """
    if not plan.noise_sd:
        return {name: np.zeros_like(getattr(parameters, name)) for name in fields}
    input_gradient = trace.xi * amounts[..., np.newaxis, :, np.newaxis] / plan.noise_sd
    found = _per_field(parameters, input_gradient, trace, fields)
    if "W" in fields:
        weight = amounts.sum(axis=-1)[..., np.newaxis, np.newaxis] * trace.xi.shape[-3]
        found["W"] = found["W"] - parameters.mask * weight * _t(equations.gain(parameters.W))
    return found


def backward(
    plan: Plan, parameters: Parameters, trace: State, t: int, gradient: Array, ahead: Array | None
) -> tuple[Array, Array]:
    """The adjoint of tick t: see `populations.Plastic`. Nothing comes from a tick before."""
    return np.zeros_like(gradient), _settled(_t(parameters.W), gradient / plan.tick_s)


def feedback_gradient(plan: Plan, parameters: Parameters, trace: State, first: int, input_gradient: Array) -> Array:
    """Nothing: the cursor is not seen."""
    return np.zeros((input_gradient.shape[-3], *input_gradient.shape[:-3], input_gradient.shape[-2], 2))


def parameter_gradient(
    plan: Plan, parameters: Parameters, trace: State, input_gradient: Array, fields: tuple[str, ...]
) -> dict[str, Array]:
    """The gradient with respect to the plastic parameters."""
    return _per_field(parameters, input_gradient, trace, fields)


def expected_loss(
    plan: Plan, parameters: Parameters, trace: State, Z: Array, left: Array, fields: tuple[str, ...]
) -> tuple[Array, WeightedSum]:
    """The mean of |left|^2 over all noise, and its gradient: see `populations.Plastic`."""
    A, Z = equations.gain(parameters.W), np.moveaxis(Z, 0, -4)  # (..., T, B, 2, N)
    noise = (
        plan.noise_sd * trace.xi
        + (trace.x - trace.shown @ _t(parameters.X)[..., np.newaxis, :, :]) @ (_t(parameters.U)[..., np.newaxis, :, :])
    )
    left = left - (Z @ noise[..., np.newaxis])[..., 0].sum(axis=-3)
    T, B = Z.shape[-4:-2]
    lead = Z.shape[:-4]
    shown, flat = trace.shown.reshape(*lead, T * B, -1), Z.reshape(*lead, T * B, *Z.shape[-2:])
    around = individuals.noise_of(parameters, plan.noise_var, shown)
    spread = equations.mean_square(flat, np.zeros(flat.shape[:-1]), around)
    square = (left**2).sum(axis=-1) + spread.reshape(*lead, T, B).sum(axis=-2)

    def gradient(amounts: Array) -> dict[str, Array]:
        every = np.broadcast_to(left[..., np.newaxis, :, :], (*lead, T, B, 2)).reshape(*lead, T * B, 2)
        weights = np.broadcast_to(amounts[..., np.newaxis, :], (*lead, T, B)).reshape(*lead, T * B)
        found = individuals.gradients(parameters, plan.noise_var, A, shown, flat, every, weights)
        return {name: getattr(found, name) for name in fields}

    return square, gradient


def _per_field(
    parameters: Parameters, input_gradient: Array, trace: State, fields: tuple[str, ...]
) -> dict[str, Array]:
    """How pushes (..., T, B, N) at each unit's input fall upon the plastic parameters."""
    found: dict[str, Array] = {}
    for name, driving in (("U", trace.x), ("W", trace.v)):
        if name in fields:
            found[name] = _t(rows(input_gradient)) @ rows(driving)
    if "W" in fields:
        found["W"] = found["W"] * parameters.mask
    if "b" in fields:
        found["b"] = input_gradient.sum(axis=(-3, -2))
    return found


def _t(matrices: Array) -> Array:
    return np.swapaxes(matrices, -1, -2)


LINEAR = Population(
    LinearConfig,
    individuals.load,
    units,
    plan,
    streams,
    init,
    rates,
    spikes,
    overnight,
    plastic=Plastic(
        FIELDS,
        (),
        keep,
        trace,
        eligibility,
        backward,
        feedback_gradient,
        parameter_gradient,
        expected_loss,
        individuals.reject,
    ),
    targets=targets,
    signed=True,
)
