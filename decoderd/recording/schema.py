"""The tables of a session file, and the rows of its trial table."""

from __future__ import annotations

import json
from typing import Any

from decoderd.wire.messages import Trial

# "dcdr": distinguishes a session file from any other SQLite file.
APPLICATION_ID = 0x64636472
# Formats that are read: in format 3 messages were only compressed, since format 4 they are packed (recording.packing).
FORMATS = (3, 4)
FORMAT = FORMATS[-1]

# Every table ends with the hash of its row, which recording.rows writes and compares.
# Arrays may take hundreds of MB, so theirs has row ids: to compare keys WITHOUT ROWID, SQLite reads whole rows.
TABLES = """
CREATE TABLE extent (
    id INTEGER PRIMARY KEY, commits INTEGER NOT NULL, tick INTEGER NOT NULL, closed INTEGER NOT NULL,
    next_numbers TEXT NOT NULL, row_counts TEXT NOT NULL, row_hash BLOB NOT NULL
);
CREATE TABLE manifest (key TEXT PRIMARY KEY, value TEXT NOT NULL, row_hash BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE incarnation (
    number INTEGER PRIMARY KEY, from_tick INTEGER NOT NULL, speed TEXT NOT NULL, conditions TEXT NOT NULL,
    versions TEXT NOT NULL, wall_s REAL NOT NULL, period_ns INTEGER NOT NULL, row_hash BLOB NOT NULL
);
CREATE TABLE message (
    topic TEXT NOT NULL, first_number INTEGER NOT NULL, count INTEGER NOT NULL,
    first_tick INTEGER NOT NULL, last_tick INTEGER NOT NULL, data BLOB NOT NULL, row_hash BLOB NOT NULL,
    PRIMARY KEY (topic, first_number)
) WITHOUT ROWID;
CREATE TABLE journal (
    tick INTEGER NOT NULL, place INTEGER NOT NULL, body BLOB NOT NULL, row_hash BLOB NOT NULL,
    PRIMARY KEY (tick, place)
) WITHOUT ROWID;
CREATE TABLE checkpoint (
    tick INTEGER PRIMARY KEY, day INTEGER NOT NULL, body BLOB NOT NULL, row_hash BLOB NOT NULL
);
CREATE TABLE array (hash TEXT PRIMARY KEY, body BLOB NOT NULL, row_hash BLOB NOT NULL);
CREATE TABLE uses (
    tick INTEGER NOT NULL, hash TEXT NOT NULL, row_hash BLOB NOT NULL, PRIMARY KEY (tick, hash)
) WITHOUT ROWID;
CREATE TABLE timing (
    first_tick INTEGER PRIMARY KEY, incarnation INTEGER NOT NULL, lateness_ns BLOB NOT NULL, busy_ns BLOB NOT NULL,
    row_hash BLOB NOT NULL
);
CREATE TABLE trial (
    trial INTEGER PRIMARY KEY, day INTEGER NOT NULL, block INTEGER NOT NULL, target INTEGER NOT NULL,
    target_x_m REAL, target_y_m REAL, start_tick INTEGER NOT NULL, go_tick INTEGER NOT NULL,
    end_tick INTEGER NOT NULL, outcome TEXT NOT NULL, perturbations TEXT NOT NULL, row_hash BLOB NOT NULL
);
"""
STATEMENTS = tuple(statement.strip() for statement in TABLES.split(";") if statement.strip())

# {table: how many of its first columns name a row}
KEYS = {
    "extent": 1,
    "manifest": 1,
    "incarnation": 1,
    "message": 2,
    "journal": 2,
    "checkpoint": 1,
    "array": 1,
    "uses": 2,
    "timing": 1,
    "trial": 1,
}

TRIAL_COLUMNS = (
    "trial",
    "day",
    "block",
    "target",
    "target_x_m",
    "target_y_m",
    "start_tick",
    "go_tick",
    "end_tick",
    "outcome",
    "perturbations",
)


def trial_row(payload: dict[str, Any]) -> tuple[Any, ...]:
    """The row of the trial table for the payload of a `trial` message."""
    trial = Trial.read(payload)
    # As SQLite gives them back: real numbers, and no negative zero.
    x, y = (None, None) if trial.target is None else (float(value) + 0.0 for value in trial.target)
    return (
        trial.trial,
        trial.day,
        trial.block,
        trial.target_index,
        x,
        y,
        trial.start_tick,
        trial.go_tick,
        trial.tick,
        trial.outcome,
        json.dumps(trial.perturbations),
    )
