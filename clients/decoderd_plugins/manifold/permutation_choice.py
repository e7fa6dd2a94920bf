"""Chooses the permutations of a manifold experiment: a pair within and outside the manifold that is equally hard.

Candidates are judged by what the calibration's activity would do through them. The same pair is chosen for both
kinds of experiment, so that a session with the other kind starts equally hard.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.analysis import candidates, open_loop
from decoderd.analysis.candidates import Orders
from decoderd.analysis.open_loop import Calibration, Mappings, Prediction
from decoderd.arrays import Array
from decoderd.errors import ArrayError
from decoderd_client.plugins import Unable
from decoderd_plugins.manifold import Config
from decoderd_plugins.manifold.intuitive_decoder import IntuitiveDecoder, Side

SIDES: tuple[Side, Side] = ("wmp", "omp")
# Candidates whose predictions are computed at a time: of 100 units and 8 targets about 10 MB an array.
AT_ONCE = 1000


class Candidates(NamedTuple):
    """P candidate permutations of one kind, and which of them is chosen."""

    orders: Orders  # (P, q) or (P, N)
    predicted: Prediction
    allowed: NDArray[np.bool_]  # (P,) within the limits that were given
    chosen: int


class PermutationChoice(NamedTuple):
    """Candidates of both kinds with the chosen pair, and the intuitive mapping to compare them with."""

    intuitive: Mappings  # P = 1
    progress: Array  # (K,) of the intuitive mapping
    of: dict[Side, Candidates]

    def order(self, side: Side) -> NDArray[np.int64]:
        """The chosen permutation of a kind."""
        found = self.of[side]
        order: NDArray[np.int64] = found.orders[found.chosen]
        return order


def choose_permutations(intuitive: IntuitiveDecoder, calibration: Calibration, config: Config) -> PermutationChoice:
    """Choose the pair of permutations. Depends on the arguments alone.

    Raises ArrayError for an order that is no permutation, Unable if no candidate is within the limits of `config`.
    """
    dimension, units = intuitive.axes.shape
    plain = intuitive.mappings("wmp", np.arange(dimension))
    orders: dict[Side, Orders] = {
        "wmp": candidates.within(dimension, _generator(config, 0), config.candidates, config.listed),
        "omp": _outside(calibration, units, config),
    }
    if config.order is not None:
        size = dimension if config.kind == "wmp" else units
        orders[config.kind] = candidates.check_orders(np.array(config.order), size)
    predicted = {side: _predict(intuitive, side, orders[side], plain, calibration) for side in SIDES}
    allowed = {side: _allowed(predicted[side], config) for side in SIDES}
    if config.order is not None:
        allowed[config.kind][:] = True
    for side in SIDES:
        if not allowed[side].any():
            raise Unable(
                f"none of {len(orders[side])} candidates ({side}) is within direction_change_deg and angle_deg"
            )
    pair = candidates.equally_hard(*(-predicted[side].progress[allowed[side]] for side in SIDES))
    chosen = {side: int(np.flatnonzero(allowed[side])[at]) for side, at in zip(SIDES, pair[:2], strict=True)}
    return PermutationChoice(
        plain,
        open_loop.progress(plain, calibration)[0],
        {side: Candidates(orders[side], predicted[side], allowed[side], chosen[side]) for side in SIDES},
    )


def _generator(config: Config, stream: int) -> np.random.Generator:
    return np.random.default_rng([config.seed, stream])


def _outside(calibration: Calibration, units: int, config: Config) -> Orders:
    draw, members = _generator(config, 1), np.arange(units)
    if config.modulated is not None:
        targets = range(int(calibration.target.max()) + 1)
        means = np.array([calibration.counts[calibration.target == k].mean(axis=0) for k in targets])
        members = candidates.most_modulated(means, config.modulated)
    if config.groups is None:
        return candidates.outside_among(members, units, draw, config.candidates)
    size = len(members) // config.groups
    if not size:
        raise ArrayError(f"groups = {config.groups}: must be at most the number of units, {len(members)}", "groups")
    groups = np.full(units, -1)
    groups[draw.permutation(members)[: size * config.groups]] = np.repeat(np.arange(config.groups), size)
    return candidates.outside_by_groups(groups, draw, config.candidates)


def _predict(
    intuitive: IntuitiveDecoder, side: Side, orders: Orders, plain: Mappings, calibration: Calibration
) -> Prediction:
    parts: list[Any] = [
        open_loop.predict(intuitive.mappings(side, orders[begin : begin + AT_ONCE]), plain, calibration)
        for begin in range(0, len(orders), AT_ONCE)
    ]
    return Prediction(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _allowed(predicted: Prediction, config: Config) -> NDArray[np.bool_]:
    allowed = np.ones(len(predicted.progress), dtype=bool)
    limited = (
        (predicted.direction_change, config.direction_change_deg),
        (predicted.angles[:, 0], config.angle_deg),
    )
    for values, limits in limited:
        if limits is not None:
            low, high = np.radians(limits)
            allowed &= (values >= low) & (values <= high)
    return allowed
