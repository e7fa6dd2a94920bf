"""Readouts against the units beside them."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.analysis import readouts
from decoderd.errors import ArrayError


def test_groups_of_units_are_scored():
    def score(units):
        return np.array([float(len(units)), float(min(units))])

    found = readouts.compare(score, [4, 0], 7, np.random.default_rng(1), sets=30)
    assert found.readouts.tolist() == [2.0, 0.0]
    assert found.nonreadouts.tolist() == [5.0, 1.0]
    assert found.everything.tolist() == [7.0, 0.0]
    assert found.matched[0] == 2.0
    # the mean of the smaller of two different ones of 1, 2, 3, 5, 6
    assert found.matched[1] == pytest.approx(np.mean([1] * 4 + [2] * 3 + [3] * 2 + [5]), abs=0.7)


def test_fewer_nonreadouts_than_readouts_are_taken_whole():
    found = readouts.compare(lambda units: np.array([float(len(units))]), [0, 1, 2], 4, np.random.default_rng(1))
    assert found.matched == found.nonreadouts == 1.0


@pytest.mark.parametrize("chosen", [[], [0, 0], [5], [-1]])
def test_impossible_readouts_are_refused(chosen):
    with pytest.raises(ArrayError, match="different units from 0 to 4"):
        readouts.nonreadouts(chosen, 5)


def test_readouts_of_all_units_are_refused():
    with pytest.raises(ArrayError, match="all units are readouts"):
        readouts.compare(lambda units: np.zeros(1), [0, 1], 2, np.random.default_rng(1))
