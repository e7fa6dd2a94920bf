"""Compares readout units with units that were recorded and not used by the decoder (Rajeswaran et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from decoderd.analysis.neuron_adding import Score
from decoderd.arrays import Array
from decoderd.errors import ArrayError


class Groups(NamedTuple):
    """Scores (R,) of groups of units."""

    readouts: Array
    nonreadouts: Array
    matched: Array  # mean of random sets of nonreadouts of the size of the readouts; all nonreadouts, if they are fewer
    everything: Array


def nonreadouts(readouts: Sequence[int], units: int) -> tuple[int, ...]:
    """The units that are no readouts. Raises ArrayError if a readout is none of the `units`, or occurs twice."""
    chosen = set(readouts)
    if not chosen or len(chosen) < len(readouts) or not chosen <= set(range(units)):
        raise ArrayError(f"readouts {list(readouts)}: must be different units from 0 to {units - 1}", "readouts")
    return tuple(unit for unit in range(units) if unit not in chosen)


def compare(
    score: Score, readouts: Sequence[int], units: int, generator: np.random.Generator, sets: int = 10
) -> Groups:
    """Scores of readouts and nonreadouts. Raises ArrayError if all units are readouts.

    Larger sets score higher, and nonreadouts are usually more: `matched` is the mean over random `sets` of the size of
    the readouts.
    """
    others = nonreadouts(readouts, units)
    if not others:
        raise ArrayError("readouts: all units are readouts; there are no others to compare them with", "readouts")
    size = min(len(readouts), len(others))
    if size == len(others):
        matched = score(others)
    else:
        drawn = [generator.choice(others, size, replace=False).tolist() for _ in range(sets)]
        matched = np.mean([score(one) for one in drawn], axis=0)
    return Groups(score(tuple(readouts)), score(others), matched, score(range(units)))
