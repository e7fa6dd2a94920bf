"""A delay line: the last D values of an array, oldest first."""

from __future__ import annotations

from decoderd.arrays import Array

DelayLine = tuple[Array, ...]


def fill(value: Array, length: int) -> DelayLine:
    """A delay line of `length` >= 1 values, all equal to `value`."""
    return (value,) * length


def push(line: DelayLine, value: Array) -> tuple[DelayLine, Array]:
    """(line with `value` added, the value of len(line) pushes ago)."""
    return (*line[1:], value), line[0]


def look_back(line: DelayLine, pushes: int) -> Array:
    """The value pushed `pushes` times ago, from 1 (the last one) to len(line)."""
    return line[-pushes]
