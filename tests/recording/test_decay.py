"""Single bits of a stored session that change: nothing is read that was not written, and every error is typed."""

from __future__ import annotations

import shutil
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from decoderd.checkpoint import Encoder
from decoderd.clock import Stepped
from decoderd.errors import StoreError
from decoderd.recording import recorder, schema, session_file, summary
from decoderd.recording.check import check
from decoderd.recording.database import FILE, LOCK
from decoderd.recording.reader import open_session
from decoderd.recording.store import open_store
from decoderd.run import loop
from decoderd.run.scripted_inputs import ScriptedInputs
from decoderd.wire import codec
from tests import protocols
from tests.protocols import given
from tests.recording.live_bytes import live_bytes

LOG = f"{FILE}-wal"
INPUTS = {
    tick: given(protocols.perturb("gain", "cursor", name=f"gain-{tick}", factor=[1.0, 1.1])) for tick in (4, 60, 140)
}
SHORT, LONG = 12, 1000


def recorded(folder: Path) -> None:
    """Two incarnations, the second of which ends as by a kill; rows in every table, and a write-ahead log."""
    session, state = protocols.begun(protocols.lasting(2.0))
    store, encoder = session_file.begin(folder / "whole", session, state)
    for until in (120, 200):
        number = store.begin_incarnation(state.tick, "50", 200_000, session_file.versions())
        store.note_conditions(number, {"processors": "granted"})
        sink = recorder.Recorder(store, number, state, encoder, 200_000, session.name)
        state = loop.run(session, state, Stepped(until - state.tick), sink, ScriptedInputs(INPUTS))
        sink.timed(5, 7)
        sink.close(state)
        if until == 120:
            store.close()
            store, encoder = open_store(folder / "whole", writing=True), Encoder()
    shutil.copytree(folder / "whole", folder / "killed", ignore=shutil.ignore_patterns("*-shm"))
    store.close()


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """A folder with `whole`, a session that was closed, and `killed`, the same with its write-ahead log."""
    folder = tmp_path_factory.mktemp("sessions")
    before, recorder.CHUNK_TICKS = recorder.CHUNK_TICKS, 30
    try:
        recorded(folder)
    finally:
        recorder.CHUNK_TICKS = before
    assert (folder / "killed" / LOG).stat().st_size > 0
    assert not (folder / "whole" / LOG).exists()
    return folder


def content(folder: Path) -> Any:
    """All that a reader can ask of a session. A warning is an error here."""
    with open_session(folder) as found:
        store = found.store
        session, state = session_file.restore(store)
        _, first = session_file.restore(store, newest=False)
        tables = (store.manifest(), store.incarnations(), found.journal(), [*store.trials()], store.extent())
        timing = [(number, late.tolist(), busy.tolist()) for number, late, busy in store.timing()]
        messages = {topic: b"".join(run.data for run in store.chunks(topic)) for topic in codec.TOPICS}
        states = [Encoder().encode(one)[::2] for one in (state, first)]
        return tables, timing, messages, states, summary.stored(store, session, state)


def dumped(folder: Path) -> Any:
    """All rows of all tables, read by SQLite alone; what it says where it cannot."""
    try:
        with closing(sqlite3.connect(f"file:{folder / FILE}?mode=ro", uri=True)) as db:
            return {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in schema.KEYS}
    except sqlite3.Error as error:
        return str(error)


def outcome(folder: Path, expected: Any, rows: Any) -> str:
    """Whether a changed bit was `reported`, or `harmless`: it changed nothing that can be read. Fails otherwise."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read = content(folder)
    except (StoreError, UserWarning):
        read = None
    try:
        whole = not check(folder).faults
    except StoreError:
        whole = False
    if read is None:
        assert not whole, "readers refuse what the check calls whole"
        return "reported"
    assert read == expected, "read as if nothing had changed"
    assert not whole or dumped(folder) == rows, "a row differs that the check calls whole"
    return "harmless" if whole else "reported"


def flipped(source: Path, folder: Path, name: str, places: list[int], times: int, seed: int) -> dict[str, int]:
    """Change one bit of a session `times` times, among the bytes at `places` of file `name`; counts of outcomes."""
    draw, original = np.random.default_rng(seed), (source / name).read_bytes()
    expected, rows = content(source), dumped(source)
    counts = {"reported": 0, "harmless": 0}
    for _ in range(times):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*-shm"))
        data = bytearray(original)
        at, bit = places[draw.integers(len(places))], int(draw.integers(8))
        data[at] ^= 1 << bit
        (folder / name).write_bytes(data)
        try:
            counts[outcome(folder, expected, rows)] += 1
        except Exception as error:
            error.add_note(f"bit {bit} of byte {at} of {name}")
            raise
    return counts


def of_table(sessions: Path, folder: Path, table: str, times: int) -> None:
    places = live_bytes(sessions / "whole" / FILE)[table]
    counts = flipped(sessions / "whole", folder, FILE, places, times, seed=len(table))
    print(f"\n{table}: {len(places)} live bytes, {counts}")
    if table != "sqlite_master":  # of the header some fields are counters that nothing reads
        assert counts["reported"] >= 0.9 * times


def of_log(sessions: Path, folder: Path, times: int) -> None:
    """Pages that a later frame holds again are not read: to lose them is harmless, to lose a commit is not."""
    places = [*range((sessions / "killed" / LOG).stat().st_size)]
    counts = flipped(sessions / "killed", folder, LOG, places, times, seed=1)
    print(f"\n{LOG}: {len(places)} bytes, {counts}")
    assert counts["reported"] >= 0.5 * times


TABLES = ("sqlite_master", *schema.KEYS)


@pytest.mark.parametrize("table", TABLES)
def test_a_changed_bit_of_a_table_is_never_silent(sessions, tmp_path, table):
    of_table(sessions, tmp_path / "session", table, SHORT)


def test_a_changed_bit_of_the_write_ahead_log_is_never_silent(sessions, tmp_path):
    of_log(sessions, tmp_path / "session", SHORT)


def test_a_changed_bit_of_the_note_is_never_silent(sessions, tmp_path):
    places = [*range((sessions / "killed" / LOCK).stat().st_size)]
    counts = flipped(sessions / "killed", tmp_path / "session", LOCK, places, SHORT, seed=2)
    assert counts == {"reported": SHORT, "harmless": 0}


@pytest.mark.campaign
@pytest.mark.parametrize("table", TABLES)
def test_a_thousand_changed_bits_of_a_table(sessions, tmp_path, table):
    of_table(sessions, tmp_path / "session", table, LONG)


@pytest.mark.campaign
def test_a_thousand_changed_bits_of_the_write_ahead_log(sessions, tmp_path):
    of_log(sessions, tmp_path / "session", LONG)
