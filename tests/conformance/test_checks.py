"""Comparisons of nested states and parameters."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from decoderd.checkpoint import stored
from decoderd.conformance import checks


@stored("tests.conformance.checks.pair")
class Pair(NamedTuple):
    """Two fields."""

    one: Any
    other: Any


TREE = Pair(np.array([1.0, 2.0]), (np.array([3]), "text", None, 4, 0.5))


def test_same_is_bit_for_bit_without_a_tolerance():
    checks.same(TREE, checks.snapshot(TREE))
    near = TREE._replace(one=np.nextafter(TREE.one, 9))
    with pytest.raises(AssertionError, match=r"result\.one: .* bit for bit"):
        checks.same(TREE, near)
    checks.same(TREE, near, 1e-15)
    with pytest.raises(AssertionError, match=r"result\.one: differs by up to 1, allowed is 0.002"):
        checks.same(TREE, TREE._replace(one=TREE.one + 1), 1e-3)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (TREE._replace(one=[1.0, 2.0]), "an array and a list"),
        (TREE._replace(one=TREE.one.astype(np.float32)), r"float64 \(2,\) and float32 \(2,\)"),
        (TREE._replace(one=TREE.one[:1]), r"\(2,\) and float64 \(1,\)"),
        (tuple(TREE), "Pair and tuple"),
        (TREE._replace(other=TREE.other[:-1]), "5 and 4 entries"),
        (TREE._replace(other=(*TREE.other[:1], "other", *TREE.other[2:])), "'text' and 'other'"),
    ],
)
def test_same_says_what_differs(other, says):
    with pytest.raises(AssertionError, match=says):
        checks.same(TREE, other)


def test_same_compares_mappings_key_by_key():
    checks.same({"a": TREE}, {"a": TREE})
    with pytest.raises(AssertionError, match="keys"):
        checks.same({"a": TREE}, {"b": TREE})


def test_not_a_number_is_the_same_as_itself():
    checks.same((float("nan"), np.array([np.nan])), (float("nan"), np.array([np.nan])))


def test_pure_returns_the_result_or_says_what_it_changed():
    assert checks.pure(sum, (1, 2)) == 3
    with pytest.raises(AssertionError, match="arguments, after the call"):
        checks.pure(lambda array: array.sort(), np.array([2, 1]))
    numbers = iter(range(9))
    with pytest.raises(AssertionError, match="called again"):
        checks.pure(lambda: next(numbers))
    buffer = np.zeros(1)

    def into_one_buffer(value):
        buffer[0] = value
        return buffer

    shared = iter([1, 1, 2, 2])
    checks.pure(into_one_buffer, 1)
    with pytest.raises(AssertionError, match="called again"):
        checks.pure(lambda: into_one_buffer(buffer[0] + next(shared)))


def test_storable_is_what_a_checkpoint_gives_back():
    checks.storable(TREE)
    checks.storable(Pair(np.zeros(1000), np.float64(2.0)))
    checks.storable({"a": np.zeros(2)}, mappings=True)


class Unnamed(NamedTuple):
    """Without a stored name."""

    one: Any


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        (Unnamed(1), "@stored"),
        (Pair(Unnamed(1), 2), "@stored"),
        (Pair([1], 2), "state.one: a list"),
        (Pair(np.array(["x"]), 2), "state.one: an array of <U1"),
        (Pair({"a": 1}, 2), "state.one: a dict"),
        (Pair({1}, 2), "state.one: a set"),
    ],
)
def test_storable_names_what_a_checkpoint_cannot_hold(tree, says):
    with pytest.raises(AssertionError, match=says):
        checks.storable(tree)


def test_finite_names_the_place():
    checks.finite(TREE)
    with pytest.raises(AssertionError, match="rates: holds values that are not finite"):
        checks.finite((TREE, np.array([np.inf])), "rates")


def test_inner_and_moved_along_are_linear_algebra_on_trees():
    one, way = Pair(np.array([1.0, 2.0]), (np.array([3.0]),)), Pair(np.array([10.0, 0.0]), (np.array([-1.0]),))
    assert checks.inner(one, way) == 10 - 3
    moved = checks.moved_along(one, way, 0.5)
    checks.same(moved, Pair(np.array([6.0, 2.0]), (np.array([2.5]),)))


def test_restored_is_row_by_row_in_new_memory():
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    (again,) = checks.restored((array,))
    assert again.flags.c_contiguous
    assert not np.shares_memory(array, again)
    np.testing.assert_array_equal(array, again)
