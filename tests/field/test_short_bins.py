"""Recordings in bins of a few milliseconds: ticks are no shorter than a session allows."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.errors import ProtocolError
from decoderd.protocol import protocol
from tests.field.recordings import fitted, reaches


def short(bin_s: float, seed: int = 1) -> dict:
    return reaches(np.repeat(np.arange(8), max(20, int(2.0 / bin_s) // 8)), units=12, seed=seed, bin_s=bin_s)


@pytest.mark.parametrize(("bin_s", "ticks"), [(0.001, 1), (0.004, 4), (0.0075, 5)])
def test_a_tick_is_no_shorter_than_1_ms(tmp_path, bin_s, ticks):
    made = fitted(tmp_path, short(bin_s))
    timing = protocol.load(made.protocol).timing
    assert (timing.bin_ticks, made.warnings) == (ticks, ())
    assert timing.bin_s == pytest.approx(bin_s, rel=1e-12)


def test_the_number_of_ticks_can_be_chosen(tmp_path):
    assert protocol.load(fitted(tmp_path, short(0.004), bin_ticks=2).protocol).timing == (0.002, 2)


def test_a_bin_below_the_shortest_tick_is_refused_with_a_remedy(tmp_path):
    with pytest.raises(ProtocolError, match="sum the counts of neighbouring bins"):
        fitted(tmp_path, {**short(0.001), "bin_s": np.array(0.0005)})


def test_a_bin_in_milliseconds_is_asked_about(tmp_path):
    with pytest.raises(ProtocolError, match="is bin_s in milliseconds"):
        fitted(tmp_path, {**reaches(), "bin_s": np.array(50.0)})
