"""The intuitive decoder of a session, and what has to be known of any: its mapping, its perturbations, its arrays.

A permutation `order` is one of the manifold's coordinates (within) or of all units (outside), see analysis.candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from numpy.typing import NDArray

from decoderd.analysis.open_loop import Mappings
from decoderd.arrays import Array
from decoderd_client.plugins import Unable
from decoderd_client.plugins.manifold import Config
from decoderd_client.plugins.manifold.gathering import Bins

Side = Literal["wmp", "omp"]
Arrays = dict[str, NDArray[Any]]


class Intuitive(NamedTuple):
    """q coordinates, N units. Activity is counts times `scale`.

    mappings(side, orders (P, .)) -> the P mappings of counts to velocities under these permutations
    arrays(side, order, part) -> what the session's decoder loads: the intuitive mapping for part 0, the permuted one
        for 1, and their blend in between
    """

    scale: Array  # (N,)
    axes: Array  # (q, N), orthonormal rows: the manifold, in activity
    mappings: Callable[[Side, Any], Mappings]
    arrays: Callable[[Side, Any, float], Arrays]


def fitted(config: Config, described: Mapping[str, Any], given: Arrays, bins: Bins, factors: int) -> Intuitive:
    """The intuitive decoder for a session, of the kind it has; `given` are the arrays of the decoder it has now.

    Raises Unable for a decoder that can hold no such mapping, and DecoderdError for what cannot be fitted.
    """
    from decoderd_client.plugins.manifold import filtered, projected

    kind = described["decoder"]["kind"]
    if kind == "linear":
        return projected.fit(given, bins, factors)
    protocol = described["protocol"]
    bin_s = described["tick_s"] * described["bin_ticks"]
    return filtered.fit(kind, protocol["decoder"]["calibration"], bins, bin_s, factors, config)


def check(described: Mapping[str, Any], given: Arrays) -> None:
    """Raise Unable unless the session's decoder can hold the mapping of a manifold."""
    kind = described["decoder"]["kind"]
    if kind in ("linear", "intrinsic_manifold"):
        return
    if kind not in ("kalman", "steady_state_kalman"):
        raise Unable(
            f"a decoder of kind {kind!r} has no manifold to be perturbed within or outside of; right are "
            "intrinsic_manifold, linear, kalman and steady_state_kalman"
        )
    if given["A"].shape != (3, 3):
        raise Unable(
            f"the {kind} decoder has a state of {len(given['A'])} entries; the mapping of a manifold needs vx vy 1 "
            '(decoder.state = "velocity")'
        )
