"""A static linear network with Gaussian noise that can learn (Payeur, Orsborn & Lajoie 2023); equations in
`decoderd.linear_network`.

    v = A (b + U x + xi),   A = (I - W)^-1,   xi ~ N(0, s I)

A tick is one sample of activity, which remembers nothing: in the published model a reach is one tick and one bin of the
decoder. The input x is that of the target in whose direction the goal lies, and without a goal there is none; the
cursor is not seen. "Counts" are v itself, of either sign. V is a readout of the network's own, by which it was trained
before the session: V v is a place, with the targets on the unit circle, which stands for `distance_m`. In a session it
says what the network intends, and so what a decoder is calibrated to.

Axes in front of B may be any, as many as parameters have in front.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from decoderd import linear_network
from decoderd.arrays import Array, finite, need
from decoderd.config import ComponentConfig, Config, Metres, Units
from decoderd.errors import NumericalError
from decoderd.linear_network import Gradients, Noise
from decoderd.populations import Plastic, Population, Weighed
from decoderd.rng import Draws, Spec
from decoderd.stability import spectral_radius
from decoderd.state import Cue, Moment, Timing

# Updates of training between two looks at the eigenvalues, which take longer than many updates.
_LOOK = 50

Variance = Annotated[float, Field(strict=True, ge=0, le=10)]
Dimensions = Annotated[int, Field(strict=True, ge=1, le=2000)]
FIELDS = {"input": "U", "recurrent": "W", "bias": "b"}


class Training(Config):
    """Before the session: so many updates down the exact gradient of the expected loss, with the readout V."""

    updates: Annotated[int, Field(strict=True, ge=0, le=100_000)] = 500
    rate: Annotated[float, Field(strict=True, gt=0, le=1)] = 1e-2
    plastic: Annotated[tuple[Literal["input", "recurrent", "bias"], ...], Field(min_length=1)] = ("recurrent",)


class Patterns(Config):
    """Many inputs: for each target a pattern of norm 1, orthogonal to the others, and noise of its own."""

    dimensions: Dimensions = 200
    noise_dimensions: Dimensions = 20
    noise_var: Variance = 5e-4

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.noise_dimensions > self.dimensions:
            raise ValueError(f"noise_dimensions = {self.noise_dimensions}: there are {self.dimensions} dimensions")
        return self


class LinearConfig(ComponentConfig):
    """`file` is an individual saved before (.npz), which is not trained again; without one it is drawn and trained."""

    kind: Literal["linear"] = "linear"
    file: Path | None = None
    units: Units = 100
    targets: Annotated[int, Field(strict=True, ge=1, le=64)] = 6
    distance_m: Metres = 0.07
    noise_var: Annotated[Variance, Field(description="of the private noise")] = 1e-2
    alpha: Annotated[float, Field(strict=True, ge=0, le=2, description="W ~ N(0, units^-2 alpha)")] = 0.55
    rank: Annotated[int | None, Field(strict=True, ge=1, description="of W at first; alpha then has no part")] = None
    sparsity: Annotated[float, Field(strict=True, ge=0, lt=1, description="part of connections that is absent")] = 0.0
    patterns: Patterns | None = None
    training: Training = Training()

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.rank is not None and self.rank > self.units:
            raise ValueError(f"rank = {self.rank}: at most units = {self.units}")
        if self.rank is not None and self.sparsity:
            raise ValueError("rank and sparsity: a matrix with connections taken out has no low rank; give one of them")
        if self.patterns is not None and self.patterns.dimensions < self.targets:
            raise ValueError(
                f"patterns.dimensions = {self.patterns.dimensions}: at least targets = {self.targets}, one for each"
            )
        return self


class Parameters(NamedTuple):
    """The individual: N units, K targets, D inputs, m dimensions of input noise."""

    W: Array  # (N, N) recurrent weights, to row from column
    U: Array  # (N, D) input weights
    b: Array  # (N,) constant input
    V: Array  # (2, N) the network's own readout, fixed
    mask: Array  # (N, N) 1 where there is a connection, else 0; fixed
    X: Array  # (D, K) the input of each target; fixed
    B: Array  # (K, D, m) how noise enters the input of each target; fixed


class Plan(NamedTuple):
    """Constants worked out once."""

    noise_var: float
    noise_sd: float
    distance_m: float
    tick_s: float


class State(NamedTuple):
    """This tick's activity, and what it came of."""

    v: Array  # (B, N)
    xi: Array  # (B, N) private noise, N(0, 1)
    shown: Array  # (B, K) 1 for the target that is shown, else 0
    x: Array  # (B, D) input, with its noise


# --- individuals ------------------------------------------------------------------------------------------------


def load(config: LinearConfig, generator: np.random.Generator, arrays: Mapping[str, NDArray[Any]]) -> Parameters:
    """Draw and train an individual, or take it from the arrays W, U, b, V of a file (and mask, X, B: else connections
    everywhere, one input for each target, no noise on it).

    Raises ArrayError where they do not fit, NumericalError where the network is not stable.
    """
    if not arrays:
        drawn = _stable(_drawn(config, generator), "W: as drawn", "take another seed or a larger alpha")
        return _trained(config, drawn)
    need(arrays, ("W", "U", "b", "V"), "a linear population")
    n, K = config.units, config.targets
    X = finite("X", arrays["X"], (None, K)) if "X" in arrays else np.eye(K)
    D = len(X)
    given = Parameters(
        finite("W", arrays["W"], (n, n)),
        finite("U", arrays["U"], (n, D)),
        finite("b", arrays["b"], (n,)),
        finite("V", arrays["V"], (2, n)),
        finite("mask", arrays.get("mask", np.ones((n, n))), (n, n)),
        X,
        finite("B", arrays["B"], (K, D, None)) if np.size(arrays.get("B", ())) else np.zeros((K, D, 0)),
    )
    return _stable(given, "W", "the file's network cannot be run")


def _drawn(config: LinearConfig, generator: np.random.Generator) -> Parameters:
    """Before training. One-hot inputs: U ~ U(-1, 1), |V| as published; patterns: U ~ N(0, 1/D), V ~ N(0, 1/N)."""
    n, K = config.units, config.targets
    mask = np.ones((n, n))
    if config.rank is None:
        W = linear_network.recurrent(generator, n, config.alpha)
    else:
        W = generator.standard_normal((n, config.rank)) @ generator.standard_normal((config.rank, n)) / n
    if config.sparsity:
        mask = (generator.random((n, n)) >= config.sparsity) * (1 - np.eye(n))
        W = W * mask / np.sqrt(1 - config.sparsity)
    if config.patterns is None:
        U, V = generator.uniform(-1, 1, (n, K)), linear_network.readout(generator, n)
        return Parameters(W, U, np.zeros(n), V, mask, np.eye(K), np.zeros((K, K, 0)))
    D, m = config.patterns.dimensions, config.patterns.noise_dimensions
    U, V = generator.standard_normal((n, D)) / np.sqrt(D), generator.standard_normal((2, n)) / np.sqrt(n)
    X, _ = np.linalg.qr(generator.standard_normal((D, K)))
    B = generator.standard_normal((K, D, m)) * np.sqrt(config.patterns.noise_var / m)
    return Parameters(W, U, np.zeros(n), V, mask, X, B if config.patterns.noise_var else np.zeros((K, D, 0)))


def _trained(config: LinearConfig, parameters: Parameters) -> Parameters:
    K, places = config.targets, linear_network.targets(config.targets).T
    shown, share = np.eye(K), np.full(K, 0.5 / K)
    fields = [FIELDS[part] for part in config.training.plastic]
    for update in range(1, config.training.updates + 1):
        A = linear_network.gain(parameters.W)
        means, Z = _means(parameters, A, shown), parameters.V @ A
        left = means @ parameters.V.T - places
        several = np.broadcast_to(Z, (K, *Z.shape))
        slope = _gradients(parameters, config.noise_var, A, shown, several, left, share)
        moved = {name: getattr(parameters, name) - config.training.rate * getattr(slope, name) for name in fields}
        parameters = parameters._replace(**moved)
        if update % _LOOK == 0 or update == config.training.updates:
            where = f"W: in training, after {update} updates at rate {config.training.rate:g}"
            _stable(parameters, where, "lower training.rate")
    return parameters


def _stable(parameters: Parameters, where: str, advice: str) -> Parameters:
    why = refuses(parameters)
    if why:
        raise NumericalError(f"{where}: {why}; {advice}", "W")
    return parameters


def refuses(parameters: Parameters) -> str:
    """Why this network would have no steady activity; empty if it has."""
    if not all(np.isfinite(part).all() for part in (parameters.W, parameters.U, parameters.b)):
        return "weights have grown beyond all numbers"
    radius = spectral_radius(parameters.W)
    return f"an eigenvalue is {radius:.6g} in size, and activity is steady only below 1" if radius >= 1 else ""


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


def streams(config: LinearConfig, parameters: Parameters) -> dict[str, Spec]:
    """Private noise, and that of the input where there is any."""
    m = parameters.B.shape[-1]
    return {"noise": Spec("normal", units(parameters)), **({"input": Spec("normal", m)} if m else {})}


def init(plan: Plan, parameters: Parameters, cursor: Array) -> State:
    """Silent."""
    lead, D, K = cursor.shape[:-1], *parameters.X.shape[-2:]
    silent = np.zeros((*lead, units(parameters)))
    return State(silent, silent, np.zeros((*lead, K)), np.zeros((*lead, D)))


def rates(
    plan: Plan, parameters: Parameters, state: State, cue: Cue, seen: Array, moment: Moment, draws: Draws
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


def counts(plan: Plan, rates: Array, draws: Draws) -> NDArray[Any]:
    """Activity (B, N), of either sign."""
    return rates * plan.tick_s


def _settled(W: Array, drive: Array) -> Array:
    """Rows (..., B, N) of A drive."""
    return np.ascontiguousarray(_t(np.linalg.solve(np.eye(W.shape[-1]) - W, _t(drive))))


# --- learning ---------------------------------------------------------------------------------------------------


def kept(state: State) -> State:
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
    pushed = trace.xi * amounts[..., np.newaxis, :, np.newaxis] / plan.noise_sd
    found = _per_field(parameters, pushed, trace, fields)
    if "W" in fields:
        weight = amounts.sum(axis=-1)[..., np.newaxis, np.newaxis] * trace.xi.shape[-3]
        found["W"] = found["W"] - parameters.mask * weight * _t(linear_network.gain(parameters.W))
    return found


def back(
    plan: Plan, parameters: Parameters, trace: State, t: int, gradient: Array, ahead: Array | None
) -> tuple[Array, Array, Array]:
    """The adjoint of tick t: see `populations.Plastic`. Nothing comes from a tick before, nor from the cursor."""
    pushed = _settled(_t(parameters.W), gradient / plan.tick_s)
    return np.zeros_like(gradient), pushed, np.zeros((*gradient.shape[:-1], 2))


def gather(
    plan: Plan, parameters: Parameters, trace: State, pushed: Sequence[Array], fields: tuple[str, ...]
) -> dict[str, Array]:
    """The gradient with respect to the plastic parameters."""
    return _per_field(parameters, np.stack(pushed, axis=-3), trace, fields)


def expected(
    plan: Plan, parameters: Parameters, trace: State, Z: Array, left: Array, fields: tuple[str, ...]
) -> tuple[Array, Weighed]:
    """The mean of |left|^2 over all noise, and its gradient: see `populations.Plastic`."""
    A, Z = linear_network.gain(parameters.W), np.moveaxis(Z, 0, -4)  # (..., T, B, 2, N)
    noise = (
        plan.noise_sd * trace.xi
        + (trace.x - trace.shown @ _t(parameters.X)[..., np.newaxis, :, :]) @ (_t(parameters.U)[..., np.newaxis, :, :])
    )
    left = left - (Z @ noise[..., np.newaxis])[..., 0].sum(axis=-3)
    T, B = Z.shape[-4:-2]
    lead = Z.shape[:-4]
    shown, flat = trace.shown.reshape(*lead, T * B, -1), Z.reshape(*lead, T * B, *Z.shape[-2:])
    spread = linear_network.mean_square(flat, np.zeros(flat.shape[:-1]), _noise(parameters, plan.noise_var, shown))
    square = (left**2).sum(axis=-1) + spread.reshape(*lead, T, B).sum(axis=-2)

    def gradient(amounts: Array) -> dict[str, Array]:
        every = np.broadcast_to(left[..., np.newaxis, :, :], (*lead, T, B, 2)).reshape(*lead, T * B, 2)
        weights = np.broadcast_to(amounts[..., np.newaxis, :], (*lead, T, B)).reshape(*lead, T * B)
        found = _gradients(parameters, plan.noise_var, A, shown, flat, every, weights)
        return {name: getattr(found, name) for name in fields}

    return square, gradient


def _per_field(parameters: Parameters, pushed: Array, trace: State, fields: tuple[str, ...]) -> dict[str, Array]:
    """How pushes (..., T, B, N) at each unit's input fall upon the plastic parameters."""
    found: dict[str, Array] = {}
    for name, driving in (("U", trace.x), ("W", trace.v)):
        if name in fields:
            one, other = (part.reshape(*part.shape[:-3], -1, part.shape[-1]) for part in (pushed, driving))
            found[name] = _t(one) @ other
    if "W" in fields:
        found["W"] = found["W"] * parameters.mask
    if "b" in fields:
        found["b"] = pushed.sum(axis=(-3, -2))
    return found


def _means(parameters: Parameters, A: Array, shown: Array) -> Array:
    """(..., B, N): mean activity in trials with targets shown (..., B, K)."""
    return (parameters.b[..., np.newaxis, :] + shown @ _t(parameters.X) @ _t(parameters.U)) @ _t(A)


def _noise(parameters: Parameters, noise_var: float, shown: Array) -> Noise:
    patterns = np.einsum("...bk,...kdm->...bdm", shown, parameters.B)
    return Noise(noise_var, parameters.U[..., np.newaxis, :, :] @ patterns, patterns)


def _gradients(
    parameters: Parameters, noise_var: float, A: Array, shown: Array, Z: Array, left: Array, amounts: Array
) -> Gradients:
    """Of sums over trials of amounts times the mean squared distance; connections that are absent stay so."""
    noise, means = _noise(parameters, noise_var, shown), _means(parameters, A, shown)
    found = linear_network.gradients(Z, left, noise, A, means, shown @ _t(parameters.X), amounts)
    return found._replace(W=found.W * parameters.mask)


def _t(matrices: Array) -> Array:
    return np.swapaxes(matrices, -1, -2)


LINEAR = Population(
    LinearConfig,
    load,
    units,
    plan,
    streams,
    init,
    rates,
    counts,
    overnight,
    plastic=Plastic(FIELDS, (), kept, trace, eligibility, back, gather, expected, refuses),
    targets=targets,
    signed=True,
)
