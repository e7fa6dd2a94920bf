"""The intrinsic-manifold decoder: a Kalman filter of the factors of counts (Sadtler et al. 2014; Golub et al. 2018).

Counts are z-scored, reduced to factors, scaled, perhaps permuted, and filtered:

    f = beta diag(count_scale) (u - count_mean)             beta = L' (L L' + Psi)^-1
    z = eta diag(factor_scale) (f - factor_mean)            eta a permutation
    v_t = A v_{t-1} + b + w,  w ~ N(0, Q)                   z_t = C v_t + d + q,  q ~ N(0, R)

In steady state, with gain K, that is v_t = M1 v_{t-1} + M2 u_t + m0:

    M1 = A - K C A      M2 = K eta diag(factor_scale) beta diag(count_scale)
    m0 = (I - K C) b - K d - M2 count_mean - K eta diag(factor_scale) factor_mean
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array, require_arrays
from decoderd.checkpoint import stored
from decoderd.decoders import (
    AffineStep,
    Calibration,
    CalibrationData,
    Decoder,
    DecoderConfig,
    FileLayout,
    Observing,
    SideBySide,
    fitting,
    gaussian,
    layout,
    linear,
    unchanged,
)
from decoderd.errors import ArrayError, NumericalError
from decoderd.state import Observation

FILTER = ("kf_A", "kf_b", "kf_Q", "kf_C", "kf_d", "kf_R")
FACTORS = ("count_mean", "count_scale", "fa_loadings", "fa_private_var", "factor_scale")


class IntrinsicManifoldConfig(DecoderConfig):
    """Without a file, it is fitted to the calibration: a factor analysis, then a Kalman filter of the factors."""

    kind: Literal["intrinsic_manifold"] = "intrinsic_manifold"


@stored("decoders.intrinsic_manifold.parameters")
class Parameters(NamedTuple):
    """The arrays of the file (q factors, N units), and the mapping computed from them."""

    given: dict[str, NDArray[Any]]
    posterior: Array  # (q, N) beta
    K: Array  # (2, q) steady-state gain
    mapping: linear.Parameters


def posterior(loadings: Array, private_var: Array) -> Array:
    """beta = L' (L L' + Psi)^-1 (q x N), by Woodbury as (I + L' Psi^-1 L)^-1 L' Psi^-1, which inverts only q x q."""
    weighted = loadings.T / private_var
    return np.linalg.solve(np.eye(loadings.shape[1]) + weighted @ loadings, weighted)


def load(arrays: Mapping[str, NDArray[Any]]) -> Parameters:
    """Filter and factor-analysis arrays (`FILTER`, `FACTORS`), optional factor_mean, permutation (q), unit_turn (N).

    eta[i, permutation[i]] = 1; the contribution of unit i to the velocity is rotated by unit_turn[i] rad. M1, M2, m0,
    kf_K and fa_posterior are computed, not read. Raises ArrayError or NumericalError naming the array.
    """
    require_arrays(arrays, FILTER + FACTORS, "an intrinsic-manifold decoder")
    loadings = check_array("fa_loadings", arrays["fa_loadings"], (None, None))
    n, q = loadings.shape
    vectors = {name: check_array(name, arrays[name], (n,)) for name in ("count_mean", "count_scale", "fa_private_var")}
    if (vectors["fa_private_var"] <= 0).any():
        i = int(np.argmin(vectors["fa_private_var"]))
        raise NumericalError(
            f"fa_private_var[{i}] = {vectors['fa_private_var'][i]:g}: private variances must be above 0",
            "fa_private_var",
        )
    given: dict[str, NDArray[Any]] = {
        "fa_loadings": loadings,
        **vectors,
        "factor_scale": check_array("factor_scale", arrays["factor_scale"], (q,)),
        "factor_mean": check_array("factor_mean", arrays.get("factor_mean", np.zeros(q)), (q,)),
        "kf_A": check_array("kf_A", arrays["kf_A"], (2, 2)),
        "kf_b": check_array("kf_b", arrays["kf_b"], (2,)),
        "kf_Q": gaussian.covariance("kf_Q", arrays["kf_Q"], 2),
        "kf_C": check_array("kf_C", arrays["kf_C"], (q, 2)),
        "kf_d": check_array("kf_d", arrays["kf_d"], (q,)),
        "kf_R": check_array("kf_R", arrays["kf_R"], (q, q)),
        "permutation": _permutation(arrays.get("permutation", np.arange(q)), q),
        "unit_turn": check_array("unit_turn", arrays.get("unit_turn", np.zeros(n)), (n,)),
    }
    return _mapped(given)


def _permutation(value: Any, q: int) -> NDArray[np.int64]:
    order = check_array("permutation", value, (q,))
    if not np.array_equal(np.sort(order), np.arange(q)):
        raise ArrayError(f"permutation: must hold each of 0..{q - 1} once, not {order.tolist()}", "permutation")
    return order.astype(np.int64)


def _mapped(given: dict[str, NDArray[Any]]) -> Parameters:
    R, factor = gaussian.factorised("kf_R", given["kf_R"], len(given["kf_d"]))
    A, C = given["kf_A"], given["kf_C"]
    CtRinv = gaussian.solve_with(factor, C).T
    P = gaussian.steady_covariance(A, given["kf_Q"], gaussian.symmetric(CtRinv @ C))
    K = P @ CtRinv
    beta = posterior(given["fa_loadings"], given["fa_private_var"])
    through = K[:, np.argsort(given["permutation"])] * given["factor_scale"]  # K eta diag(factor_scale)
    M2 = linear.rotated(through @ beta, given["unit_turn"]) * given["count_scale"]
    m0 = (
        (np.eye(2) - K @ C) @ given["kf_b"]
        - K @ given["kf_d"]
        - M2 @ given["count_mean"]
        - through @ given["factor_mean"]
    )
    mapping = linear.Parameters(A - K @ C @ A, M2, m0, given["count_mean"], np.eye(2))
    return Parameters({**given, "kf_R": R}, beta, K, mapping)


def arrays(parameters: Parameters) -> dict[str, NDArray[Any]]:
    """The arrays `load` reads."""
    return dict(parameters.given)


def units(parameters: Parameters) -> int:
    """N, the number of units."""
    return parameters.posterior.shape[1]


def factors(parameters: Parameters) -> int:
    """q, the number of factors."""
    return len(parameters.posterior)


def init(parameters: Parameters, batch: int) -> Array:
    """(batch, 2): at rest."""
    return linear.init(parameters.mapping, batch)


def step(parameters: Parameters, v: Array, counts: Array, position: Array | None) -> tuple[Array, Any]:
    """One bin of v_t = M1 v_{t-1} + M2 u_t + m0."""
    return linear.step(parameters.mapping, v, counts, position)


def mapping(parameters: Parameters, v: Array) -> AffineStep:
    """The step as an affine map: M1, M2 and m0."""
    return linear.linear(parameters.mapping, v)


def start(parameters: Parameters, v: Array, initial: NDArray[Any]) -> Array:
    """Begin from velocity `initial` (2,)."""
    return linear.start(parameters.mapping, v, initial)


def fit(data: CalibrationData, calibration: Calibration, config: Any) -> dict[str, NDArray[Any]]:
    """Factor analysis of the counts, then a Kalman filter on the factors; see `fitting.intrinsic_manifold`."""
    return fitting.intrinsic_manifold(data, calibration)


def rotate(parameters: Parameters, angle: float, units: Any) -> Parameters:
    """Rotate the contribution of these units to the velocity."""
    turn = parameters.given["unit_turn"].copy()
    turn[units] += angle
    return _mapped({**parameters.given, "unit_turn": turn})


def permute_units(parameters: Parameters, order: NDArray[Any]) -> Parameters:
    """Outside the manifold: z-scored unit order[i] takes the place of unit i before the factor analysis."""
    place = np.argsort(order)
    moved = {name: parameters.given[name][place] for name in ("fa_loadings", "fa_private_var", "unit_turn")}
    return _mapped({**parameters.given, **moved})


def permute_factors(parameters: Parameters, order: NDArray[Any]) -> Parameters:
    """Within the manifold: factor order[i] takes the place of factor i before the filter."""
    return _mapped({**parameters.given, "permutation": np.asarray(order)[parameters.given["permutation"]]})


def partial(parameters: Parameters, units: NDArray[Any]) -> Parameters:
    """For a bin in which these units alone were recorded: they give the factors; without any, A and b predict.

    This is as if each missing unit had the count that the factor analysis expects from the others.
    """
    given = parameters.given
    if not len(units):
        mapping = linear.Parameters(given["kf_A"], np.zeros((2, 0)), given["kf_b"], np.zeros(0), np.eye(2))
        return parameters._replace(mapping=mapping)
    return _mapped({name: array[units] if LAYOUT.axes[name][0] == "unit" else array for name, array in given.items()})


def observation(parameters: Parameters) -> Observation:
    """The observation model of the factors: C with d as the column of the constant (q, 3), and R."""
    given = parameters.given
    return Observation(np.column_stack([given["kf_C"], given["kf_d"]]), given["kf_R"])


def rows(parameters: Parameters, counts: Array, position: Array, velocity: Array) -> tuple[Array, Array]:
    """States vx vy 1 (T, 3) and factors z (T, q)."""
    given = parameters.given
    scored = (counts - given["count_mean"]) * given["count_scale"]
    f = (scored[:, np.newaxis] @ parameters.posterior.T)[:, 0]  # row by row: of several, BLAS adds in another order
    z = ((f - given["factor_mean"]) * given["factor_scale"])[:, given["permutation"]]
    return layout.states(3, position, velocity), z


def with_observation(parameters: Parameters, new: Observation) -> Parameters:
    """The same factors with another C, d and R. Raises NumericalError for an R that is singular or no covariance."""
    given = {**parameters.given, "kf_C": new.C[:, :2], "kf_d": new.C[:, 2]}
    return load({**given, "kf_R": new.Q})


def memory(config: Any, units: int, bins: int) -> int:
    """The counts as its factor analysis decomposes them; its own arrays are small."""
    return 8 * units * (6 * bins + 20 * config.calibration.factors)


LAYOUT = FileLayout(
    {
        "fa_loadings": ("unit", "factor"),
        "fa_private_var": ("unit",),
        "count_mean": ("unit",),
        "count_scale": ("unit",),
        "unit_turn": ("unit",),
        "factor_scale": ("factor",),
        "factor_mean": ("factor",),
        "permutation": ("factor",),
        "kf_A": ("state", "per_state"),
        "kf_b": ("state",),
        "kf_Q": ("state", "state"),
        "kf_C": ("factor", "per_state"),
        "kf_d": ("factor",),
        "kf_R": ("factor", "factor"),
    },
    dynamics=("kf_A", "kf_Q"),
    observation=("fa_loadings", "fa_private_var"),
)

INTRINSIC_MANIFOLD = Decoder(
    IntrinsicManifoldConfig,
    load,
    arrays,
    units,
    init,
    step,
    linear.row,
    start,
    fit,
    rotate,
    permute_units,
    permute_factors,
    factors,
    linear=mapping,
    observing=Observing(observation, rows, with_observation),
    memory=memory,
    layout=LAYOUT,
    partial=partial,
    side_by_side=SideBySide(lambda parameters: linear.of_step(parameters.mapping), unchanged, unchanged, linear.step),
    approximation="missing units have the count that the others let expect, and the next bins no more weight",
)
