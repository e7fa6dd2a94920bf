"""Whether arrays that were not to learn are the same to the bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from decoderd.arrays import Array


def changed(before: Mapping[str, Array], after: Mapping[str, Array], plastic: Sequence[str]) -> int:
    """Entries of the arrays in single precision that are not plastic and whose bits differ."""
    fixed = [name for name in before if name not in plastic]
    return sum(int(np.count_nonzero(before[name].view("u4") != after[name].view("u4"))) for name in fixed)
