"""Decoder bins of exported NWB files: their targets against a plain loop, invalid times, and which series is taken."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from decoderd.twin import nwb_bins
from decoderd.twin.nwb_bins import Bins


def test_targets_are_those_of_the_reach_around_the_bin():
    draw = np.random.default_rng(1)
    begin = nwb_bins.beginnings(200, 20.0)
    edges = np.sort(draw.choice(np.arange(1, 1000), 20, replace=False)) * 0.01
    start, stop, index = edges[::2], edges[1::2], draw.integers(0, 4, 10)
    shuffled = draw.permutation(10)
    found = nwb_bins.targets(begin, 0.05, start[shuffled], stop[shuffled], index[shuffled])
    for first, target in zip(begin, found, strict=True):
        around = [k for k in range(10) if start[k] <= first + 1e-9 and first + 0.05 <= stop[k] + 1e-9]
        assert target == (index[around[0]] if around else -1)
    assert len(set(found)) > 2


def test_bins_that_touch_invalid_times_are_missing():
    bins = Bins(np.ones((4, 2), dtype=np.uint32), 10.0)
    assert np.isnan(nwb_bins.known(bins, np.array([[0.12, 0.2]]))).tolist() == [[k == 1] * 2 for k in range(4)]
    assert nwb_bins.known(bins, np.empty((0, 2))).tolist() == bins.counts.tolist()


@pytest.mark.parametrize("bin_s", [0.05, 0.045, 0.1, 0.003])
def test_the_length_of_a_bin_is_not_rounded(bin_s):
    assert nwb_bins.length(1 / bin_s) == bin_s


def file_with(**fields):
    series = SimpleNamespace(**{"data": np.ones((3, 2)), "rate": 20.0, "starting_time": 0.0, **fields})
    return SimpleNamespace(processing={"ecephys": SimpleNamespace(data_interfaces={"spike_counts": series})})


def test_bins_of_a_file_are_regular_from_its_beginning():
    found = nwb_bins.of_file(file_with())
    assert (found.bin_s, found.begin.tolist()) == (0.05, [0.0, 0.05, 0.1])
    for other in ({"rate": None}, {"starting_time": 1.0}, {"data": np.ones(3)}):
        assert nwb_bins.of_file(file_with(**other)) is None
    assert nwb_bins.of_file(SimpleNamespace(processing={})) is None
