"""A value as it was D ticks ago: the last D values, oldest first."""

from __future__ import annotations

from decoderd.arrays import Array

DelayLine = tuple[Array, ...]


def fill(value: Array, length: int) -> DelayLine:
    """A line of `length` >= 1 ticks that has only ever seen `value`."""
    return (value,) * length


def push(line: DelayLine, value: Array) -> tuple[DelayLine, Array]:
    """Put `value` in; out comes the value of len(line) pushes ago."""
    return (*line[1:], value), line[0]


def look_back(line: DelayLine, pushes: int) -> Array:
    """The value pushed `pushes` times ago, from 1 for the last one to len(line)."""
    return line[-pushes]
