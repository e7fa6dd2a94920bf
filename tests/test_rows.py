"""Rows of many sessions: joined, taken apart and replaced, in tuples of tuples."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from decoderd import rows


class Pair(NamedTuple):
    one: Any
    other: Any


def of_session(number):
    """The arrays of a session, of which two are the same array."""
    shared = np.full((1, 3), float(number))
    return Pair(shared, (shared, np.array([[number, -number]])))


def plain(tree):
    return tree.tolist() if isinstance(tree, np.ndarray) else [plain(part) for part in tree]


def test_rows_are_those_of_the_sessions():
    rows_of = rows.stacked([of_session(number) for number in range(4)])
    assert isinstance(rows_of, Pair)
    assert rows_of.one.tolist() == [[n] * 3 for n in range(4)]
    assert rows_of.other[1].tolist() == [[n, -n] for n in range(4)]
    for number in range(4):
        assert plain(rows.row(rows_of, number)) == plain(of_session(number))


def test_replacing_a_row_changes_nothing_else():
    rows_of = rows.stacked([of_session(number) for number in range(4)])
    before, copied = plain(rows_of), rows.row(rows_of, 2)
    rows.put(rows_of, 2, Pair(np.full((1, 3), 7.0), (np.full((1, 3), 8.0), np.array([[9, 9]]))))
    assert plain(rows.row(rows_of, 2)) == [[[7.0] * 3], [[[8.0] * 3], [[9, 9]]]]
    assert plain(copied) == plain(of_session(2))
    rows.put(rows_of, 2, of_session(2))
    assert plain(rows_of) == before


def test_rows_of_some_sessions_are_taken_and_replaced_as_other_arrays():
    value = Pair(np.arange(8.0).reshape(4, 2), None)
    at = np.array([3, 1])
    taken = rows.taken(value, at)
    assert taken.one.tolist() == [[6, 7], [2, 3]]
    replaced = rows.replaced(value, at, Pair(-taken.one, None))
    assert replaced.one.tolist() == [[0, 1], [-2, -3], [4, 5], [-6, -7]]
    assert value.one.tolist() == np.arange(8.0).reshape(4, 2).tolist()
    assert replaced.other is None


def test_dictionaries_have_rows_too():
    counts = {"counts": np.arange(6).reshape(3, 2), "events": np.zeros((3, 2))}
    assert {name: array.tolist() for name, array in rows.row(counts, 1).items()} == {
        "counts": [[2, 3]],
        "events": [[0, 0]],
    }


def test_arrays_without_an_axis_of_sessions_get_one():
    without = Pair(np.array([1, 2]), (np.eye(2), None))
    row = rows.as_row(without)
    assert plain(row.one) == [[1, 2]]
    assert plain(row.other[0]) == [[[1, 0], [0, 1]]]
    again = rows.of_row(row)
    assert plain(again.one) == [1, 2]
    assert again.other[1] is None


def test_rows_are_in_memory_as_the_array_of_the_session_is():
    for own in (np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(3, 2).T):
        rows_of = rows.stacked([rows.as_row(own + number) for number in range(3)])
        for number in range(3):
            for found in (rows_of[number], rows.of_row(rows.row(rows_of, number))):
                np.testing.assert_array_equal(found, own + number)
                assert found.strides == own.strides


def test_where_there_is_no_array_there_are_no_rows():
    rows_of = rows.stacked([Pair(np.full((1, 2), number), None) for number in range(3)])
    assert rows_of.other is None
    assert rows.row(rows_of, 1).other is None
