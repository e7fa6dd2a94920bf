"""A value as it was D ticks ago, kept as plain arrays so that a checkpoint contains it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array


class DelayLine(NamedTuple):
    """The last D values pushed; `head` is the oldest."""

    values: Array  # (D, ...) ring
    head: int


def fill(value: Array, length: int) -> DelayLine:
    """A line of `length` >= 1 ticks that has only ever seen `value`."""
    return DelayLine(np.repeat(value[np.newaxis], length, axis=0), 0)


def push(line: DelayLine, value: Array) -> tuple[DelayLine, Array]:
    """Put `value` in; out comes the value of `length` pushes ago."""
    values, head = line
    oldest = values[head]
    renewed = values.copy()
    renewed[head] = value
    return DelayLine(renewed, (head + 1) % len(values)), oldest


def look_back(line: DelayLine, pushes: int) -> Array:
    """The value pushed `pushes` >= 1 times ago (1: the last one); at most the line's length."""
    return line.values[(line.head - pushes) % len(line.values)]
