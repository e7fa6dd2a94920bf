"""Random numbers as named streams: each row is a function of seed, name, day and index.

A row depends on nothing else. Drawing from one stream therefore does not change the numbers of another, a checkpoint
needs no state of a generator, and a step that takes rows as arguments is a pure function. See
docs/decisions/0001-random-streams-are-functions.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from decoderd.arrays import Array

Law = Literal["uniform", "normal"]

# Numbers of a block: so many that the cost of setting the generator is small, so few that the tick which draws them is
# not late (40 us). Changing it changes every stream.
BLOCK: dict[Law, int] = {"uniform": 8192, "normal": 16384}
# Of a block of uniform numbers so many are drawn at a time, since several streams may begin a block in the same tick.
PIECE = 1024


def key(seed: int, name: str, day: int) -> NDArray[np.uint64]:
    """128-bit Philox key of a stream: SHA-256 over seed, name and day."""
    digest = hashlib.sha256(f"{seed}\n{name}\n{day}".encode()).digest()
    return np.frombuffer(digest[:16], dtype=np.uint64)


# Equally likely parts of the normal distribution, numbered by 16 bits: a word of 64 bits gives four.
_PARTS = 2**16


class Spec(NamedTuple):
    """A stream that a component asks for: the law of its numbers, how many a row has, and the type of normal ones."""

    law: Law
    width: int
    dtype: type[np.floating[Any]] = np.float64


@cache
def _means() -> NDArray[np.float32]:
    """The mean of each part, scaled so that the sum of two parts has variance 1."""
    edges = ndtri(np.arange(1, _PARTS) / _PARTS)
    density = np.concatenate([[0], np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi), [0]])
    means = _PARTS * -np.diff(density)
    return (means / np.sqrt(2 * np.mean(means**2))).astype(np.float32)


def normal(words: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Standard normal numbers, four from a word: sums and differences of two parts, each chosen by 16 bits. |z| < 6.3.

    Sum and difference of two normal numbers are independent, and smoother than the parts: moments up to the sixth, and
    the frequency of values beyond three or four standard deviations, are right to a few in a thousand or better.
    See docs/decisions/0015-normal-numbers-by-a-table.md.
    """
    parts = _means().take(words.view(np.uint16), mode="clip")  # no index is out of range; "clip" is the fastest mode
    half = len(parts) // 2
    one, other, out = parts[:half], parts[half:], np.empty_like(parts)
    np.add(one, other, out=out[:half])
    np.subtract(one, other, out=out[half:])
    return out


class Stream:
    """Rows of independent numbers, uniform on [0, 1) or standard normal.

    A stream is for one or many seeds: `row` has shape (len(seeds), width), row b drawn from seed b alone.
    """

    def __init__(self, seeds: tuple[int, ...], name: str, spec: Spec) -> None:
        self.seeds, self.name, self.spec = seeds, name, spec
        if spec.law == "normal":
            _means()  # before the first tick, since making the table takes as long as many ticks
        self._rows = max(1, BLOCK[spec.law] // max(1, spec.width))
        # The two parts of a normal number are half a block apart, so that its block is drawn as a whole.
        self._piece = self._rows if spec.law == "normal" else max(1, PIECE // max(1, spec.width))
        # A cache: the rows drawn last, and the generators of their day.
        self._day, self._first, self._last = -1, 0, -1
        self._block: Array = np.empty((len(seeds), 0, spec.width))
        self._generators: tuple[int, list[PositionedGenerator]] = (-1, [])

    @property
    def block_rows(self) -> int:
        """Rows of a block: drawing them together costs least."""
        return self._rows

    def row(self, day: int, index: int) -> Array:
        """Row `index` of `day`, shape (seeds, width), read-only."""
        if day != self._day or not self._first <= index <= self._last:
            self._draw(day, index)
        return self._block[:, index - self._first]

    def rows(self, day: int, first: int, count: int) -> Array:
        """Rows `first` to `first + count - 1` of `day`, shape (count, seeds, width); contiguous for each seed."""
        out = np.empty((len(self.seeds), count, self.spec.width), self.spec.dtype)
        index = first
        while index < first + count:
            block, row = divmod(index, self._rows)
            until = min((block + 1) * self._rows, first + count)
            place = out[:, index - first : until - first]
            if self.spec.law == "uniform" or until - index == self._rows:
                self._fill(day, block, row, place)
            else:
                self.row(day, index)  # draws the block that has the row
                place[...] = self._block[:, index - self._first : until - self._first]
            index = until
        return out.swapaxes(0, 1)

    def write_block(self, day: int, block: int, out: Array) -> None:
        """Write the rows of a block of `day` into `out` (seeds, block_rows, width)."""
        self._fill(day, block, 0, out)

    def successive(self, day: int, first: int, count: int) -> Array:
        """As `rows`, but read-only, and faster for fewer rows than a piece."""
        if count > self._piece:
            return self.rows(day, first, count)
        self.row(day, first)
        begin = first - self._first
        if begin + count <= self._block.shape[1]:
            return self._block[:, begin : begin + count].swapaxes(0, 1)
        return self.rows(day, first, count)

    def scattered(self, day: int, indices: Sequence[int]) -> Array:
        """Single rows, shape (len(indices), seeds, width); of uniform streams without drawing the rows between."""
        if self.spec.law == "normal":
            return np.stack([self.row(day, index) for index in indices])
        out = np.empty((len(indices), len(self.seeds), self.spec.width))
        for b, located in enumerate(self._of_day(day)):
            for place, index in enumerate(indices):
                block, row = divmod(index, self._rows)
                located.go_to(block, row * self.spec.width)
                located.generator.random(out=out[place, b])
        return out

    def _draw(self, day: int, index: int) -> None:
        block, row = divmod(index, self._rows)
        begin = row - row % self._piece
        count = min(self._piece, self._rows - begin)
        out = np.empty((len(self.seeds), count, self.spec.width), self.spec.dtype)
        self._fill(day, block, begin, out)
        out.setflags(write=False)
        self._day, self._first = day, block * self._rows + begin
        self._last = self._first + count - 1
        self._block = out

    def _fill(self, day: int, block: int, row: int, out: Array) -> None:
        """Draw rows of a block from `row` on into `out` (seeds, rows, width); of normal numbers, a whole block."""
        for place, located in zip(out, self._of_day(day), strict=True):
            located.go_to(block, row * self.spec.width)
            if self.spec.law == "uniform":
                located.generator.random(out=place)
            else:
                words = located.philox.random_raw(-(-place.size // 4))
                place[...] = normal(words)[: place.size].reshape(place.shape)

    def _of_day(self, day: int) -> list[PositionedGenerator]:
        if day != self._generators[0]:
            self._generators = (day, [_located(key(seed, self.name, day)) for seed in self.seeds])
        return self._generators[1]


class PositionedGenerator(NamedTuple):
    """A Philox generator that can be set to any word of any block; the block is the fourth word of its counter."""

    generator: np.random.Generator
    philox: Any
    state: Any

    def go_to(self, block: int, word: int = 0) -> None:
        """Set the generator to `word` of `block`."""
        self.state["state"]["counter"] = (word // 4, 0, 0, block)
        self.philox.state = self.state
        if word % 4:  # four words to a count
            self.generator.random(word % 4)


def _located(key: NDArray[np.uint64]) -> PositionedGenerator:
    philox = np.random.Philox(key=key)
    state: Any = philox.state  # with an empty buffer
    # Setting a state of plain integers is three times as fast as one of arrays.
    state |= {"buffer": tuple(state["buffer"].tolist()), "state": {"counter": (), "key": tuple(key.tolist())}}
    return PositionedGenerator(np.random.Generator(philox), philox, state)


class Draws(NamedTuple):
    """A component's streams at one tick: `draws.row("spikes")` is the row of this tick."""

    streams: Mapping[str, Stream]
    day: int
    at: int

    def row(self, name: str) -> Array:
        """The row of stream `name` at this tick, shape (batch, width)."""
        return self.streams[name].row(self.day, self.at)

    def rows(self, name: str, count: int) -> Array:
        """The rows of stream `name` at `count` ticks from this one on, of one seed: (count, width), read-only."""
        return self.streams[name].successive(self.day, self.at, count)[:, 0]


def open_streams(seeds: tuple[int, ...], owner: str, specs: Mapping[str, Spec]) -> dict[str, Stream]:
    """Open `owner`'s streams; their full names are "owner/name"."""
    return {name: Stream(seeds, f"{owner}/{name}", spec) for name, spec in specs.items()}


def generator(seed: int, name: str, day: int = 0) -> np.random.Generator:
    """A NumPy generator for draws that are made once, before the first tick or overnight."""
    return np.random.Generator(np.random.Philox(key=key(seed, name, day)))
