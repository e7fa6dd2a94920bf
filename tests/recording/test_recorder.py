"""The recorder: chunks without gaps, the digest of all ticks, and failed commits that are reported."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time

import pytest

from decoderd import priority
from decoderd.checkpoint import Encoder
from decoderd.clock import Stepped, Unpaced
from decoderd.errors import StoreError
from decoderd.recording import packing, recorder, session_file, summary
from decoderd.recording.recorder import Recorder
from decoderd.recording.store import create
from decoderd.run import loop
from decoderd.wire import codec
from decoderd.wire.messages import Health
from tests import protocols
from tests.protocols import centre_out, lasting


@pytest.fixture
def begun(tmp_path):
    """A function that begins the session of plain data in a file: (session, state, store, encoder)."""
    stores = []

    def begin(data):
        session, state = protocols.begun(data)
        store, encoder = session_file.begin(tmp_path / "session", session, state)
        stores.append(store)
        return session, state, store, encoder

    yield begin
    for store in stores:
        store.close()


def _nothing(tick, health):
    pass


class Paced(Stepped):
    paced = True


def ticks_of(store):
    return b"".join(chunk.data for chunk in store.chunks("tick"))


@pytest.mark.parametrize("chunk_ticks", [1, 7, 50, 10_000])
def test_chunks_join_without_gaps_whatever_their_size(begun, monkeypatch, chunk_ticks):
    monkeypatch.setattr(recorder, "CHUNK_TICKS", chunk_ticks)
    monkeypatch.setattr(recorder, "COMMIT_EVERY_NS", 10**15)
    session, state, store, encoder = begun(centre_out())
    sink = Recorder(store, store.begin_incarnation(0, "max", 0, {}), state, encoder, 0, session.name)
    state = loop.run(session, state, Unpaced(), sink)
    sink.close(state)
    expected = protocols.run(centre_out())
    for topic in codec.TOPICS:
        chunks = list(store.chunks(topic))
        bodies = [codec.encode(payload) for payload in expected.of(topic)]
        assert b"".join(chunk.data for chunk in chunks) == b"".join(bodies)
        number = 0
        for chunk in chunks:
            payloads = list(codec.decode_all(chunk.data))
            assert chunk.first_number == number
            assert chunk.length == len(payloads)
            assert (chunk.first_tick, chunk.last_tick) == (payloads[0]["k"], payloads[-1]["k"])
            number += chunk.length
    assert sink.digest() == hashlib.sha256(ticks_of(store)).hexdigest()
    assert len(list(store.chunks("tick"))) == -(-state.tick // chunk_ticks)
    assert store.checkpoint()[0] == state.tick


def test_commits_come_with_time(begun, monkeypatch):
    now = [0]
    monkeypatch.setattr(recorder, "now_ns", lambda: now[0])
    session, state, store, encoder = begun(lasting(1.0))
    sink = Recorder(store, store.begin_incarnation(0, "max", 0, {}), state, encoder, 0, session.name)

    def ended(state):
        now[0] += recorder.COMMIT_EVERY_NS // 10

    state = loop.run(session, state, Stepped(100), sink, ended=ended)
    sink.close(state)
    assert [chunk.length for chunk in store.chunks("tick")] == [11] + [10] * 8 + [9]


def test_the_loop_computes_longer_than_a_slow_disk_writes(begun, monkeypatch):
    now = [0]
    monkeypatch.setattr(recorder, "now_ns", lambda: now[0])
    session, state, store, encoder = begun(lasting(1.0))
    commit = store.commit

    def slow(chunk):
        commit(chunk)
        now[0] += recorder.COMMIT_EVERY_NS // 10

    monkeypatch.setattr(store, "commit", slow)
    sink = Recorder(store, store.begin_incarnation(0, "max", 0, {}), state, encoder, 0, session.name)

    def ended(state):
        now[0] += recorder.COMMIT_EVERY_NS // 10

    state = loop.run(session, state, Stepped(60), sink, ended=ended)
    sink.close(state)
    # The tick after a quarter second; then, the disk takes as long as a tick, one in as many.
    computing = recorder.COMPUTING_OF_COMMIT
    assert [chunk.length for chunk in store.chunks("tick")] == [11, computing, computing, 49 - 2 * computing]


def test_only_paced_ticks_have_lateness(begun, monkeypatch):
    monkeypatch.setattr(recorder, "CHUNK_TICKS", 30)
    session, state, store, encoder = begun(lasting(1.0))
    sink = Recorder(store, store.begin_incarnation(0, "max", 0, {}), state, encoder, 0, session.name)
    state = loop.run(session, state, Stepped(40), sink)
    sink.close(state)
    assert list(store.timing()) == []
    sink = Recorder(store, store.begin_incarnation(40, "1", 10_000_000, {}), state, encoder, 10_000_000, session.name)
    state = loop.run(session, state, Paced(60), sink)
    sink.close(state)
    found = list(store.timing())
    assert [number for number, _, _ in found] == [2] * len(found)
    assert sum(len(late) for _, late, _ in found) == sum(len(busy) for _, _, busy in found) == 60


@pytest.mark.parametrize(("period_ns", "packed"), [(0, True), (10_000_000, True), (1_000_000, False)])
def test_messages_are_packed_where_there_is_time_for_it(begun, period_ns, packed):
    session, state, store, encoder = begun(lasting(1.0))
    sink = Recorder(store, store.begin_incarnation(0, "1", period_ns, {}), state, encoder, period_ns, session.name)
    sink.close(loop.run(session, state, Unpaced(), sink))
    assert hashlib.sha256(ticks_of(store)).hexdigest() == sink.digest()
    with sqlite3.connect(store.path) as database:
        (first,) = database.execute("select substr(data, 1, 1) from message where topic = 'tick'").fetchone()
    assert (first != packing.ZLIB) is packed


@pytest.mark.parametrize(("period_ns", "beside"), [(0, []), (10_000_000, ["recorder"])])
def test_beside_a_loop_with_deadlines_the_writing_thread_has_priority(begun, monkeypatch, period_ns, beside):
    asking = []
    monkeypatch.setattr(priority, "beside_the_loop", lambda: asking.append(threading.current_thread().name))
    session, state, store, encoder = begun(lasting(0.5))
    sink = Recorder(store, store.begin_incarnation(0, "1", period_ns, {}), state, encoder, period_ns, session.name)
    sink.close(loop.run(session, state, Unpaced(), sink))
    assert asking == beside


def test_the_lateness_of_an_hour_is_stored_and_published(begun):
    session, state, store, encoder = begun(lasting(1.0))
    published = []
    number = store.begin_incarnation(0, "1", 10, {})
    sink = Recorder(
        store, number, state, encoder, 10_000_000, session.name, lambda tick, health: published.append(health)
    )
    sink.put([("tick", {"k": 0}, codec.encode({"k": 0}))], 0)
    sink.timed(3600 * 10**9, 10**12)
    sink.close(state._replace(tick=1))
    ((_, late, busy),) = store.timing()
    assert (late.tolist(), busy.tolist()) == ([3600 * 10**9], [10**12])
    (health,) = [Health.read(codec.decode(body)) for body in published]
    assert list(health.lateness_us or ()) == [3.6e9] * 3
    assert summary.lateness(store)["max_us"] == 3.6e9


def test_a_resumed_session_has_the_digest_of_all_its_ticks(begun):
    session, state, store, encoder = begun(lasting(2.0))
    for ticks in (30, 1, 100, 69):
        sink = Recorder(store, store.begin_incarnation(state.tick, "max", 0, {}), state, encoder, 0, session.name)
        state = loop.run(session, state, Stepped(ticks), sink)
        sink.close(state)
        assert sink.digest() == hashlib.sha256(ticks_of(store)).hexdigest()
    whole = b"".join(codec.encode(tick) for tick in protocols.run(lasting(2.0)).of("tick"))
    assert sink.digest() == hashlib.sha256(whole).hexdigest()


def test_a_recorder_with_nothing_to_record(begun):
    session, state, store, encoder = begun(lasting(1.0))
    sink = Recorder(store, store.begin_incarnation(0, "max", 0, {}), state, encoder, 0, session.name)
    sink.close(state)
    assert sink.digest() == hashlib.sha256(b"").hexdigest()
    assert store.checkpoint()[0] == 0


def test_the_journal_commits_with_the_ticks_that_consumed_it(begun, monkeypatch):
    monkeypatch.setattr(recorder, "CHUNK_TICKS", 10)
    session, state, store, encoder = begun(lasting(1.0))
    sink = Recorder(store, store.begin_incarnation(0, "max", 0, {}), state, encoder, 0, session.name)
    for tick, place, body in ((3, 0, b"a"), (3, 1, b"b"), (9, 0, b"c"), (12, 0, b"d")):
        while state.tick < tick:
            state = loop.run(session, state, Stepped(1), sink)
        sink.journal(tick, place, body)
    state = loop.run(session, state, Stepped(1), sink)
    sink.abandon()  # what came after the last chunk is lost, input and tick alike
    assert list(store.journal()) == [(3, b"a"), (3, b"b"), (9, b"c")]
    assert store.checkpoint()[0] == 10


def test_a_commit_that_fails_stops_the_loop_and_nothing_follows_it(begun, monkeypatch):
    monkeypatch.setattr(recorder, "CHUNK_TICKS", 10)
    session, state, store, encoder = begun(lasting(10.0))
    commit, ticks = store.commit, []

    def failing(chunk):
        ticks.append(chunk.tick)
        if chunk.tick == 30:
            raise StoreError("no room")
        commit(chunk)

    monkeypatch.setattr(store, "commit", failing)
    sink = Recorder(store, store.begin_incarnation(0, "max", 0, {}), state, encoder, 0, session.name)
    with pytest.raises(StoreError, match="no room"):
        loop.run(session, state, Unpaced(), sink)
    sink.abandon()
    assert ticks[:3] == [10, 20, 30] == ticks
    assert store.checkpoint()[0] == 20


def test_a_last_commit_that_fails_is_reported(begun, monkeypatch):
    session, state, store, encoder = begun(lasting(1.0))
    monkeypatch.setattr(store, "commit", lambda chunk: (_ for _ in ()).throw(RuntimeError("burst")))
    sink = Recorder(store, store.begin_incarnation(0, "max", 0, {}), state, encoder, 0, session.name)
    state = loop.run(session, state, Stepped(10), sink)
    with pytest.raises(StoreError, match="writing: burst"):
        sink.close(state)


def test_the_loop_waits_for_a_slow_disk(begun, monkeypatch):
    monkeypatch.setattr(recorder, "CHUNK_TICKS", 10)
    session, state, store, encoder = begun(lasting(10.0))
    commit, free, reached = store.commit, threading.Event(), [0]

    def slow(chunk):
        free.wait(20)
        commit(chunk)

    monkeypatch.setattr(store, "commit", slow)
    number = store.begin_incarnation(0, "max", 0, {})
    sink = Recorder(store, number, state, encoder, 0, session.name, on_commit=_nothing)

    def watch(state):
        reached[0] = state.tick
        return False

    waited = []

    def release():
        time.sleep(0.5)
        waited.append(reached[0])
        free.set()

    helper = threading.Thread(target=release)
    helper.start()
    state = loop.run(session, state, Unpaced(), sink, ended=watch)
    helper.join()
    sink.close(state)
    # One chunk is being written, QUEUE of them wait, and the loop stands at the one after.
    assert waited[0] <= 10 * (recorder.QUEUE + 2)
    assert sink.digest() == hashlib.sha256(ticks_of(store)).hexdigest()
    assert store.checkpoint()[0] == 1000


def test_threads_end_with_their_recorder(begun):
    session, state, store, _ = begun(lasting(1.0))
    before = threading.active_count()
    for end in (lambda sink: sink.close(state), Recorder.abandon):
        for period_ns, on_commit, threads in ((0, None, 0), (0, _nothing, 1), (10_000_000, None, 1)):
            sink = Recorder(store, 1, state, Encoder(), period_ns, session.name, on_commit)
            assert threading.active_count() == before + threads
            end(sink)
            assert threading.active_count() == before


def test_what_is_written_does_not_depend_on_who_writes(begun, monkeypatch):
    monkeypatch.setattr(recorder, "CHUNK_TICKS", 30)
    monkeypatch.setattr(recorder, "COMMIT_EVERY_NS", 10**15)
    session, state, store, _ = begun(lasting(1.0))
    found = []
    for directory, on_commit in (("loop", None), ("thread", _nothing)):
        encoder = Encoder()
        with create(store.path.parent / directory, {}, encoder.encode(state)) as other:
            number = other.begin_incarnation(0, "max", 0, {})
            sink = Recorder(other, number, state, encoder, 0, session.name, on_commit)
            sink.close(loop.run(session, state, Unpaced(), sink))
            kept = {topic: list(other.chunks(topic)) for topic in codec.TOPICS if topic not in codec.OBSERVED}
            found.append((sink.digest(), kept, list(other.trials()), other.checkpoint()))
    assert len(found[0][1]["tick"]) == 4
    assert found[0] == found[1]
