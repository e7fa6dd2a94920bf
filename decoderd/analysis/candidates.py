"""Candidate permutations of a readout within and outside the manifold, and the choice of an equally hard pair.

A permutation `order` puts number order[i] in place i. Within the manifold it permutes the M coordinates that
decoder D (2, M) reads, D C[order]; outside, the N units, D C[:, order]. P candidates are rows of an array (P, M) or
(P, N). Random numbers come from a generator that is an argument.

Sources: Sadtler et al. 2014 (the two kinds, groups of units); Payeur, Orsborn & Lajoie 2023 (whole-population
permutations, the pair of equal difficulty).
"""

from __future__ import annotations

from itertools import permutations
from math import factorial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array
from decoderd.errors import ArrayError

Orders = NDArray[np.int64]

LARGEST_LISTED = 8  # 40,320 permutations; of nine there are 362,880
MANY = 10_000


class Pair(NamedTuple):
    """Rows of the two candidates that are equally hard at first."""

    within: int
    outside: int
    aim: Array  # (K,) losses that both are nearest to


def within(dimension: int, generator: np.random.Generator, many: int = MANY, listed: int = 7) -> Orders:
    """Permutations of coordinates: all (M!, M) in lexical order for up to `listed` of them, else `many` random ones.

    Raises ArrayError for a dimension below 2 (nothing to permute) or a list of more than 8 coordinates.
    """
    if dimension < 2:
        raise ArrayError(f"dimension: {dimension}; a permutation needs at least 2 coordinates", "dimension")
    if listed > LARGEST_LISTED:
        raise ArrayError(f"listed: {listed}; at most {LARGEST_LISTED} coordinates are listed in full", "listed")
    if dimension <= listed:
        return np.array(list(permutations(range(dimension))), dtype=np.int64)
    return _different(np.arange(dimension), min(many, factorial(dimension)), generator)


def outside(units: int, generator: np.random.Generator, many: int = MANY) -> Orders:
    """`many` random permutations (P, N) of all units."""
    return outside_among(np.arange(units), units, generator, many)


def outside_among(members: Any, units: int, generator: np.random.Generator, many: int = MANY) -> Orders:
    """`many` random permutations (P, N) of some units; the others keep their places.

    Raises ArrayError unless `members` are at least 2 different units.
    """
    chosen = _members("members", members, units)
    orders = np.tile(np.arange(units), (many, 1))
    orders[:, chosen] = generator.permuted(orders[:, chosen], axis=1)
    return orders


def outside_by_groups(groups: Any, generator: np.random.Generator, many: int = MANY) -> Orders:
    """Permutations (P, N) of whole groups of units; units without a group keep their places.

    A group takes the places of another, with its units in order. Sadtler et al. 2014 permuted few groups so that there
    are as many candidates as within the manifold. Up to 7 groups all G! permutations are returned, else `many` random
    ones. `groups` (N,) is the number of each unit's group, -1 for none.

    Raises ArrayError unless groups have equal size.
    """
    of_unit = check_array("groups", groups, (None,)).astype(np.int64)
    numbers = np.unique(of_unit[of_unit >= 0])
    members = [np.flatnonzero(of_unit == g) for g in numbers]
    sizes = sorted({len(m) for m in members})
    if len(sizes) != 1:
        raise ArrayError(f"groups: have {sizes} units; must be equally large", "groups")
    moves = within(len(members), generator, many)
    orders = np.tile(np.arange(len(of_unit)), (len(moves), 1))
    table = np.array(members)
    for place, group in enumerate(table):
        orders[:, group] = table[moves[:, place]]
    return orders


def most_modulated(means: Array, number: int) -> NDArray[np.int64]:
    """The `number` units whose means (K, N) vary most over targets, in the order of units.

    Raises ArrayError if there are fewer units.
    """
    units = means.shape[1]
    if not 1 <= number <= units:
        raise ArrayError(f"number: {number} units; there are {units}", "number")
    return np.sort(np.argsort(-means.std(axis=0), kind="stable")[:number])


def check_orders(orders: Any, size: int) -> Orders:
    """Permutations (P, size), or one (size,) as a batch of one. Raises ArrayError for a row that is no permutation."""
    array = np.atleast_2d(np.asarray(orders))
    if array.ndim != 2 or array.shape[1] != size or array.dtype.kind not in "iu":
        raise ArrayError(
            f"order: has shape {np.shape(orders)} and holds {array.dtype}; a permutation of {size} holds each of "
            f"0..{size - 1} once, as whole numbers",
            "order",
        )
    wrong = np.flatnonzero((np.sort(array, axis=1) != np.arange(size)).any(axis=1))
    if len(wrong):
        raise ArrayError(
            f"order[{wrong[0]}]: must hold each of 0..{size - 1} once, not {array[wrong[0]].tolist()}", "order"
        )
    return array.astype(np.int64)


def readouts_within(decoder: Array, axes: Array, orders: Any) -> Array:
    """D C[order] for every candidate, (P, 2, N). Raises ArrayError for orders that do not permute M."""
    places = np.argsort(check_orders(orders, axes.shape[0]), axis=1)
    return np.swapaxes(decoder[:, places], 0, 1) @ axes


def readouts_outside(decoder: Array, axes: Array, orders: Any) -> Array:
    """D C[:, order] for every candidate, (P, 2, N). Raises ArrayError for orders that do not permute N."""
    return np.swapaxes((decoder @ axes)[:, check_orders(orders, axes.shape[1])], 0, 1)


def expected_losses(readouts: Array, means: Array, covariance: Array, targets: Array) -> Array:
    """Losses (P, K) of every candidate (P, 2, N) for every target: half the expected squared distance from it.

    Activity of target k has mean means[:, k] (N, K) and the covariance (N, N) all targets share; targets (2, K).
    """
    flat = readouts.reshape(-1, readouts.shape[-1])
    spread = ((flat @ covariance) * flat).sum(axis=1).reshape(len(readouts), 2).sum(axis=1)
    missed = (flat @ means).reshape(len(readouts), 2, -1) - targets
    return 0.5 * ((missed**2).sum(axis=1) + spread[:, np.newaxis])


def equally_hard(losses_within: Array, losses_outside: Array) -> Pair:
    """The pair of candidates that is nearest to the typical losses; `losses_*` (P, K) are losses for each target.

    Typical is the median over candidates of both kinds together. Of each kind the candidate nearest to it (Euclidean)
    is chosen, so that both are equally hard at first (Payeur, Orsborn & Lajoie 2023).
    """
    aim = np.median(np.concatenate([losses_within, losses_outside]), axis=0)
    near = [int(np.argmin(((losses - aim) ** 2).sum(axis=1))) for losses in (losses_within, losses_outside)]
    return Pair(near[0], near[1], aim)


def _different(items: NDArray[np.int64], many: int, generator: np.random.Generator) -> Orders:
    """`many` different random permutations of items, in the order they were drawn."""
    found = np.empty((0, len(items)), dtype=np.int64)
    while len(found) < many:
        drawn = generator.permuted(np.tile(items, (many, 1)), axis=1)
        found = np.concatenate([found, drawn])
        _, first = np.unique(found, axis=0, return_index=True)
        found = found[np.sort(first)]
    return found[:many]


def _members(name: str, value: Any, units: int) -> NDArray[np.int64]:
    chosen = np.asarray(value)
    if chosen.ndim != 1 or len(chosen) < 2 or chosen.dtype.kind not in "iu" or len(np.unique(chosen)) != len(chosen):
        raise ArrayError(f"{name}: must be at least 2 different numbers of units, not {chosen.tolist()}", name)
    if chosen.min() < 0 or chosen.max() >= units:
        raise ArrayError(f"{name}: units are 0..{units - 1}, not {int(chosen.min())}..{int(chosen.max())}", name)
    return chosen.astype(np.int64)
