"""Columns of real numbers as few bytes, back to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from decoderd.recording import packed_numbers

ODD = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, 1e-310, 1e308, 0.01, 0.02, 0.03]
SHAPES = st.tuples(st.integers(1, 8), st.integers(1, 60))


def unpacked(numbers):
    bits = np.ascontiguousarray(numbers, dtype=np.float64).view(np.int64)
    return packed_numbers.unpack(packed_numbers.pack(bits), bits.shape[1], bits.shape[0]), bits


def size(*columns):
    """Bytes that columns take."""
    _, _, mask, planes = packed_numbers.pack(np.array(columns, dtype=np.float64).view(np.int64))
    return len(mask) + len(planes)


@given(arrays(np.float64, SHAPES, elements=st.sampled_from(ODD)) | arrays(np.float64, SHAPES, elements=st.floats()))
def test_numbers_come_back_to_the_bit(numbers):
    found, bits = unpacked(numbers)
    assert np.array_equal(found, bits)


def walk(velocity, step, begins=()):
    """Positions, one after the other as a cursor moves; at `begins` it is put at its row / 1000."""
    place, found = 0.0, []
    for row, moved in enumerate(velocity.tolist()):
        place = row / 1000 if row in begins else place + step * moved
        found.append(place)
    return found


@pytest.mark.parametrize("step", [0.01, 0.001, 1 / 60])
def test_positions_that_follow_from_velocities_take_nothing(step):
    velocity = np.random.default_rng(1).normal(0, 0.1, (2, 1000))
    places = [walk(one, step, {100, 437, 438}) for one in velocity]
    found, bits = unpacked([*places, *velocity])
    assert np.array_equal(found, bits)
    alone = size(*velocity)
    assert alone > 1.7 * 7 * 1000
    assert size(*places, *velocity) < 1.01 * alone + 80
    assert size(*places, *velocity[::-1]) > 1.5 * alone


def test_positions_that_follow_but_for_rounding_take_little():
    """Those of a cursor that is seen turned."""
    velocity = np.random.default_rng(2).normal(0, 0.1, (2, 1000))
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    places = turn @ [walk(one, 0.01) for one in velocity]
    seen = turn @ velocity
    found, bits = unpacked([*places, *seen])
    assert np.array_equal(found, bits)
    assert size(*places, *seen) < 1.25 * size(*seen)


def test_a_column_that_is_there_already_takes_nothing():
    noise = np.random.default_rng(3).normal(size=1000)
    assert size(noise, noise) < size(noise) + 40


def test_numbers_that_stay_take_nothing():
    assert size(np.full(1000, 0.07), np.full(1000, -1 / 3)) < 100


def test_a_sum_that_is_not_finite_is_none():
    """Its rounding could depend on the machine."""
    velocity = np.full(100, 1e300)
    places = np.cumsum(0.01 * velocity)
    velocity[50], places[51:] = np.inf, np.inf
    found, bits = unpacked([places, places + 1, velocity, velocity])
    assert np.array_equal(found, bits)
    sums, *_ = packed_numbers.pack(bits)
    assert sums == []
