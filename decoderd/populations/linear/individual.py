"""Individuals of the static linear network: read from a file, or drawn and trained before the session."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from decoderd.analysis.stability import spectral_radius
from decoderd.arrays import Array, check_array, require_arrays, transposed
from decoderd.checkpoint import stored
from decoderd.config import ComponentConfig, Config, Metres, Units
from decoderd.errors import NumericalError
from decoderd.populations.linear import equations
from decoderd.populations.linear.equations import Gradients, Noise

# Updates of training between two checks of stability: eigenvalues take longer than many updates.
_UPDATES_PER_CHECK = 50

Variance = Annotated[float, Field(strict=True, ge=0, le=10)]
Dimensions = Annotated[int, Field(strict=True, ge=1, le=2000)]
FIELDS = {"input": "U", "recurrent": "W", "bias": "b"}


class Training(Config):
    """Training before the session: gradient descent on the expected loss of reaches by the network's own readout V."""

    updates: Annotated[int, Field(strict=True, ge=0, le=100_000)] = 500
    rate: Annotated[float, Field(strict=True, gt=0, le=1)] = 1e-2
    plastic: Annotated[tuple[Literal["input", "recurrent", "bias"], ...], Field(min_length=1)] = ("recurrent",)


class Patterns(Config):
    """Inputs of high dimension: a pattern of norm 1 for each target, orthogonal to the others, with noise on it."""

    dimensions: Dimensions = 200
    noise_dimensions: Dimensions = 20
    noise_var: Variance = 5e-4

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.noise_dimensions > self.dimensions:
            raise ValueError(f"noise_dimensions = {self.noise_dimensions}: at most dimensions = {self.dimensions}")
        return self


class LinearConfig(ComponentConfig):
    """A static linear network: read from `file` (.npz of an individual), or else drawn and trained."""

    kind: Literal["linear"] = "linear"
    file: Path | None = None
    units: Units = 100
    targets: Annotated[int, Field(strict=True, ge=1, le=64)] = 6
    distance_m: Metres = 0.07
    noise_var: Annotated[Variance, Field(description="variance of the private noise")] = 1e-2
    alpha: Annotated[float, Field(strict=True, ge=0, le=2, description="W ~ N(0, units^-2 alpha)")] = 0.55
    rank: Annotated[
        int | None, Field(strict=True, ge=1, description="rank of W before training; alpha is then not used")
    ] = None
    sparsity: Annotated[
        float, Field(strict=True, ge=0, lt=1, description="fraction of connections that are absent")
    ] = 0.0
    patterns: Patterns | None = None
    training: Training = Training()

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.rank is not None and self.rank > self.units:
            raise ValueError(f"rank = {self.rank}: at most units = {self.units}")
        if self.rank is not None and self.sparsity:
            raise ValueError("rank and sparsity: a matrix with absent connections has full rank; give one of them")
        if self.patterns is not None and self.patterns.dimensions < self.targets:
            raise ValueError(f"patterns.dimensions = {self.patterns.dimensions}: at least targets = {self.targets}")
        return self


@stored("populations.linear.parameters")
class Parameters(NamedTuple):
    """Arrays of an individual: N units, K targets, D inputs, m dimensions of input noise."""

    W: Array  # (N, N) recurrent weights, to row from column
    U: Array  # (N, D) input weights
    b: Array  # (N,) constant input
    V: Array  # (2, N) the readout with which it was trained, fixed
    mask: Array  # (N, N) 1 where there is a connection, else 0; fixed
    X: Array  # (D, K) the input of each target; fixed
    B: Array  # (K, D, m) factor of the input noise of each target; fixed


def load(config: LinearConfig, generator: np.random.Generator, arrays: Mapping[str, NDArray[Any]]) -> Parameters:
    """Read an individual from the arrays of a file, or draw and train one where there are none.

    A file has W, U, b and V. mask, X and B may be missing: then all connections exist, and each target has one input
    without noise. Raises ArrayError where arrays do not fit, NumericalError where the network is not stable.
    """
    if not arrays:
        drawn = _stable(_drawn(config, generator), "W: as drawn", "choose another seed or a larger alpha")
        return _trained(config, drawn)
    require_arrays(arrays, ("W", "U", "b", "V"), "a linear population")
    n, K = config.units, config.targets
    X = check_array("X", arrays["X"], (None, K)) if "X" in arrays else np.eye(K)
    D = len(X)
    given = Parameters(
        check_array("W", arrays["W"], (n, n)),
        check_array("U", arrays["U"], (n, D)),
        check_array("b", arrays["b"], (n,)),
        check_array("V", arrays["V"], (2, n)),
        check_array("mask", arrays.get("mask", np.ones((n, n))), (n, n)),
        X,
        check_array("B", arrays["B"], (K, D, None)) if np.size(arrays.get("B", ())) else np.zeros((K, D, 0)),
    )
    return _stable(given, "W", "the file's network cannot be run")


def _drawn(config: LinearConfig, generator: np.random.Generator) -> Parameters:
    """Draw an individual before training.

    With one input for each target U ~ U(-1, 1), V as published; with patterns U ~ N(0, 1/D), V ~ N(0, 1/N).
    """
    n, K = config.units, config.targets
    mask = np.ones((n, n))
    if config.rank is None:
        W = equations.recurrent(generator, n, config.alpha)
    else:
        W = generator.standard_normal((n, config.rank)) @ generator.standard_normal((config.rank, n)) / n
    if config.sparsity:
        mask = (generator.random((n, n)) >= config.sparsity) * (1 - np.eye(n))
        W = W * mask / np.sqrt(1 - config.sparsity)
    if config.patterns is None:
        U, V = generator.uniform(-1, 1, (n, K)), equations.readout(generator, n)
        return Parameters(W, U, np.zeros(n), V, mask, np.eye(K), np.zeros((K, K, 0)))
    D, m = config.patterns.dimensions, config.patterns.noise_dimensions
    U, V = generator.standard_normal((n, D)) / np.sqrt(D), generator.standard_normal((2, n)) / np.sqrt(n)
    X, _ = np.linalg.qr(generator.standard_normal((D, K)))
    B = generator.standard_normal((K, D, m)) * np.sqrt(config.patterns.noise_var / m)
    return Parameters(W, U, np.zeros(n), V, mask, X, B if config.patterns.noise_var else np.zeros((K, D, 0)))


def _trained(config: LinearConfig, parameters: Parameters) -> Parameters:
    """Train an individual. Raises NumericalError where training made it unstable."""
    with np.errstate(over="ignore", invalid="ignore"):  # an unstable network overflows before the check finds it
        return _descend(config, parameters)


def _descend(config: LinearConfig, parameters: Parameters) -> Parameters:
    K, targets = config.targets, equations.targets(config.targets).T
    shown, amounts = np.eye(K), np.full(K, 0.5 / K)
    fields = [FIELDS[part] for part in config.training.plastic]
    for update in range(1, config.training.updates + 1):
        A = equations.gain(parameters.W)
        means, Z = mean_activity(parameters, A, shown), parameters.V @ A
        error = means @ parameters.V.T - targets
        gradient = gradients(parameters, config.noise_var, A, shown, np.broadcast_to(Z, (K, *Z.shape)), error, amounts)
        changed = {name: getattr(parameters, name) - config.training.rate * getattr(gradient, name) for name in fields}
        parameters = parameters._replace(**changed)
        if update % _UPDATES_PER_CHECK == 0 or update == config.training.updates:
            where = f"W: in training, after {update} updates at rate {config.training.rate:g}"
            _stable(parameters, where, "lower training.rate")
    return parameters


def _stable(parameters: Parameters, where: str, advice: str) -> Parameters:
    reason = reject(parameters)
    if reason:
        raise NumericalError(f"{where}: {reason}; {advice}", "W")
    return parameters


def reject(parameters: Parameters) -> str:
    """The reason why this network has no steady activity; empty if it has."""
    if not all(np.isfinite(part).all() for part in (parameters.W, parameters.U, parameters.b)):
        return "weights are not finite"
    radius = spectral_radius(parameters.W)
    return f"the largest eigenvalue has size {radius:.6g}, and activity is steady only below 1" if radius >= 1 else ""


def mean_activity(parameters: Parameters, A: Array, shown: Array) -> Array:
    """Mean activity (..., B, N) in trials; `shown` (..., B, K) is 1 for the target of each trial, else 0."""
    inputs = shown @ transposed(parameters.X) @ transposed(parameters.U)
    return (parameters.b[..., np.newaxis, :] + inputs) @ transposed(A)


def noise_of(parameters: Parameters, noise_var: float, shown: Array) -> Noise:
    """The noise in trials; `shown` (..., B, K) is 1 for the target of each trial, else 0."""
    patterns = np.einsum("...bk,...kdm->...bdm", shown, parameters.B)
    return Noise(noise_var, parameters.U[..., np.newaxis, :, :] @ patterns, patterns)


def gradients(
    parameters: Parameters, noise_var: float, A: Array, shown: Array, Z: Array, error: Array, amounts: Array
) -> Gradients:
    """Gradients of the sum over trials of amounts (..., B) times the mean squared error; absent connections have 0."""
    noise, means = noise_of(parameters, noise_var, shown), mean_activity(parameters, A, shown)
    found = equations.gradients(Z, error, noise, A, means, shown @ transposed(parameters.X), amounts)
    return found._replace(W=found.W * parameters.mask)
