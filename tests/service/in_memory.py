"""Parts of a served session without sockets, files or processes: a recorder that keeps calls, and shared state."""

from __future__ import annotations

from contextlib import contextmanager

from decoderd.run.signals import Interrupt
from decoderd.service.process_file import ProcessRecord
from decoderd.service.shared_state import SharedState
from decoderd.wire import codec


class KeptCalls:
    """In place of a recorder: keeps the calls, in order."""

    def __init__(self):
        self.calls = []

    def put(self, messages, tick):
        self.calls.append(("put", tick, [topic for topic, _, _ in messages]))

    def journal(self, tick, place, body):
        self.calls.append(("journal", tick, place, body))

    def timed(self, late_ns, busy_ns):
        self.calls.append(("timed", late_ns, busy_ns))

    def settle(self, state):
        self.calls.append(("settle", state.tick))

    def flush(self, state):
        self.calls.append(("flush", state.tick))

    def observe(self, topic, fields, tick):
        self.calls.append(("observe", topic, fields["x"], tick))
        return codec.encode({"k": tick, **fields})


class KeptEntry:
    """In place of a process entry: keeps the record, and writes no file."""

    def __init__(self, record=ProcessRecord()):  # noqa: B008
        self.record = record

    def happened(self, event, **changes):
        self.record = self.record.after(event)._replace(**changes)

    def set_paused(self, paused):
        self.record = self.record._replace(paused=paused)

    def renew(self):
        pass


@contextmanager
def shared_state(state, *events):
    """The shared state of a session that has come to `state`, once `events` have happened."""
    shared = SharedState(state, Interrupt(), KeptEntry())
    for event in events:
        shared.advance(event)
    try:
        yield shared
    finally:
        shared.close()
