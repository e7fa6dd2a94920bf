"""Small whole numbers, most of them 0, as few bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from decoderd.recording import packed_counts

SMALL = st.integers(0, packed_counts.LARGEST)


def unpacked(numbers):
    return packed_counts.unpack(packed_counts.pack(numbers), *numbers.shape)


@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=SMALL))
def test_numbers_come_back(numbers):
    assert np.array_equal(unpacked(numbers), numbers)


@given(st.lists(st.integers(0, 1200), min_size=1, max_size=4), st.booleans())
def test_numbers_far_apart_come_back(gaps, last):
    """Gaps of more than a byte, at its limits too."""
    column = np.concatenate([[0] * gap + [1] for gap in gaps] + [[int(last)]]).astype(np.uint8)
    for numbers in (column[:, None], column[None]):
        assert np.array_equal(unpacked(numbers), numbers)


@pytest.mark.parametrize("gap", [253, 254, 255, 256, 510, 511])
def test_gaps_at_the_limits_of_a_byte(gap):
    numbers = np.zeros((gap + 2, 1), np.uint8)
    numbers[gap] = 3
    assert np.array_equal(unpacked(numbers), numbers)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.2, 2.0])
def test_poisson_counts_take_little_more_than_their_information(rate):
    numbers = np.random.default_rng(1).poisson(rate, (1000, 100)).astype(np.uint8)
    part = np.bincount(numbers.ravel()) / numbers.size
    bits = -sum(share * np.log2(share) for share in part if share)
    size = sum(map(len, packed_counts.pack(numbers)))
    assert 0.98 * bits * numbers.size / 8 < size < 1.12 * bits * numbers.size / 8


def test_streams_of_another_shape_are_refused():
    streams = packed_counts.pack(np.eye(9, dtype=np.uint8))
    with pytest.raises((ValueError, IndexError)):
        packed_counts.unpack(streams, 2, 9)
