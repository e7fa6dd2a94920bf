"""Running a session in its file: clock, conditions, recorder and signals around the loop, for a new session and a
resumed one alike."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from decoderd.checkpoint import Encoder
from decoderd.clock import Clock, RealTime, Unpaced
from decoderd.errors import Interrupted, ProtocolError
from decoderd.recording import summary
from decoderd.recording.recorder import Recorder
from decoderd.recording.session_file import versions
from decoderd.recording.store import Store
from decoderd.run import loop, realtime
from decoderd.session.assembly import Session
from decoderd.state import SessionState


def clock_for(speed: str, tick_s: float) -> Clock:
    """realtime, max, lockstep (then somebody else has to say when), or a factor of real time. Raises ProtocolError."""
    if speed == "realtime":
        return RealTime(tick_s)
    if speed in ("max", "lockstep"):
        return Unpaced()
    try:
        factor = float(speed)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise ProtocolError(
            f"--speed {speed}: expected realtime, max, lockstep, or a factor above 0, such as 10", "speed"
        )
    return RealTime(tick_s, factor)


# Asks for a stop as SIGTERM does, but leaves a session that is served answering afterwards, for those who missed
# something. The supervisor sends it.
STOP = signal.SIGUSR1


class Interrupt:
    """SIGINT and SIGTERM ask for a stop at the next tick, and the process goes; a second one ends it at once.

    `asked`: to stop. `leaving`: and to stay for nobody. STOP asks for the first alone.
    """

    def __init__(self, tell: Callable[[], None] | None = None) -> None:
        self.asked = self.leaving = False
        self._tell = tell

    def _ask(self, number: int, frame: Any) -> None:
        if number != STOP:
            if self.leaving:
                raise KeyboardInterrupt
            self.leaving = True
        self.asked = True
        if self._tell is not None:
            self._tell()

    def heed(self) -> None:
        """Raise Interrupted if a signal has come: for the time before there is anything to be stored."""
        if self.asked:
            raise Interrupted("stopped by a signal before the first tick: no session was begun")

    @contextmanager
    def listening(self) -> Iterator[Interrupt]:
        """For as long as a session is prepared and runs; it does no harm to listen again within.

        Signals come to the main thread only: elsewhere nothing is done.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM, STOP)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Host(Protocol):
    """Who takes part in a run besides the recorder: see `service.hosting`."""

    def join(
        self, session: Session, state: SessionState, store: Store, recorder: Recorder, clock: Clock, incarnation: int
    ) -> tuple[loop.Sink, Clock, loop.Source]: ...
    def committed(self, tick: int, health: bytes) -> None: ...
    def stop(self) -> None: ...
    def part(self, state: SessionState) -> None: ...
    def conclude(self) -> None: ...


def drive(
    store: Store,
    encoder: Encoder,
    session: Session,
    state: SessionState,
    speed: str,
    source: loop.Source | None = None,
    tell: Callable[[SessionState], None] | None = None,
    host: Host | None = None,
    interrupt: Interrupt | None = None,
) -> dict[str, Any]:
    """Run one incarnation of a session to its end, or until interrupted; returns the summary of the whole session.

    `tell` hears of every tick, in the loop: it has to be quick. `host` puts its own clock and source in place.
    `interrupt` is one that has been listening already; what it heard counts.

    Raises StoreError when it can no longer be recorded: what was committed is intact and can be resumed.
    """
    clock = clock_for(speed, session.timing.tick_s)
    surroundings = realtime.punctual if clock.paced else realtime.steady
    heeded = interrupt if interrupt is not None else Interrupt(host.stop if host is not None else None)

    def watch(state: SessionState) -> bool:
        if tell is not None:
            tell(state)
        return heeded.asked

    with heeded.listening(), realtime.repeatable():
        incarnation = store.begin_incarnation(state.tick, speed, clock.period_ns, versions())
        with surroundings() as report:
            store.note_conditions(incarnation, report)
            heard = host.committed if host is not None else None
            recorder = Recorder(store, incarnation, state, encoder, clock.period_ns, session.name, heard)
            sink: loop.Sink = recorder
            try:
                if host is not None:
                    sink, clock, source = host.join(session, state, store, recorder, clock, incarnation)
                state = loop.run(session, state, clock, sink, source, watch)
                if host is not None:
                    host.part(state)
            except BaseException:
                recorder.abandon()
                raise
        recorder.close(state)
        if host is not None:
            host.conclude()
    found = summary.summarise(session, state, recorder.digest(), summary.wall_s(store), summary.lateness(store))
    return {**found, "incarnation": incarnation, "conditions": report}
