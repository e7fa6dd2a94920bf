"""Rows come out in their order, in whole blocks, however they were given."""

import numpy as np
import pytest

from decoderd.updaters import waiting
from decoderd.updaters.waiting import BLOCK


@pytest.mark.parametrize("lengths", [[1] * 200, [200], [BLOCK] * 3, [BLOCK - 1, 1, BLOCK + 1, 5], [0, 3, 0]])
def test_blocks_and_rest_are_the_rows_in_order(lengths):
    total = sum(lengths)
    x, y = np.arange(3.0 * total).reshape(total, 3), -np.arange(5.0 * total).reshape(total, 5)
    rows, blocks, first = waiting.none(3, 5), [], 0
    for length in lengths:
        whole, rows = waiting.followed(rows, x[first : first + length], y[first : first + length])
        blocks, first = [*blocks, *whole], first + length
        assert len(rows.x) == len(rows.y) < BLOCK
    assert [len(block.x) for block in blocks] == [BLOCK] * (total // BLOCK)
    np.testing.assert_array_equal(np.concatenate([*(block.x for block in blocks), rows.x]), x)
    np.testing.assert_array_equal(np.concatenate([*(block.y for block in blocks), rows.y]), y)


def test_rows_that_waited_are_not_changed_by_those_that_follow():
    _, before = waiting.followed(waiting.none(2, 2), np.ones((1, 2)), np.ones((1, 2)))
    waiting.followed(before, np.zeros((BLOCK, 2)), np.zeros((BLOCK, 2)))
    assert before.x.tolist() == before.y.tolist() == [[1.0, 1.0]]
