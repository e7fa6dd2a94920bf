"""Sums of outer products against the same sums written out."""

import numpy as np
import pytest

from decoderd.populations.products import ROWS, summed


def written_out(amounts, left, right):
    """Tick by tick and trial by trial."""
    found = np.zeros((left.shape[-1], right.shape[-1]))
    for of_left, of_right in zip(left, right, strict=True):
        for amount, a, b in zip(amounts, of_left, of_right, strict=True):
            found += amount * np.outer(a, b)
    return found


@pytest.mark.parametrize("ticks", [0, 1, ROWS // 3, ROWS // 3 + 1, ROWS - 7])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_the_sum(lead, ticks):
    draw = np.random.default_rng(ticks)
    amounts, left, right = (draw.normal(size=(*lead, *shape)) for shape in ((3,), (ticks, 3, 4), (ticks, 3, 5)))
    given = [part.copy() for part in (amounts, left, right)]
    found = summed(amounts, left, right)
    assert found.shape == (*lead, 4, 5)
    for place in np.ndindex(lead):
        np.testing.assert_allclose(
            found[place], written_out(amounts[place], left[place], right[place]), rtol=1e-11, atol=1e-11
        )
    for before, after in zip(given, (amounts, left, right), strict=True):
        np.testing.assert_array_equal(before, after)


def test_however_the_arrays_lie_in_memory():
    """Views of arrays whose ticks come first, some left out."""
    draw = np.random.default_rng(0)
    left, right = (np.moveaxis(draw.normal(size=(12, 2, 3, n)), 0, -3)[..., 1:-1, :, :] for n in (4, 5))
    amounts = np.broadcast_to(draw.normal(size=3), (2, 3))
    found = summed(amounts, left, right)
    for place in range(2):
        np.testing.assert_allclose(found[place], written_out(amounts[place], left[place], right[place]), rtol=1e-11)


def test_in_the_precision_of_what_is_multiplied():
    draw = np.random.default_rng(1)
    amounts, left, right = draw.normal(size=3), draw.normal(size=(9, 3, 4)), draw.normal(size=(9, 3, 5))
    found = summed(amounts, left.astype(np.float32), right.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, written_out(amounts, left, right), rtol=0, atol=1e-5)
