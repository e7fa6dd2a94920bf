"""Rates in Hz in the place of counts are refused, also where they are whole numbers."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.errors import ArrayError
from tests.field.recordings import fitted, reaches


@pytest.mark.parametrize("bin_s", [0.02, 0.045, 0.05, 0.1])
def test_rates_are_refused_and_counts_are_not(tmp_path, bin_s):
    counts = reaches(bin_s=bin_s)
    assert fitted(tmp_path / "a", counts).warnings == ()
    with pytest.raises(ArrayError, match=f"multiples of 1 / bin_s = {1 / bin_s:.4g}: these look like rates") as refused:
        fitted(tmp_path / "b", {**counts, "counts": counts["counts"] / bin_s})
    assert refused.value.field == "counts"


def test_other_fractions_are_refused_as_no_counts(tmp_path):
    arrays = reaches()
    with pytest.raises(ArrayError, match="must be whole numbers from 0"):
        fitted(tmp_path, {**arrays, "counts": np.sqrt(arrays["counts"])})
