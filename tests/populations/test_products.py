"""Sums of outer products against the same sums written out."""

import numpy as np
import pytest

from decoderd.populations.products import ROWS, outer_sums


def written_out(amounts, left, right):
    """The sums computed tick by tick and trial by trial."""
    found = np.zeros((left.shape[-1], right.shape[-1]))
    for of_left, of_right in zip(left, right, strict=True):
        for amount, a, b in zip(amounts, of_left, of_right, strict=True):
            found += amount * np.outer(a, b)
    return found


def agree(found, amounts, left, rights, error=1e-11):
    """Check the sums against the same sums written out."""
    outer, alone = found
    for one, right in zip(outer, rights, strict=True):
        np.testing.assert_allclose(one, written_out(amounts, left, right), rtol=error, atol=error)
    ones = np.ones((*left.shape[:-1], 1))
    np.testing.assert_allclose(alone, written_out(amounts, left, ones)[:, 0], rtol=error, atol=error)


@pytest.mark.parametrize("ticks", [0, 1, ROWS // 3, ROWS // 3 + 1, ROWS - 7])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_sums_of_outer_products(lead, ticks):
    """Rows that fit into one product, fill several products, or leave a remainder."""
    draw = np.random.default_rng(ticks)
    given = [draw.normal(size=(*lead, *shape)) for shape in ((3,), (ticks, 3, 4), (ticks, 3, 5), (ticks, 3, 2))]
    before = [part.copy() for part in given]
    amounts, left, *rights = given
    outer, alone = outer_sums(amounts, left, rights)
    assert [one.shape for one in (*outer, alone)] == [(*lead, 4, 5), (*lead, 4, 2), (*lead, 4)]
    for place in np.ndindex(lead):
        found = [one[place] for one in outer], alone[place]
        agree(found, amounts[place], left[place], [right[place] for right in rights])
    for was, now in zip(before, given, strict=True):
        np.testing.assert_array_equal(was, now)


def test_sums_do_not_depend_on_memory_order():
    """Views of arrays whose ticks come first, some left out."""
    draw = np.random.default_rng(0)
    left, right = (np.moveaxis(draw.normal(size=(12, 2, 3, n)), 0, -3)[..., 1:-1, :, :] for n in (4, 5))
    amounts = np.broadcast_to(draw.normal(size=3), (2, 3))
    (outer,), alone = outer_sums(amounts, left, [right])
    for place in range(2):
        agree(([outer[place]], alone[place]), amounts[place], left[place], [right[place]])


def test_sum_of_the_left_factor_alone():
    draw = np.random.default_rng(2)
    amounts, left = draw.normal(size=3), draw.normal(size=(9, 3, 4))
    agree(outer_sums(amounts, left, []), amounts, left, [])


def test_sums_have_the_precision_of_the_left_factor():
    draw = np.random.default_rng(1)
    amounts, left, right = draw.normal(size=3), draw.normal(size=(9, 3, 4)), draw.normal(size=(9, 3, 5))
    (outer,), alone = outer_sums(amounts, left.astype(np.float32), [right.astype(np.float32)])
    assert outer.dtype == alone.dtype == np.float32
    agree(([outer], alone), amounts, left, [right], 1e-5)
