"""The intuitive decoder of a session with a linear decoder: the best readout of the manifold's coordinates.

    D = V R C' (C R C')^-1        within: D C[order]        outside: D C[:, order]

V is the session's readout M2, C the leading principal components, R the second moment of counts (Payeur, Orsborn &
Lajoie 2023). Counts are taken about the decoder's `count_mean`, so that a permutation adds no drift; about 0, as they
are, the equations are those of the publication.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from decoderd.analysis import candidates, manifolds
from decoderd.analysis.open_loop import Mappings
from decoderd.arrays import Array
from decoderd_plugins.manifold.intuitive_decoder import Arrays, IntuitiveDecoder, Side
from decoderd_plugins.manifold.trials import Bins


class LinearFit(NamedTuple):
    """A fitted readout of coordinates."""

    given: Arrays  # of the session's decoder
    decoder: Array  # (2, q) D
    axes: Array  # (q, N) C
    about: Array  # (N,) counts whose velocity no permutation changes


def fit(given: Arrays, bins: Bins, factors: int, centred: bool = True) -> IntuitiveDecoder:
    """Fit D and C. Raises ArrayError for fewer bins than units, NumericalError for activity of too low a rank."""
    axes = manifolds.principal(manifolds.covariance_of(bins.counts), factors)
    about = given["count_mean"] if centred else np.zeros(axes.shape[1])
    centred_counts = bins.counts - about
    moment = centred_counts.T @ centred_counts / len(centred_counts)
    found = LinearFit(given, manifolds.decoder_within(axes, given["M2"], moment), axes, about)
    return IntuitiveDecoder(
        np.ones(axes.shape[1]),
        axes,
        lambda side, orders: mappings(found, side, orders),
        lambda side, order, blend: arrays(found, side, order, blend),
    )


def mappings(found: LinearFit, side: Side, orders: Any) -> Mappings:
    """Mappings of single bins to velocities, from rest. Raises ArrayError for an order that is no permutation."""
    read = candidates.readouts_within if side == "wmp" else candidates.readouts_outside
    weights = read(found.decoder, found.axes, orders)
    return Mappings(weights, _constant(found, weights))


def arrays(found: LinearFit, side: Side, order: Any, blend: float) -> Arrays:
    """Arrays of the session's decoder with M2 and m0 of a blend of intuitive (0) and permuted (1) mapping."""
    plain = mappings(found, "wmp", np.arange(len(found.axes)))
    permuted = mappings(found, side, order)
    M2, m0 = ((1 - blend) * a[0] + blend * b[0] for a, b in zip(plain, permuted, strict=True))
    return {**found.given, "M2": M2, "m0": m0}


def _constant(found: LinearFit, weights: Array) -> Array:
    """(P, 2) constants with which the counts `about` decode as in the session's own decoder."""
    return found.given["m0"] + (found.given["M2"] - weights) @ found.about
