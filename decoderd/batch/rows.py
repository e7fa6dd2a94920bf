"""Rows of many sessions: arrays, or tuples and dictionaries of them, with an axis of sessions in front.

A session has its own arrays with an axis of length 1 in front, as everywhere in a session.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def joined(of_sessions: Sequence[Any]) -> Any:
    """The arrays of several sessions as rows, (S, ...). New arrays, none of which shares its numbers with another."""
    first = of_sessions[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(of_sessions)
    return _like(first, [joined(parts) for parts in zip(*of_sessions, strict=True)])


def as_row(tree: Any) -> Any:
    """Arrays without an axis of sessions, as those of one: (1, ...)."""
    if isinstance(tree, np.ndarray):
        return tree[np.newaxis]
    return _like(tree, [as_row(part) for part in tree])


def row(rows: Any, at: int) -> Any:
    """A copy of the row of one session, (1, ...)."""
    if isinstance(rows, np.ndarray):
        return rows[at : at + 1].copy()
    if isinstance(rows, dict):
        return {key: row(part, at) for key, part in rows.items()}
    return _like(rows, [row(part, at) for part in rows])


def put(rows: Any, at: int, of_session: Any) -> None:
    """Replace the row of one session, in place."""
    if isinstance(rows, np.ndarray):
        rows[at] = of_session[0]
        return
    for part, new in zip(rows, of_session, strict=True):
        put(part, at, new)


def taken(rows: Any, at: NDArray[np.int64]) -> Any:
    """Copies of the rows of some sessions, in their order."""
    if rows is None:
        return None
    if isinstance(rows, np.ndarray):
        return rows[at]
    return _like(rows, [taken(part, at) for part in rows])


def replaced(rows: Any, at: NDArray[np.int64], new: Any) -> Any:
    """The rows with those of some sessions replaced, as other arrays."""
    if rows is None:
        return None
    if isinstance(rows, np.ndarray):
        rows = rows.copy()
        rows[at] = new
        return rows
    return _like(rows, [replaced(part, at, one) for part, one in zip(rows, new, strict=True)])


def _like(tree: Any, parts: list[Any]) -> Any:
    """The parts as a tuple of the same kind."""
    return tree._make(parts) if hasattr(tree, "_make") else tuple(parts)
