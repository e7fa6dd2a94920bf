"""Running a session in its file: clock, real-time conditions, recorder and signals around the loop.

A new session and a resumed one run alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, get_args

from decoderd.checkpoint import Encoder
from decoderd.clock import Clock, RealTime, Unpaced
from decoderd.errors import NumericalError, ProtocolError, Shortage
from decoderd.recording import summary
from decoderd.recording.recorder import Recorder
from decoderd.recording.session_file import versions
from decoderd.recording.store import Store
from decoderd.run import loop, realtime
from decoderd.run.signals import Interrupt
from decoderd.session.assembly import Session
from decoderd.state import SessionState
from decoderd.wire.requests import LatePolicy

# With `--late from-now` a tick that is later than this, and than so many ticks, is no jitter: the clock starts anew.
RESTART_AFTER_S, RESTART_AFTER_TICKS = 0.1, 10


def clock_for(speed: str, tick_s: float, late: str = "catch-up") -> Clock:
    """The clock of a speed: realtime, max, lockstep, or a factor of real time. Raises ProtocolError.

    In lockstep the grants of participants pace the session, so its clock has no deadlines. `late` is what follows a
    delay, as of a process that was stopped and continued: `catch-up`, the late ticks as fast as they can be run, or
    `from-now`, the next tick one period after the late one began.
    """
    if late not in get_args(LatePolicy):
        raise ProtocolError(f"--late {late}: expected {' or '.join(get_args(LatePolicy))}", "late")
    if speed == "realtime":
        return _paced(tick_s, 1.0, late)
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
    return _paced(tick_s, factor, late)


def _paced(tick_s: float, factor: float, late: str) -> RealTime:
    if late == "catch-up":
        return RealTime(tick_s, factor)
    return RealTime(tick_s, factor, max(RESTART_AFTER_S, RESTART_AFTER_TICKS * tick_s / factor))


class Begun(NamedTuple):
    """A session with its file, ready for its next tick."""

    store: Store
    encoder: Encoder
    session: Session
    state: SessionState


class LiveRun(NamedTuple):
    """One run of the loop under a service: what the loop uses, and what to call after it."""

    sink: loop.Sink
    clock: Clock
    source: loop.Source
    on_loop_end: Callable[[SessionState], None]  # what the loop did last is not stored yet
    on_failure: Callable[[str], None]  # the session cannot go on, for the reason given; as above
    on_stored: Callable[[], None]


class Service(Protocol):
    """A service around a run; `service.live_session` has the one of a session process."""

    def on_commit(self, tick: int, health: bytes) -> None:
        """Ticks below `tick` are on the disk; called in the recorder's thread."""

    def start(self, recorder: Recorder, clock: Clock) -> LiveRun:
        """Called once, just before the loop begins."""


def drive(
    store: Store,
    encoder: Encoder,
    session: Session,
    state: SessionState,
    speed: str,
    source: loop.Source | None = None,
    on_progress: Callable[[SessionState], None] | None = None,
    service: Service | None = None,
    interrupt: Interrupt | None = None,
    late: str = "catch-up",
) -> dict[str, Any]:
    """Run one incarnation of a session to its end, or until interrupted; returns the summary of the whole session.

    `on_progress(state)` is called after every tick, in the loop: it has to be quick. `service` replaces clock and
    source by its own. `interrupt` is one that handles signals already; those it has received count.

    Raises StoreError when the session can no longer be recorded: what was committed is intact and can be resumed.
    Raises NumericalError, with all ticks before stored, where a tick cannot be computed, and Shortage where memory runs
    out.
    """
    clock = clock_for(speed, session.timing.tick_s, late)
    conditions = realtime.punctual if clock.paced else realtime.steady
    stop = interrupt if interrupt is not None else Interrupt()

    reached, live = state, None

    def ended(state: SessionState) -> bool:
        nonlocal reached
        reached = state
        if on_progress is not None:
            on_progress(state)
        return stop.asked

    with stop.handling(), realtime.repeatable():
        incarnation = store.begin_incarnation(state.tick, speed, clock.period_ns, versions())
        with conditions() as report:
            report["late_ticks"] = late
            store.note_conditions(incarnation, report)
            on_commit = service.on_commit if service is not None else None
            recorder = Recorder(store, incarnation, state, encoder, clock.period_ns, session.name, on_commit)
            try:
                live = service.start(recorder, clock) if service is not None else None
                if live is None:
                    state = loop.run(session, state, clock, recorder, source, ended)
                else:
                    state = loop.run(session, state, live.clock, live.sink, live.source, ended)
                    live.on_loop_end(state)
            except NumericalError as error:
                if live is not None:
                    live.on_failure(str(error))
                _store_all(recorder, reached, live)
                raise
            except MemoryError as error:
                recorder.abandon()
                raise Shortage(
                    f"tick {reached.tick}: memory ran out ({error}); what was committed is stored: resume the session "
                    f"where there is more memory, or run it with fewer units"
                ) from error
            except BaseException:
                recorder.abandon()
                raise
        _store_all(recorder, state, live)
    found = summary.summarise(session, state, recorder.digest(), summary.wall_s(store), summary.lateness(store))
    return {**found, "incarnation": incarnation, "conditions": report, "warnings": summary.warned(store)}


def _store_all(recorder: Recorder, state: SessionState, live: LiveRun | None) -> None:
    """Commit everything up to `state`, and have a service reply to the requests that waited for it."""
    recorder.close(state)
    if live is not None:
        live.on_stored()
