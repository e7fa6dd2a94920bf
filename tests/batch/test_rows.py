"""Rows of many sessions: joined, taken apart and replaced, in tuples of tuples."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from decoderd.batch import rows


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
    joined = rows.joined([of_session(number) for number in range(4)])
    assert isinstance(joined, Pair)
    assert joined.one.tolist() == [[n] * 3 for n in range(4)]
    assert joined.other[1].tolist() == [[n, -n] for n in range(4)]
    for number in range(4):
        assert plain(rows.row(joined, number)) == plain(of_session(number))


def test_replacing_a_row_changes_nothing_else():
    joined = rows.joined([of_session(number) for number in range(4)])
    before, copied = plain(joined), rows.row(joined, 2)
    rows.put(joined, 2, Pair(np.full((1, 3), 7.0), (np.full((1, 3), 8.0), np.array([[9, 9]]))))
    assert plain(rows.row(joined, 2)) == [[[7.0] * 3], [[[8.0] * 3], [[9, 9]]]]
    assert plain(copied) == plain(of_session(2))
    rows.put(joined, 2, of_session(2))
    assert plain(joined) == before


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
    assert plain(rows.as_row(Pair(np.array([1, 2]), (np.eye(2),)))) == [[[1, 2]], [[[[1, 0], [0, 1]]]]]
