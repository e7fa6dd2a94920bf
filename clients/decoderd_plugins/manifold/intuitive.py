"""The intuitive decoder of a session, and what has to be known of any: its mapping, its perturbations, its arrays.

A permutation `order` is one of the manifold's coordinates (within) or of all units (outside), see analysis.candidates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from numpy.typing import NDArray

from decoderd.analysis.open_loop import Mappings
from decoderd.arrays import Array

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
