"""Population `linear`: a static linear network with Gaussian noise that can learn (Payeur, Orsborn & Lajoie 2023).

    v = A (b + U x + xi),   A = (I - W)^-1,   xi ~ N(0, s I)

Activity v has no memory: each tick draws a new sample. In the published model a reach is one tick and one bin of the
decoder. The input x is that of the target nearest in direction to the goal, and zero without a goal; the cursor is not
seen. "Counts" are v itself, of either sign. V is the readout with which the network was trained before the session:
V v is a position with the targets on the unit circle, whose radius stands for `distance_m`. In a session V v is the
intended position, to which a decoder is calibrated.

`decoderd.populations.linear.equations` has the equations of learning. Arrays may have any axes in front of B, as many
as the parameters have in front.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array, transposed
from decoderd.checkpoint import stored
from decoderd.populations import COUNTS, Plastic, Population, Spikes, WeightedSum
from decoderd.populations.linear import equations
from decoderd.populations.linear import individual as individuals
from decoderd.populations.linear.individual import FIELDS, LinearConfig, Parameters
from decoderd.populations.products import rows
from decoderd.populations.side_by_side import in_front
from decoderd.rng import Draws, Spec
from decoderd.state import Cue, TimeIndex, Timing


class Plan(NamedTuple):
    """Constants, computed once."""

    noise_var: float
    noise_sd: float
    distance_m: float
    tick_s: float


@stored("populations.linear.state")
class State(NamedTuple):
    """Activity of a tick, with the noise and the input that caused it."""

    v: Array  # (B, N)
    xi: Array  # (B, N) private noise, N(0, 1)
    shown: Array  # (B, K) 1 for the target that is shown, else 0
    x: Array  # (B, D) input, with its noise


def units(parameters: Parameters) -> int:
    """Number of units N."""
    return parameters.b.shape[-1]


def targets(parameters: Parameters) -> int:
    """Number of targets K that the network has inputs for."""
    return parameters.X.shape[-1]


def overnight(config: LinearConfig, parameters: Parameters, generator: np.random.Generator) -> Parameters:
    """The same parameters: learning is kept from day to day."""
    return parameters


# --- activity ---------------------------------------------------------------------------------------------------


def plan(config: LinearConfig, timing: Timing) -> Plan:
    """Constants: variance and SD of the private noise, distance of the targets, tick."""
    return Plan(config.noise_var, config.noise_var**0.5, config.distance_m, timing.tick_s)


def streams(plan: Plan, parameters: Parameters) -> dict[str, Spec]:
    """Random numbers of a tick: private noise, and noise of the input where there is any."""
    m = parameters.B.shape[-1]
    return {"noise": Spec("normal", units(parameters)), **({"input": Spec("normal", m)} if m else {})}


def init(plan: Plan, parameters: Parameters, cursor: Array) -> State:
    """The state at the start of a day: no activity."""
    lead, D, K = cursor.shape[:-1], *parameters.X.shape[-2:]
    silent = np.zeros((*lead, units(parameters)))
    return State(silent, silent, np.zeros((*lead, K)), np.zeros((*lead, D)))


def rates(
    plan: Plan, parameters: Parameters, state: State, cue: Cue, seen: Array, time: TimeIndex, draws: Draws
) -> tuple[State, Array, Array]:
    """Rates (B, N) in Hz, v over the tick; the intended velocity reaches the position V v within the tick."""
    shown = direction(cue.goal, targets(parameters), seen.shape[:-1])
    x = shown @ transposed(parameters.X)
    if parameters.B.shape[-1]:
        x = x + np.einsum("...bk,...kdm,...bm->...bd", shown, parameters.B, draws.row("input"))
    xi = draws.row("noise")
    drive = parameters.b[..., np.newaxis, :] + x @ transposed(parameters.U) + plan.noise_sd * xi
    v = _steady(parameters.W, drive)
    return State(v, xi, shown, x), v / plan.tick_s, v @ transposed(parameters.V) * (plan.distance_m / plan.tick_s)


def direction(goal: Array | None, number: int, lead: tuple[int, ...]) -> Array:
    """The target shown (..., B, K): 1 for the one nearest in direction to the goal (..., B, 2), 0 for the others.

    All are 0 without a goal, which is None or NaN, and for a goal in the centre.
    """
    shown = np.zeros((*lead, number))
    if goal is None:
        return shown
    away = np.hypot(goal[..., 0], goal[..., 1]) > 1e-9
    turns = np.where(away, np.arctan2(goal[..., 1], goal[..., 0]), 0.0) / (2 * np.pi)
    nearest = np.round(turns * number).astype(np.int64) % number
    return shown + (np.arange(number) == nearest[..., np.newaxis]) * away[..., np.newaxis]


def spikes(plan: Plan, parameters: Parameters, state: State, rates: Array, draws: Draws) -> tuple[State, Spikes]:
    """Activity (B, N), of either sign, in place of counts."""
    return state, {COUNTS: rates * plan.tick_s}


def _steady(W: Array, drive: Array) -> Array:
    """Steady activity (..., B, N) = A drive, with drive (..., B, N)."""
    return np.ascontiguousarray(transposed(np.linalg.solve(np.eye(W.shape[-1]) - W, transposed(drive))))


# --- learning ---------------------------------------------------------------------------------------------------


def keep(state: State) -> State:
    """The whole state is stored until the trial ends."""
    return state


def trace(states: Sequence[State]) -> State:
    """Stack the states after T ticks: each field is (..., T, B, .)."""
    return State(*(np.stack(field, axis=-3) for field in zip(*states, strict=True)))


def eligibility(
    plan: Plan, parameters: Parameters, trace: State, amounts: Array, fields: tuple[str, ...]
) -> dict[str, Array]:
    """Sum over trials of amounts (..., B) times the gradient of the log probability of the activity (Williams 1992).

    It is xi (v', x', 1) / sigma in each tick, less A' for W. The last tick is included, because its noise moves the
    cursor as well. Without noise the eligibility is zero.
    """
    if not plan.noise_sd:
        return {name: np.zeros_like(getattr(parameters, name)) for name in fields}
    input_gradient = trace.xi * amounts[..., np.newaxis, :, np.newaxis] / plan.noise_sd
    found = _per_field(parameters, input_gradient, trace, fields)
    if "W" in fields:
        weight = amounts.sum(axis=-1)[..., np.newaxis, np.newaxis] * trace.xi.shape[-3]
        found["W"] = found["W"] - parameters.mask * weight * transposed(equations.gain(parameters.W))
    return found


def backward(
    plan: Plan, parameters: Parameters, trace: State, t: int, gradient: Array, ahead: Array | None
) -> tuple[Array, Array]:
    """The adjoint of tick t (see `contract.Backward`). A tick does not depend on the one before."""
    return np.zeros_like(gradient), _steady(transposed(parameters.W), gradient / plan.tick_s)


def feedback_gradient(plan: Plan, parameters: Parameters, trace: State, first: int, input_gradient: Array) -> Array:
    """Zero (k, ..., B, 2): the cursor is not seen."""
    return np.zeros((input_gradient.shape[-3], *input_gradient.shape[:-3], input_gradient.shape[-2], 2))


def parameter_gradient(
    plan: Plan, parameters: Parameters, trace: State, input_gradient: Array, fields: tuple[str, ...]
) -> dict[str, Array]:
    """{field: gradient} by the plastic parameters, summed over ticks and trials."""
    return _per_field(parameters, input_gradient, trace, fields)


def expected_loss(
    plan: Plan, parameters: Parameters, trace: State, Z: Array, error: Array, fields: tuple[str, ...]
) -> tuple[Array, WeightedSum]:
    """The mean of |error|^2 (..., B) over all noise, and its gradient (see `contract.ExpectedLoss`)."""
    A, Z = equations.gain(parameters.W), np.moveaxis(Z, 0, -4)  # (..., T, B, 2, N)
    X, U = (transposed(part)[..., np.newaxis, :, :] for part in (parameters.X, parameters.U))
    noise = plan.noise_sd * trace.xi + (trace.x - trace.shown @ X) @ U
    error = error - (Z @ noise[..., np.newaxis])[..., 0].sum(axis=-3)  # the mean error
    T, B = Z.shape[-4:-2]
    lead = Z.shape[:-4]
    shown, flat = trace.shown.reshape(*lead, T * B, -1), Z.reshape(*lead, T * B, *Z.shape[-2:])
    noise_of_trials = individuals.noise_of(parameters, plan.noise_var, shown)
    variance = equations.mean_squared_error(flat, np.zeros(flat.shape[:-1]), noise_of_trials)
    square = (error**2).sum(axis=-1) + variance.reshape(*lead, T, B).sum(axis=-2)

    def gradient(amounts: Array) -> dict[str, Array]:
        errors = np.broadcast_to(error[..., np.newaxis, :, :], (*lead, T, B, 2)).reshape(*lead, T * B, 2)
        weights = np.broadcast_to(amounts[..., np.newaxis, :], (*lead, T, B)).reshape(*lead, T * B)
        found = individuals.gradients(parameters, plan.noise_var, A, shown, flat, errors, weights)
        return {name: getattr(found, name) for name in fields}

    return square, gradient


def _per_field(
    parameters: Parameters, input_gradient: Array, trace: State, fields: tuple[str, ...]
) -> dict[str, Array]:
    """Gradients by the plastic parameters from those by the input (..., T, B, N) of each unit."""
    found: dict[str, Array] = {}
    for name, driving in (("U", trace.x), ("W", trace.v)):
        if name in fields:
            found[name] = transposed(rows(input_gradient)) @ rows(driving)
    if "W" in fields:
        found["W"] = found["W"] * parameters.mask
    if "b" in fields:
        found["b"] = input_gradient.sum(axis=(-3, -2))
    return found


def memory(config: LinearConfig, timing: Timing) -> int:
    """Weights and mask, with the inverse and the gradients of training, and their copies."""
    n, inputs, noise = config.units, config.targets, 0
    if config.patterns is not None:
        inputs, noise = config.patterns.dimensions, config.patterns.noise_dimensions
    return 8 * (12 * n * n + 10 * n * inputs + 5 * inputs * noise * config.targets + 8 * config.targets * n * noise)


def trial_memory(config: LinearConfig) -> int:
    """Activity, noise, input and their gradients in a tick of a trial."""
    inputs = config.targets if config.patterns is None else config.patterns.dimensions
    return 8 * 8 * (2 * config.units + config.targets + inputs)


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
        memory=trial_memory,
    ),
    targets=targets,
    signed=True,
    memory=memory,
    side_by_side=in_front(rates, spikes),
)
