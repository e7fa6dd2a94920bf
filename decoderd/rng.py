"""Named streams of random numbers that are functions, not objects that advance.

A row of a stream depends on (seed, name, day, index) and on nothing else. Nobody's drawing can therefore
shift anybody else's, a checkpoint needs no generator state beyond the tick it already holds, and a step that
takes rows as arguments is pure. See docs/decisions/0001-random-streams-are-functions.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array

Law = Literal["uniform", "normal"]

# Numbers drawn at a time: enough to make the cost of a generator vanish, few enough that the tick which
# draws them is not late (8192 uniforms take about 40 us). Changing it changes every normal stream.
BLOCK = 8192


def key(seed: int, name: str, day: int) -> NDArray[np.uint64]:
    """128-bit Philox key of a stream: SHA-256 over seed, name and day."""
    digest = hashlib.sha256(f"{seed}\n{name}\n{day}".encode()).digest()
    return np.frombuffer(digest[:16], dtype=np.uint64)


class Spec(NamedTuple):
    """What a component asks for: the law of its numbers and how many it uses at a time."""

    law: Law
    width: int


class Stream:
    """Rows of independent numbers, uniform on [0, 1) or standard normal.

    A stream is for one or many seeds: `row` has shape (len(seeds), width), row b drawn from seed b alone.
    """

    def __init__(self, seeds: tuple[int, ...], name: str, spec: Spec) -> None:
        self.seeds, self.name, self.spec = seeds, name, spec
        self._rows = max(1, BLOCK // max(1, spec.width))
        # A memo, no more: the block drawn last, and the generators of its day.
        self._day, self._first, self._last = -1, 0, -1
        self._block: Array = np.empty((len(seeds), 0, spec.width))
        self._generators: tuple[int, list[np.random.Generator]] = (-1, [])

    def row(self, day: int, index: int) -> Array:
        """Row `index` of `day`, shape (seeds, width), read-only."""
        if day != self._day or not self._first <= index <= self._last:
            self._draw(day, index // self._rows)
        return self._block[:, index - self._first]

    def rows(self, day: int, first: int, count: int) -> Array:
        """Rows `first` .. `first + count - 1` of `day`, shape (count, seeds, width); those of a seed lie together."""
        out = np.empty((len(self.seeds), count, self.spec.width))
        index = first
        while index < first + count:
            block = index // self._rows
            until = min((block + 1) * self._rows, first + count)
            place = out[:, index - first : until - first]
            if until - index == self._rows:
                self._fill(day, block, place)
            else:
                self.row(day, index)  # draws the block it stands in
                place[...] = self._block[:, index - self._first : until - self._first]
            index = until
        return out.swapaxes(0, 1)

    def scattered(self, day: int, indices: Sequence[int]) -> Array:
        """Rows far from one another, shape (len(indices), seeds, width), uniform ones without all that lies between."""
        if self.spec.law == "normal":  # how many words a normal number takes is known only when it is drawn
            return np.stack([self.row(day, index) for index in indices])
        out = np.empty((len(indices), len(self.seeds), self.spec.width))
        for b, generator in enumerate(self._of_day(day)):
            for place, index in enumerate(indices):
                block, row = divmod(index, self._rows)
                _go_to(generator, block, row * self.spec.width)
                generator.random(out=out[place, b])
        return out

    def _draw(self, day: int, block: int) -> None:
        out = np.empty((len(self.seeds), self._rows, self.spec.width))
        self._fill(day, block, out)
        out.setflags(write=False)
        self._day, self._first, self._last = day, block * self._rows, (block + 1) * self._rows - 1
        self._block = out

    def _fill(self, day: int, block: int, out: Array) -> None:
        """Draw a whole block (seeds, rows, width) where it is wanted."""
        for place, generator in zip(out, self._of_day(day), strict=True):
            _go_to(generator, block)
            (generator.random if self.spec.law == "uniform" else generator.standard_normal)(out=place)

    def _of_day(self, day: int) -> list[np.random.Generator]:
        if day != self._generators[0]:
            keys = [key(seed, self.name, day) for seed in self.seeds]
            self._generators = (day, [np.random.Generator(np.random.Philox(key=k)) for k in keys])
        return self._generators[1]


def _go_to(generator: np.random.Generator, block: int, word: int = 0) -> None:
    """Put a Philox generator to a word of a block, which is the fourth word of its counter."""
    philox: Any = generator.bit_generator
    state = philox.state
    state["state"]["counter"][:] = (word // 4, 0, 0, block)
    state["buffer_pos"], state["has_uint32"] = len(state["buffer"]), 0
    philox.state = state
    if word % 4:  # four words to a count
        generator.random(word % 4)


class Draws(NamedTuple):
    """A component's streams at one moment: `draws.row("spikes")` is this tick's row."""

    streams: Mapping[str, Stream]
    day: int
    at: int

    def row(self, name: str) -> Array:
        """This moment's row of stream `name`, shape (batch, width)."""
        return self.streams[name].row(self.day, self.at)


def open_streams(seeds: tuple[int, ...], owner: str, specs: Mapping[str, Spec]) -> dict[str, Stream]:
    """Open `owner`'s streams; their full names are "owner/name"."""
    return {name: Stream(seeds, f"{owner}/{name}", spec) for name, spec in specs.items()}


def generator(seed: int, name: str, day: int = 0) -> np.random.Generator:
    """A NumPy generator for work done once, before the first tick or overnight."""
    return np.random.Generator(np.random.Philox(key=key(seed, name, day)))
