"""Which entries of a Kalman state are the cursor's position and velocity.

2: vx vy        3: vx vy 1        4: px py vx vy        5: px py vx vy 1
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.decoders import gaussian
from decoderd.errors import ArrayError
from decoderd.state import Command


@stored("decoders.layout")
class Layout(NamedTuple):
    """Slices of the state that hold position and velocity; `position` is None for velocity filters."""

    position: slice | None
    velocity: slice

    @property
    def blocks(self) -> tuple[slice, ...]:
        """The slices that hold an (x, y) pair."""
        return (self.velocity,) if self.position is None else (self.position, self.velocity)


# {number of entries: their names}; files of decoders name their states by them, see `files`.
NAMES = {
    2: ("vx", "vy"),
    3: ("vx", "vy", "1"),
    4: ("px", "py", "vx", "vy"),
    5: ("px", "py", "vx", "vy", "1"),
}
_LAYOUTS = {
    n: Layout(slice(0, 2) if "px" in names else None, slice(names.index("vx"), names.index("vy") + 1))
    for n, names in NAMES.items()
}


def known(n: int) -> Layout | None:
    """The layout of a state of n entries; None for a size without one (it can decode offline, not move a cursor)."""
    return _LAYOUTS.get(n)


def positions(n: int) -> int:
    """How many entries of a state of n entries are a position; they are the first. 0 for a size without a layout."""
    where = known(n)
    return 0 if where is None or where.position is None else int(where.position.stop)


def of(n: int) -> Layout:
    """The layout of a state of n entries. Raises ArrayError for a size without one."""
    if n not in _LAYOUTS:
        raise ArrayError(
            f"A: a state of {n} entries {NO_CURSOR}",
            "A",
        )
    return _LAYOUTS[n]


def expected() -> str:
    """The layouts that move a cursor, in words."""
    *others, last = (f"{n} ({' '.join(names)})" for n, names in NAMES.items())
    return f"{', '.join(others)} or {last}"


def of_kinematics(A: Array, W: Array) -> Layout:
    """The layout of a filter with these A and W. Raises ArrayError for states whose entries have no known meaning."""
    where = of(len(A))
    if len(A) % 2 and not gaussian.constant_last(A, W):
        raise ArrayError(f"A: the last of {len(A)} states must be a constant 1", "A")
    return where


# What is wrong with other states, and what to do about it.
NO_CURSOR = (
    f"cannot move a cursor in the plane; expected {expected()}. `decoderd import bmi3d` makes such a filter of one "
    "with states in three dimensions"
)


def known_position(layout: Layout | None, A: Array) -> tuple[Array, Array | None, Array]:
    """(A', G, H) of a step whose position is known: prior = A' x + G position, velocity = H x.

    Rows of the position are zero in A' and one in G. G is None for a filter without position.
    """
    each = gaussian.identity(len(A))
    if layout is None:
        return A, None, each
    H = each[layout.velocity]
    if layout.position is None:
        return A, None, H
    predicted = A.copy()
    predicted[layout.position] = 0.0
    return predicted, each[:, layout.position], H


def command(layout: Layout | None, x: Array) -> Command:
    """The command of a state x (B, n): its velocity, or all entries for a size without a layout."""
    return Command(x if layout is None else x[:, layout.velocity], None)


def states(n: int, position: Array, velocity: Array) -> Array:
    """States (T, n) of a cursor with position (T, 2) in m and velocity (T, 2) in m/s."""
    x = np.ones((len(velocity), n))
    where = of(n)
    x[:, where.velocity] = velocity
    if where.position is not None:
        x[:, where.position] = position
    return x
