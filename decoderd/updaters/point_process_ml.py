"""Recursive maximum likelihood for point-process filters: `recursive_ml` for counts with expectations exp(beta' x).

Such a likelihood has no sums from which its maximum would follow. Close to a given beta it has: its gradient g and its
information J. For each unit, after every batch of B bins, with both summed over the batch at the beta before it,

    J <- rho J + J_batch      beta <- beta + J^-1 g_batch            rho = 0.5^(batch / half-life)

This is one Newton step from the most likely beta so far, with the Gaussian of Laplace's approximation for all bins
before the batch, each with a weight that halves in every half-life (Eden et al. 2004; Shanechi et al. 2016 update beta
in every bin, this in every batch). For counts with Gaussian noise of constant variance it would be `recursive_ml`
exactly. The initial decoder counts as the fit to an earlier past of the same length, as there.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from decoderd.analysis import log_linear
from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import Seconds
from decoderd.state import LogLinear
from decoderd.updaters import Updater, recursive_ml, sums, waiting
from decoderd.updaters.recursive_ml import HalfLifeConfig, Plan
from decoderd.updaters.waiting import Rows


class PointProcessMLConfig(HalfLifeConfig):
    """The settings of `recursive_ml`, with a half-life of its own."""

    kind: Literal["point_process_ml"] = "point_process_ml"
    half_life_s: Seconds = 120.0


@stored("updaters.point_process_ml.state")
class State(NamedTuple):
    """Informations of the bins up to the last update, with their weights, and derivatives of the bins since.

    The last bins wait (see `waiting`).
    """

    past: Array  # (M, n, n) information J
    moments: Array  # (n, n) sum of x x' with the same weights
    weight: float  # of all these bins
    model: LogLinear  # that with which the batch has begun
    gradient: Array  # (M, n) of the batch
    information: Array  # (M, n, n)
    products: Array  # (n, n) sum of x x'
    rows: int  # in the derivatives
    waiting: Rows


def init(plan: Plan, observation: LogLinear) -> State:
    """The state after a past that would give this model, with as many bins as the weights of a long past add up to."""
    n = observation.beta.shape[1]
    weight = plan.bins / (1 - plan.rho)
    variances = np.array(recursive_ml.variances(plan, n))
    varying = np.diag(np.append(variances[:-1], 0.0) if n % 2 else variances)
    return _batch(weight * _information(observation, varying), weight * np.diag(variances), weight, observation)


def _information(observation: LogLinear, varying: Array) -> Array:
    """E[mu x x'] (M, n, n) for normal states of covariance `varying`, apart from a constant 1, in closed form.

    Weighted by mu, such states are normal again, with the same covariance and the mean `varying` beta.
    """
    along = observation.beta @ varying
    mean = along.copy()
    if observation.beta.shape[1] % 2:
        mean[:, -1] = 1.0
    half_variance = 0.5 * (along * observation.beta).sum(axis=1)
    baseline = observation.beta[:, -1] if observation.beta.shape[1] % 2 else 0.0
    mu = log_linear.expected(baseline + half_variance)
    return mu[:, np.newaxis, np.newaxis] * (varying + mean[:, :, np.newaxis] * mean[:, np.newaxis, :])


def _batch(past: Array, moments: Array, weight: float, model: LogLinear) -> State:
    """An empty batch after this past."""
    empty, none = np.zeros_like(past), waiting.none(*model.beta.shape[::-1])
    sums_of_rows = (np.zeros_like(model.beta), empty, np.zeros_like(moments), 0, none)
    return State(past, moments, weight, model, *sums_of_rows)


def observe(plan: Plan, state: State, x: Array, y: Array) -> State:
    """The batch with these rows added."""
    blocks, left = waiting.followed(state.waiting, x, y)
    for block in blocks:
        state = _derived(state, block)
    return state._replace(waiting=left)


def _derived(state: State, rows: Rows) -> State:
    """The state with the derivatives of these rows."""
    x, y = rows
    gradient, information = log_linear.derivatives(state.model.law, state.model.beta, x, y)
    return state._replace(
        gradient=state.gradient + gradient,
        information=state.information + information,
        products=state.products + x.T @ x,
        rows=state.rows + len(x),
    )


def due(plan: Plan, state: State, block_over: bool) -> bool:
    """Whether the batch has all its bins."""
    return state.rows + len(state.waiting.x) >= plan.bins


def update(plan: Plan, state: State, observation: LogLinear) -> tuple[State, LogLinear]:
    """The model after one Newton step for every unit. Raises NumericalError."""
    state = _derived(state, state.waiting)
    past = plan.rho * state.past + state.information
    moments = plan.rho * state.moments + state.products
    weight = plan.rho * state.weight + state.rows
    sums.check_spanned(moments)
    mean = moments / weight
    # No unit has less information than a single spike in all the bins would give it, which is the mean of x x'.
    steps = log_linear.newton_steps(state.gradient, past + mean, mean)
    new = LogLinear(state.model.beta + steps, state.model.law)
    return _batch(past, moments, weight, new), new


def memory(observed: int) -> int:
    """Bytes at most of so many units with five states: in states that wait to be written, and in an update."""
    return 8 * 6 * observed * 30 + waiting.memory(observed)


POINT_PROCESS_ML = Updater(
    PointProcessMLConfig, recursive_ml.plan, init, recursive_ml.intend, observe, due, update, memory, LogLinear
)
