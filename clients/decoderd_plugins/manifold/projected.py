"""A linear decoder within the manifold: the coordinates of activity decoded as the session's own readout would.

    D = V R C' (C R C')^-1        within: D C[order]        outside: D C[:, order]

V is the session's readout M2, C the leading principal components, R the second moment of counts (Payeur, Orsborn &
Lajoie 2023). Counts are taken about the decoder's `count_mean`, which decodes as before: a permutation brings no drift
of its own. Taken as they are, about 0, they are those of the publication.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from decoderd.analysis import candidates, manifolds
from decoderd.analysis.open_loop import Mappings
from decoderd.arrays import Array
from decoderd_plugins.manifold.gathering import Bins
from decoderd_plugins.manifold.intuitive import Arrays, Intuitive, Side


class Projected(NamedTuple):
    """The fit."""

    given: Arrays  # of the session's decoder
    decoder: Array  # (2, q) D
    axes: Array  # (q, N) C
    about: Array  # (N,) counts that decode as before


def fit(given: Arrays, bins: Bins, factors: int, centred: bool = True) -> Intuitive:
    """D and C. Raises ArrayError for fewer bins than units, NumericalError for activity of too low a rank."""
    axes = manifolds.principal(manifolds.covariance_of(bins.counts), factors)
    about = given["count_mean"] if centred else np.zeros(axes.shape[1])
    away = bins.counts - about
    moment = away.T @ away / len(away)
    found = Projected(given, manifolds.decoder_within(axes, given["M2"], moment), axes, about)
    return Intuitive(
        np.ones(axes.shape[1]),
        axes,
        lambda side, orders: mappings(found, side, orders),
        lambda side, order, part: arrays(found, side, order, part),
    )


def mappings(found: Projected, side: Side, orders: Any) -> Mappings:
    """Steps of single bins, from rest. Raises ArrayError for an order that is no permutation."""
    read = candidates.readouts_within if side == "wmp" else candidates.readouts_outside
    weights = read(found.decoder, found.axes, orders)
    return Mappings(weights, _constant(found, weights))


def arrays(found: Projected, side: Side, order: Any, part: float) -> Arrays:
    """The session's decoder with another M2 and m0."""
    plain = mappings(found, "wmp", np.arange(len(found.axes)))
    permuted = mappings(found, side, order)
    M2, m0 = ((1 - part) * a[0] + part * b[0] for a, b in zip(plain, permuted, strict=True))
    return {**found.given, "M2": M2, "m0": m0}


def _constant(found: Projected, weights: Array) -> Array:
    """(P, 2): such that `about` decodes as it did."""
    return found.given["m0"] + (found.given["M2"] - weights) @ found.about
