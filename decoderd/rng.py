"""Named streams of random numbers that are functions, not objects that advance.

A row of a stream depends on (seed, name, day, index) and on nothing else. Nobody's drawing can therefore
shift anybody else's, a checkpoint needs no generator state beyond the tick it already holds, and a step that
takes rows as arguments is pure. See docs/decisions/0001-random-streams-are-functions.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, NamedTuple

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
        self._held: tuple[int, int] = (-1, -1)  # (day, block number) of the block in memory: a memo, no more
        self._block: Array = np.empty((0, len(seeds), spec.width))

    def row(self, day: int, index: int) -> Array:
        """Row `index` of `day`, shape (seeds, width), read-only."""
        block = index // self._rows
        if self._held != (day, block):
            self._block = self._draw(day, block)
            self._held = (day, block)
        return self._block[index - block * self._rows]

    def _draw(self, day: int, block: int) -> Array:
        out = np.empty((self._rows, len(self.seeds), self.spec.width))
        for b, seed in enumerate(self.seeds):
            bits = np.random.Philox(key=key(seed, self.name, day), counter=[0, 0, 0, block])
            generator = np.random.Generator(bits)
            size = (self._rows, self.spec.width)
            if self.spec.law == "uniform":
                out[:, b] = generator.random(size)
            else:
                out[:, b] = generator.standard_normal(size)
        out.setflags(write=False)
        return out


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
