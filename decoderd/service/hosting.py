"""A session with its two sockets: what the loop meets when somebody may listen and interfere.

The loop stays what it is. Its clock can be made to stand, its source of inputs is control, and what it puts out is
published before it is recorded.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import zmq

from decoderd.clock import Clock, now_ns
from decoderd.recording.recorder import COMMIT_EVERY_NS, Recorder
from decoderd.recording.store import Store
from decoderd.run.runner import Interrupt
from decoderd.service import systemd
from decoderd.service.control import Desk, Facts
from decoderd.service.live_inputs import Inbox
from decoderd.service.lockstep import Lockstep
from decoderd.service.publisher import Publisher
from decoderd.service.requests import Answering
from decoderd.service.shared_state import Board
from decoderd.session.assembly import Session
from decoderd.state import SessionState
from decoderd.wire import control

# Subscribers of the incarnation before need so long to connect again, and shall hear from which tick it goes on.
COMING_BACK_S = 0.3
# How often a loop that stands still looks around.
STANDING_S = 0.1
# Somebody who keeps asking keeps the process for so many times as long as it lingers for nobody.
LONGEST = 30
# In lockstep the loop looks after control itself, this often while it runs.
TURN_EVERY_NS = 5_000_000


class StandingClock:
    """Another clock, but ticks wait while the session is paused or a participant has not granted them."""

    def __init__(self, clock: Clock, host: Host) -> None:
        self._clock, self._host = clock, host
        self.paced, self._turned = clock.paced, now_ns()

    @property
    def period_ns(self) -> int:
        """Of the clock within."""
        return self._clock.period_ns

    def start(self, tick: int) -> None:
        """The loop begins."""
        self._clock.start(tick)

    def wait(self, tick: int) -> int | None:
        """When the tick is due, and may pass. None: the session is to stop."""
        host = self._host
        if host.desk_in_loop and now_ns() - self._turned > TURN_EVERY_NS:
            host.desk.turn(0)
            self._turned = now_ns()
        if host.board.paused and not host.board.stopping:
            host.stand(tick)
            self._clock.start(tick)
        if host.lockstep is not None and not host.board.stopping:
            host.await_grants(tick)
        return None if host.board.stopping else self._clock.wait(tick)


class Host:
    """Clock, source and sink of a session in company."""

    desk: Desk
    publisher: Publisher

    def __init__(
        self,
        stream: zmq.Socket[Any],
        answering: Answering,
        endpoints: tuple[str, str],
        speed: str,
        terms: control.Participants | None,
        watchdog: systemd.Watchdog,
    ) -> None:
        self._watchdog = watchdog
        self._stream, self._answering, self._endpoints, self._speed = stream, answering, endpoints, speed
        self.board = Board()
        self.lockstep = Lockstep(terms) if terms is not None else None
        self._inbox = Inbox(self.board, self.lockstep)
        self.desk_in_loop = self.lockstep is not None
        self._thread: threading.Thread | None = None
        self._looped = False

    # --- beginning and end

    def join(
        self, session: Session, state: SessionState, store: Store, recorder: Recorder, clock: Clock, incarnation: int
    ) -> tuple[Host, StandingClock, Inbox]:
        """Take part in a run that is about to begin: sink, clock and source for its loop."""
        facts = Facts(session, store, incarnation, state.tick, self._speed)
        board = self.board
        board.state, board.committed = state, state.tick
        self._recorder, self._incarnation, self._from_tick = recorder, incarnation, state.tick
        self.publisher = Publisher(self._stream, incarnation)
        self.desk = Desk(self._answering, board, facts, self.lockstep, self._endpoints)
        if incarnation > 1:
            time.sleep(COMING_BACK_S)
        board.phase = "running"
        self._tell("began" if incarnation == 1 else "resumed", self._endpoints[1])
        if not self.desk_in_loop:
            self._thread = threading.Thread(target=self._attend, name="control", daemon=True)
            self._thread.start()
        return self, StandingClock(clock, self), self._inbox

    def committed(self, tick: int, health: bytes) -> None:
        """A commit is done (told in the recorder's thread)."""
        self.board.committed = tick
        self.publisher.later.append(("health", health))
        self.board.wake_control()

    def stop(self) -> None:
        """Asked for by a signal: nothing but a note may be made here."""
        self.board.stopping = True

    def part(self, state: SessionState) -> None:
        """The loop has ended at `state`, and what it did is about to be stored."""
        self.board.state = state
        self.board.phase = "done" if state.progress.done else "stopped"
        self._tell(self.board.phase, self._endpoints[1])

    def conclude(self) -> None:
        """Everything is stored: answer those who wait."""
        self._retire()
        self.publisher.catch_up()
        self.desk.conclude()

    def linger(self, seconds: float, interrupt: Interrupt) -> None:
        """Go on answering until so long nobody has asked anything, so that subscribers can fetch what they missed.

        Not beyond LONGEST times as long, and no longer than until a signal says to go.
        """
        began = last = now_ns()
        heard = self._answering.requests
        while not interrupt.leaving and now_ns() - last < seconds * 1e9 and now_ns() - began < LONGEST * seconds * 1e9:
            self.desk.turn(50)
            if self._answering.requests != heard:
                last, heard = now_ns(), self._answering.requests

    def close(self) -> None:
        """Give everything back but the sockets."""
        self._retire()
        if hasattr(self, "desk"):
            self.desk.close()
        self.board.close()

    def _retire(self) -> None:
        """End the thread of control."""
        self._looped = True
        if self._thread is not None:
            self.board.wake_control()
            self._thread.join()
            self._thread = None

    def _attend(self) -> None:
        while not self._looped:
            self.desk.turn(200)

    def _tell(self, what: str, about: str) -> None:
        """A `session` message, recorded and published."""
        assert self.board.state is not None
        fields = {"x": what, "i": self._incarnation, "f": self._from_tick, "w": about}
        self.publisher.send("session", self._recorder.observe("session", fields, self.board.state.tick))

    # --- the loop's sink

    def put(self, messages: list[tuple[str, dict[str, Any], bytes]], tick: int) -> None:
        """Publish the messages of a tick, then record them."""
        self.publisher.send_all(messages)
        if self.lockstep is not None:
            self.lockstep.hear(messages)
        self.board.last = messages[0][1]
        self._recorder.put(messages, tick)

    def journal(self, tick: int, place: int, body: bytes) -> None:
        """An input that was consumed."""
        self._recorder.journal(tick, place, body)

    def timed(self, late_ns: int, busy_ns: int) -> None:
        """How late the tick began, and how long it took."""
        self._recorder.timed(late_ns, busy_ns)

    def settle(self, state: SessionState) -> None:
        """The tick is over."""
        board = self.board
        board.state, board.turned_ns = state, now_ns()
        self._watchdog.turn()
        self._inbox.over(state.tick - 1)
        if board.flush:
            board.flush = False
            self._recorder.flush(state)
        self._recorder.settle(state)

    # --- standing still

    def stand(self, tick: int) -> None:
        """The session is paused: everything is stored, and the loop waits."""
        self._to("paused", "paused", "")
        while self.board.paused and not self.board.stopping:
            self._idle()
        self._to("running", "continued", "")

    def _to(self, phase: control.State, what: str, about: str) -> None:
        self.board.phase = phase
        self._tell(what, about)
        assert self.board.state is not None
        self._recorder.flush(self.board.state)

    def _idle(self) -> None:
        board = self.board
        board.turned_ns = now_ns()
        self._watchdog.turn()
        self.publisher.catch_up()
        if board.flush:
            board.flush = False
            assert board.state is not None
            self._recorder.flush(board.state)
        if self.desk_in_loop:
            self.desk.turn(int(STANDING_S * 1e3))
        else:
            board.changed.wait(STANDING_S)
            board.changed.clear()

    def await_grants(self, tick: int) -> None:
        """Wait for those who have not granted the next tick; act as agreed when one keeps silent."""
        assert self.lockstep is not None
        assert self.board.state is not None
        if not self.lockstep.waits_for(self.board.state):
            return
        terms, since, told = self.lockstep.terms, now_ns(), False
        self.board.phase = "waiting"
        while silent := self.lockstep.waits_for(self.board.state):
            self._idle()
            if self.board.stopping:
                return
            if now_ns() - since > COMMIT_EVERY_NS:  # what was published is on the disk soon, though no tick comes
                self._recorder.flush(self.board.state)
            if told or now_ns() - since < terms.silence_s * 1e9:
                continue
            if terms.when_silent == "stop":
                self._tell("waiting", ", ".join(silent))
                self.board.stopping = True
                return
            if terms.when_silent == "pause":
                self._to("waiting", "waiting", ", ".join(silent))
                told = True
                continue
            for name in self.lockstep.waits_for(self.board.state):
                self.lockstep.participants[name].taking_part = False
                self._tell("dropped", name)
            if not any(who.taking_part for who in self.lockstep.participants.values()):
                self.board.paused = True  # nobody is left to run for: wait until one joins and resumes
                self.stand(tick)
                since = now_ns()
        self.board.phase = "running"
