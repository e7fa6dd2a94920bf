"""The contract of an intuitive decoder: its mapping, its permutations, and the arrays that carry them out.

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


class IntuitiveDecoder(NamedTuple):
    """A decoder fitted within the manifold: q coordinates of N units. Activity is counts times `scale`.

    mappings(side, orders (P, .)) -> the P mappings of counts to velocities under these permutations
    arrays(side, order, blend) -> arrays for the session's decoder: the intuitive mapping for blend 0, the permuted one
        for 1, and their mixture in between
    """

    scale: Array  # (N,)
    axes: Array  # (q, N), orthonormal rows: the manifold, in activity
    mappings: Callable[[Side, Any], Mappings]
    arrays: Callable[[Side, Any, float], Arrays]
