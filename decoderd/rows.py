"""Rows of many sessions: arrays, or tuples and dictionaries of them, with an axis of sessions in front.

A session has its own arrays with an axis of length 1 in front, as everywhere in a session. None stands for no array.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def empty(of_session: Any, sessions: int) -> Any:
    """Rows of zeros for so many sessions like this one."""
    return _each(lambda array: _zeros(array, sessions), of_session)


def stacked(of_sessions: Sequence[Any]) -> Any:
    """Rows with the arrays of several sessions."""
    found = empty(of_sessions[0], len(of_sessions))
    for s, one in enumerate(of_sessions):
        put(found, s, one)
    return found


def _zeros(array: NDArray[Any], sessions: int) -> NDArray[Any]:
    """Each row in the memory order of the session's own array (1, ...), on which it depends how products round."""
    shape = array.shape[1:]
    if array.flags.c_contiguous or not array.flags.f_contiguous:
        return np.zeros((sessions, *shape), array.dtype)
    return np.zeros((sessions, *shape[::-1]), array.dtype).transpose(0, *range(len(shape), 0, -1))


def as_row(tree: Any) -> Any:
    """Arrays without an axis of sessions, as those of one: (1, ...)."""
    return _each(lambda array: array[np.newaxis], tree)


def as_row_of(fields: tuple[str, ...], whole: Any) -> Any:
    """As `as_row`, of some fields of a named tuple; the others are None."""
    return whole._make([as_row(part) if name in fields else None for name, part in whole._asdict().items()])


def of_row(rows: Any) -> Any:
    """The arrays of one session without the axis, the inverse of `as_row`."""
    return _each(lambda array: array[0], rows)


def row(rows: Any, at: int) -> Any:
    """A copy of the row of one session, (1, ...)."""
    return _each(lambda array: array[at : at + 1].copy(order="K"), rows)


def put(rows: Any, at: int, of_session: Any) -> None:
    """Replace the row of one session, in place."""
    if rows is None:
        return
    if isinstance(rows, np.ndarray):
        rows[at] = of_session[0]
        return
    for part, new in zip(rows, of_session, strict=True):
        put(part, at, new)


def taken(rows: Any, at: NDArray[np.int64]) -> Any:
    """Copies of the rows of some sessions, in their order."""
    return _each(lambda array: array[at], rows)


def replaced(rows: Any, at: NDArray[np.int64], new: Any) -> Any:
    """The rows with those of some sessions replaced, as other arrays."""
    if rows is None:
        return None
    if isinstance(rows, np.ndarray):
        rows = rows.copy()
        rows[at] = new
        return rows
    return _like(rows, [replaced(part, at, one) for part, one in zip(rows, new, strict=True)])


def _each(change: Callable[[NDArray[Any]], NDArray[Any]], tree: Any) -> Any:
    """The tree with each of its arrays changed."""
    if tree is None:
        return None
    if isinstance(tree, np.ndarray):
        return change(tree)
    if isinstance(tree, dict):
        return {key: _each(change, part) for key, part in tree.items()}
    return _like(tree, [_each(change, part) for part in tree])


def _like(tree: Any, parts: list[Any]) -> Any:
    """The parts as a tuple of the same kind."""
    return tree._make(parts) if hasattr(tree, "_make") else tuple(parts)
