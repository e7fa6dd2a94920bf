"""Which bytes of an SQLite file hold a table: headers, places and cells of its pages, and its overflow pages."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

INTERIOR_INDEX, INTERIOR_TABLE, LEAF_INDEX, LEAF_TABLE = 2, 5, 10, 13


def live_bytes(path: Path) -> dict[str, list[int]]:
    """{table: offsets of its bytes}; `sqlite_master` is the schema, and the header of the file."""
    with closing(sqlite3.connect(path)) as db:
        roots = dict(db.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'table'").fetchall())
        size = db.execute("PRAGMA page_size").fetchone()[0]
    tree = _Tree(path.read_bytes(), size)
    found = {name: [at for piece in tree.pieces(root) for at in piece] for name, root in roots.items()}
    return {"sqlite_master": [*range(100), *(at for piece in tree.pieces(1) for at in piece)], **found}


class _Tree:
    """Pages of a file, as https://www.sqlite.org/fileformat2.html describes them."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size = data, size

    def pieces(self, page: int) -> Iterator[range]:
        start = (page - 1) * self._size
        header = start + (100 if page == 1 else 0)
        kind, cells = self._data[header], self._number(header + 3, 2)
        interior = kind in (INTERIOR_INDEX, INTERIOR_TABLE)
        places = header + (12 if interior else 8)
        yield range(header, places + 2 * cells)
        for number in range(cells):
            at = begin = start + self._number(places + 2 * number, 2)
            if interior:
                yield from self.pieces(self._number(at, 4))
                at += 4
            payload, at = self._varint(at)
            if kind == LEAF_TABLE:
                _, at = self._varint(at)
            if kind != INTERIOR_TABLE:
                local = self._local(payload, kind)
                at += local
                if local < payload:
                    yield from self._overflow(self._number(at, 4), payload - local)
                    at += 4
            yield range(begin, at)
        if interior:
            yield from self.pieces(self._number(header + 8, 4))

    def _overflow(self, page: int, left: int) -> Iterator[range]:
        while left > 0:
            start, held = (page - 1) * self._size, min(left, self._size - 4)
            yield range(start, start + 4 + held)
            page, left = self._number(start, 4), left - held

    def _local(self, payload: int, kind: int) -> int:
        most = self._size - 35 if kind == LEAF_TABLE else (self._size - 12) * 64 // 255 - 23
        least = (self._size - 12) * 32 // 255 - 23
        if payload <= most:
            return payload
        rest = least + (payload - least) % (self._size - 4)
        return rest if rest <= most else least

    def _number(self, at: int, length: int) -> int:
        return int.from_bytes(self._data[at : at + length])

    def _varint(self, at: int) -> tuple[int, int]:
        value = 0
        for place in range(9):
            byte = self._data[at + place]
            if place == 8:
                return value << 8 | byte, at + 9
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value, at + place + 1
        raise AssertionError
