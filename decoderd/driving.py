"""Running a session in its file: clock, conditions, recorder and signals around the loop, for a new session and a
resumed one alike."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from decoderd import conditions, loop
from decoderd.assembly import Session
from decoderd.checkpoint import Encoder
from decoderd.clock import Clock, RealTime, Unpaced
from decoderd.errors import ProtocolError
from decoderd.recording import summary
from decoderd.recording.recorder import Recorder
from decoderd.recording.session_file import versions
from decoderd.recording.store import Store
from decoderd.state import SessionState


def clock_for(speed: str, tick_s: float) -> Clock:
    """realtime, max, or a factor of real time. Raises ProtocolError."""
    if speed == "realtime":
        return RealTime(tick_s)
    if speed == "max":
        return Unpaced()
    try:
        factor = float(speed)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise ProtocolError(f"--speed {speed}: expected realtime, max, or a factor above 0, such as 10", "speed")
    return RealTime(tick_s, factor)


class Interrupt:
    """SIGINT and SIGTERM ask for a stop at the next tick; a second one ends the process at once."""

    def __init__(self) -> None:
        self.asked = False

    def _ask(self, number: int, frame: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    @contextmanager
    def listening(self) -> Iterator[Interrupt]:
        """While the loop runs. Signals come to the main thread only: elsewhere nothing is done."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def drive(
    store: Store,
    encoder: Encoder,
    session: Session,
    state: SessionState,
    speed: str,
    source: loop.Source | None = None,
    tell: Callable[[SessionState], None] | None = None,
) -> dict[str, Any]:
    """Run one incarnation of a session to its end, or until interrupted; returns the summary of the whole session.

    `tell` hears of every tick, in the loop: it has to be quick.

    Raises StoreError when it can no longer be recorded: what was committed is intact and can be resumed.
    """
    clock = clock_for(speed, session.timing.tick_s)
    surroundings = conditions.punctual if clock.paced else conditions.steady
    interrupt = Interrupt()

    def watch(state: SessionState) -> bool:
        if tell is not None:
            tell(state)
        return interrupt.asked

    with interrupt.listening(), conditions.repeatable():
        incarnation = store.begin_incarnation(state.tick, speed, clock.period_ns, versions())
        with surroundings() as report:
            store.note_conditions(incarnation, report)
            recorder = Recorder(store, incarnation, state, encoder, clock.period_ns, session.name)
            try:
                state = loop.run(session, state, clock, recorder, source, watch)
            except BaseException:
                recorder.abandon()
                raise
        recorder.close(state)
    found = summary.summarise(session, state, recorder.digest(), summary.wall_s(store), summary.lateness(store))
    return {**found, "incarnation": incarnation, "conditions": report}
