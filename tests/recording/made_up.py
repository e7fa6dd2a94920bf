"""Session files with made-up contents, and what is in a file."""

from __future__ import annotations

import sqlite3

from decoderd import checkpoint
from decoderd.checkpoint import Encoder
from decoderd.recording.database import FILE
from decoderd.recording.store import Chunk, MessageRun, create

MANIFEST = {"session": "one-1", "protocol": {}, "versions": {}}


def created(folder, state=(1, 2)):
    encoder = Encoder()
    return create(folder, MANIFEST, encoder.encode(state)), encoder


def chunk_of(encoder, number, ticks=10, day=1, state=(), **fields):
    """Chunk `number` of made-up messages."""
    first = number * ticks
    run = MessageRun("tick", first, ticks, first, first + ticks - 1, bytes([number]) * 50)
    whole = {
        "messages": [run],
        "trials": [],
        "journal": [(first, 0, b"input")],
        "tick": first + ticks,
        "day": day,
        "checkpoint": encoder.encode((number, *state)),
        "incarnation": 1,
        "wall_s": 0.5 * number,
        "timing": (first, bytes(8 * ticks), bytes(8 * ticks)),
    }
    return Chunk(**{**whole, **fields})


def everything(folder):
    """All rows of all tables."""
    with sqlite3.connect(folder / FILE) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        found = {name: db.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in names}
    db.close()
    return found


def read_all(store):
    """Everything there is to read."""
    store.manifest()
    store.incarnations()
    store.checkpoint(newest=False)
    for table in (store.journal(), store.trials(), store.timing()):
        list(table)
    for topic in ("tick", "counts", "task", "trial", "day"):
        list(store.chunks(topic))
    checkpoint.decode(store.checkpoint()[1], store.array, lambda data: data)
