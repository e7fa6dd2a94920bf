"""Sums of outer products against the same sums written out."""

import numpy as np
import pytest

from decoderd.populations.products import TICKS, summed


def written_out(amounts, left, right):
    """Trial by trial and tick by tick."""
    found = np.zeros((left.shape[-1], right.shape[-1]))
    for amount, of_left, of_right in zip(amounts, left, right, strict=True):
        for a, b in zip(of_left, of_right, strict=True):
            found += amount * np.outer(a, b)
    return found


@pytest.mark.parametrize("ticks", [0, 1, TICKS - 1, TICKS, TICKS + 1, 3 * TICKS - 7])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_the_sum(lead, ticks):
    draw = np.random.default_rng(ticks)
    amounts, left, right = (draw.normal(size=(*lead, 3, *shape)) for shape in ((), (ticks, 4), (ticks, 5)))
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
    """Views of arrays whose ticks come first, some left out, as a session's trial gives them."""
    draw = np.random.default_rng(0)
    left, right = (np.moveaxis(draw.normal(size=(12, 2, 3, n)), 0, -2)[..., 1:-1, :] for n in (4, 5))
    amounts = np.broadcast_to(draw.normal(size=3), (2, 3))
    found = summed(amounts, left, right)
    for place in range(2):
        np.testing.assert_allclose(found[place], written_out(amounts[place], left[place], right[place]), rtol=1e-11)
