"""The recorder of a running session: it collects messages and inputs, and writes them to the file every quarter second.

Where ticks have deadlines, or a service answers requests, a thread writes. Else the loop itself does, which takes less
time: see docs/decisions/0050-at-full-speed-the-loop-writes.md.

It also computes the digest of the tick messages, and measures how punctual the loop is, in messages of topic `health`.
"""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from array import array
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from decoderd import priority
from decoderd.checkpoint import Encoder
from decoderd.clock import now_ns
from decoderd.errors import StoreError
from decoderd.recording import packing
from decoderd.recording.store import Chunk, MessageRun, Store
from decoderd.state import SessionState
from decoderd.wire.codec import OBSERVED, encode
from decoderd.wire.message import SEQUENCE, Payload, numbered
from decoderd.wire.messages import Health, Spread, Trial

# A crash loses at most what came after the last commit.
COMMIT_EVERY_NS = 250_000_000
# Where the loop writes and a disk is slow, the loop computes for so many times as long as the last commit took.
COMPUTING_OF_COMMIT = 20
# Chunks that may wait to be written; when they are that many, the loop waits for the disk.
QUEUE = 4
# The writing thread holds the interpreter for up to a millisecond, in which the publisher cannot send the tick's
# message and the next tick cannot begin. So each piece of its work waits for a lull: some time after a tick has ended,
# and long enough before the next is due. See docs/decisions/0010-the-recorder-writes-in-the-lull.md.
LULL_OF_PERIOD, LULL_S = 0.25, 0.002
PIECE_OF_PERIOD = 0.5
LULLS = 8
# Packing holds the interpreter for up to a millisecond, where compressing lets it go. So messages of shorter ticks are
# only compressed.
PACKED_FROM_NS = 5_000_000
# Most ticks in a chunk, so that memory does not grow when the loop is fast.
CHUNK_TICKS = 20_000


class _Batch(NamedTuple):
    """What is written at once: everything in it is immutable, or no longer used by the loop."""

    buffers: dict[str, tuple[int, int, int, list[bytes]]]
    trials: list[dict[str, Any]]
    journal: list[tuple[int, int, bytes]]
    state: SessionState
    wall_s: float
    since_last_s: float
    timing: tuple[int, bytes, bytes] | None


class Recorder:
    """Records one incarnation of a session called `name`.

    `period_ns` is the time from tick to tick, 0 without deadlines. `on_commit(tick, health)` is called by the writing
    thread after every commit: ticks below `tick` are on the disk, `health` is the message about them. Without a period
    and without `on_commit` there is no such thread.
    """

    def __init__(
        self,
        store: Store,
        incarnation: int,
        state: SessionState,
        encoder: Encoder,
        period_ns: int,
        name: str,
        on_commit: Callable[[int, bytes], None] | None = None,
    ) -> None:
        self._store, self._incarnation, self._encoder = store, incarnation, encoder
        self._name, self._period_ns, self._on_commit = name, period_ns, on_commit
        self._lull_s = min(LULL_OF_PERIOD * period_ns * 1e-9, LULL_S)
        self._next_due = 0
        self._clipped = state.clipped.unit_ticks  # as of the last `health` message
        self._observed = {topic: store.next_number(topic) for topic in OBSERVED}
        self._digest = hashlib.sha256()
        for chunk in store.chunks("tick"):
            self._digest.update(chunk.data)
        self._began = self._committed = now_ns()
        self._due, self._commit_ns = self._began + COMMIT_EVERY_NS, 0
        self._failure: Exception | None = None
        self._queue: queue.Queue[_Batch | None] = queue.Queue(QUEUE)
        self._open(state.tick)
        self._thread: threading.Thread | None = None
        if period_ns or on_commit is not None:
            self._thread = threading.Thread(target=self._write_what_is_queued, name="recorder", daemon=True)
            self._thread.start()

    def _open(self, tick: int) -> None:
        self._first_tick = tick
        self._ticks: list[bytes] = []
        # topic -> [first number, first tick, last tick, messages]
        self._rare: dict[str, list[Any]] = {}
        self._trials: list[dict[str, Any]] = []
        self._journal: list[tuple[int, int, bytes]] = []
        self._late, self._busy = array("q"), array("q")

    def put(self, messages: list[tuple[str, dict[str, Any], bytes]], tick: int) -> None:
        """Record the messages of one tick, (topic, payload, bytes) each; the first is of topic `tick`."""
        self._ticks.append(messages[0][2])
        for topic, payload, body in messages[1:]:
            self._keep(topic, payload[SEQUENCE], body, tick)
            if topic == Trial.topic:
                self._trials.append(payload)

    def observe(self, topic: str, fields: Payload, tick: int) -> bytes:
        """Record a message about this run rather than the session (topics.OBSERVED); returns its bytes.

        `fields` is what the message's model built.
        """
        number, body = self._observe(topic, fields, tick)
        self._keep(topic, number, body, tick)
        return body

    def _observe(self, topic: str, fields: Payload, tick: int) -> tuple[int, bytes]:
        number = self._observed[topic]
        self._observed[topic] += 1
        return number, encode(numbered(fields, self._name, number, tick))

    def _keep(self, topic: str, number: int, body: bytes, tick: int) -> None:
        run = self._rare.get(topic)
        if run is None:
            self._rare[topic] = [number, tick, tick, [body]]
        else:
            run[2] = tick
            run[3].append(body)

    def journal(self, tick: int, place: int, body: bytes) -> None:
        """Record an input that tick `tick` consumed, the `place`-th of that tick."""
        self._journal.append((tick, place, body))

    def timed(self, late_ns: int, busy_ns: int) -> None:
        """Record how late a tick began and how long it took, ns."""
        self._next_due = now_ns() + self._period_ns - late_ns - busy_ns
        self._late.append(late_ns)
        self._busy.append(busy_ns)

    def settle(self, state: SessionState) -> None:
        """Commit if the last commit was long enough ago. Raises StoreError if an earlier one failed."""
        if self._failure is not None:
            raise self._failure
        if now_ns() >= self._due or len(self._ticks) >= CHUNK_TICKS:
            self._hand_over(state)

    def flush(self, state: SessionState) -> None:
        """Commit everything recorded so far, without waiting for the disk."""
        if (self._ticks or self._rare) and self._failure is None:
            self._hand_over(state)

    def close(self, state: SessionState) -> None:
        """Commit everything and wait until it is on the disk. Raises StoreError if that failed.

        `state` is that after the last whole tick: inputs of one that could not be computed were not consumed.
        """
        self._journal = [row for row in self._journal if row[0] < state.tick]
        self.flush(state)
        self._end()
        if self._failure is not None:
            raise self._failure

    def abandon(self) -> None:
        """Record nothing more, and leave out what was recorded since the last commit, as in a crash."""
        self._end()

    def _end(self) -> None:
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def digest(self) -> str:
        """SHA-256 over the tick messages of all incarnations of the session; call it after `close`."""
        return self._digest.hexdigest()

    def _hand_over(self, state: SessionState) -> None:
        now = now_ns()
        last = state.tick - 1
        buffers = {topic: (run[0], run[1], run[2], run[3]) for topic, run in self._rare.items()}
        if self._ticks:
            buffers["tick"] = (self._first_tick, self._first_tick, last, self._ticks)
        timing = (self._first_tick, self._late.tobytes(), self._busy.tobytes()) if len(self._late) else None
        wall_s, since_last_s = (now - self._began) * 1e-9, (now - self._committed) * 1e-9
        batch = _Batch(buffers, self._trials, self._journal, state, wall_s, since_last_s, timing)
        if self._thread is not None:
            self._queue.put(batch)
            self._due = now + COMMIT_EVERY_NS
        else:
            self._write(batch)
            self._due = now_ns() + max(COMMIT_EVERY_NS, COMPUTING_OF_COMMIT * self._commit_ns)
        self._committed = now
        self._open(state.tick)

    def _write_what_is_queued(self) -> None:
        if self._period_ns:
            priority.beside_the_loop()
        while (batch := self._queue.get()) is not None:
            self._wait_for_lull()
            if self._failure is None:  # else the loop is about to stop, and a later commit would leave a gap
                self._write(batch)

    def _write(self, batch: _Batch) -> None:
        try:
            health = self._health(batch)
            self._wait_for_lull()
            chunk = self._chunk(batch, self._runs(batch))
            self._wait_for_lull()
            began = now_ns()
            self._store.commit(chunk)
            self._commit_ns = now_ns() - began
            if self._on_commit is not None:
                self._on_commit(batch.state.tick, health)
        except StoreError as error:
            self._failure = error
        except Exception as error:
            self._failure = StoreError(f"{self._store.path}: writing: {error}")

    def _wait_for_lull(self) -> None:
        """Wait until a piece of work fits between two ticks, but not for more than `LULLS` naps."""
        for _ in range(LULLS):
            time.sleep(self._lull_s)
            left = self._next_due - now_ns()
            if not self._next_due or left > PIECE_OF_PERIOD * self._period_ns:
                break

    def _health(self, batch: _Batch) -> bytes:
        """The `health` message about the ticks of a batch; it is committed with them."""
        ticks = len(batch.buffers["tick"][3]) if "tick" in batch.buffers else 0
        late = busy = None
        missed = 0
        if batch.timing is not None:
            late_ns, busy_ns = (np.frombuffer(part, dtype=np.int64) for part in batch.timing[1:])
            late, busy = _spread(late_ns), _spread(busy_ns)
            missed = int(np.count_nonzero(late_ns + busy_ns > self._period_ns))
        tick, clipped = max(batch.state.tick - 1, 0), batch.state.clipped.unit_ticks
        fields = Health.build(
            ticks=ticks,
            wall_s=batch.since_last_s,
            lateness_us=late,
            duration_us=busy,
            missed_deadlines=missed,
            clipped=clipped - self._clipped,
        )
        self._clipped = clipped
        number, body = self._observe(Health.topic, fields, tick)
        batch.buffers[Health.topic] = (number, tick, tick, [body])
        return body

    def _runs(self, batch: _Batch) -> list[MessageRun]:
        """The messages of a batch; packed, in a lull where they are many, unless ticks leave no time for it."""
        runs, packs = [], not 0 < self._period_ns < PACKED_FROM_NS
        for topic, (number, first, last, bodies) in batch.buffers.items():
            data = b"".join(bodies)
            if topic == "tick":
                self._digest.update(data)
            if packs and len(data) >= packing.FEW_BYTES:
                self._wait_for_lull()
            packed = packing.pack(bodies) if packs else None
            runs.append(MessageRun(topic, number, len(bodies), first, last, data, packed))
        return runs

    def _chunk(self, batch: _Batch, runs: list[MessageRun]) -> Chunk:
        state = batch.state
        return Chunk(
            runs,
            batch.trials,
            batch.journal,
            state.tick,
            state.progress.day,
            self._encoder.encode(state),
            self._incarnation,
            batch.wall_s,
            batch.timing,
        )


def _spread(nanoseconds: np.ndarray) -> Spread:
    """Median, 99th percentile and maximum in us, as a `health` message gives them."""
    ordered = np.sort(nanoseconds)
    last = len(ordered) - 1
    median, late, worst = (float(ordered[place]) / 1e3 for place in (last // 2, -(-99 * last // 100), last))
    return median, late, worst
