"""A session that is served: its control, its stream, and what happens before and after its loop."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager
from types import TracebackType

from decoderd import priority
from decoderd.clock import Clock, now_ns
from decoderd.recording.recorder import Recorder
from decoderd.run.outlet import Outlet
from decoderd.run.runner import LiveRun
from decoderd.run.signals import Interrupt
from decoderd.service.control import SessionControl
from decoderd.service.description import RunInfo
from decoderd.service.live_inputs import LiveInputs
from decoderd.service.lockstep import Lockstep
from decoderd.service.process_file import ProcessEntry
from decoderd.service.requests import ReceivedRequest, RequestSocket
from decoderd.service.shared_state import SharedState
from decoderd.service.sink import PublishingSink
from decoderd.service.state_messages import StateMessages
from decoderd.service.systemd import Watchdog
from decoderd.service.trouble import Trouble
from decoderd.service.waiting import WaitingClock
from decoderd.state import SessionState
from decoderd.wire import control

# Subscribers of the incarnation before need so long to connect again, and are to receive the message `resumed`.
RECONNECT_S = 0.3
# A client that keeps asking keeps the process for at most so many times the time to linger.
LONGEST = 30
# A thread of control that cannot go on looks so often whether it is to try again.
BACKOFF_S = 0.05


class LiveSession(AbstractContextManager["LiveSession"]):
    """The service around the run of a session (see `run.runner.Service`).

    Control has a thread of its own, except in lockstep: there the loop answers requests while it waits for grants.
    """

    def __init__(
        self,
        run: RunInfo,
        state: SessionState,
        outlet: Outlet,
        requests: RequestSocket,
        terms: control.Participants | None,
        interrupt: Interrupt,
        watchdog: Watchdog,
        entry: ProcessEntry,
    ) -> None:
        self._run, self._outlet, self._requests, self._interrupt = run, outlet, requests, interrupt
        self._watchdog, self._entry = watchdog, entry
        self._waiting: list[ReceivedRequest] = []
        self._shared = SharedState(state, interrupt, entry)
        self._lockstep = Lockstep(terms) if terms is not None else None
        self._control = SessionControl(requests, self._shared, run, self._lockstep)
        self._control_thread = ControlThread(self._control, self._shared)

    def take_over(self, waiting: list[ReceivedRequest]) -> None:
        """Take the requests that came while the session was prepared; they are handled before all others."""
        self._waiting = waiting

    def on_commit(self, tick: int, health: bytes) -> None:
        """Ticks below `tick` are on the disk; called in the recorder's thread."""
        self._shared.committed = tick
        self._outlet.send_later("health", health)
        self._shared.wake_control()
        self._entry.renew()

    def start(self, recorder: Recorder, clock: Clock) -> LiveRun:
        """Announce the run and begin to answer requests; returns what the loop is to use."""
        shared, lockstep, watchdog = self._shared, self._lockstep, self._watchdog
        messages = StateMessages(self._outlet, recorder, shared, self._run.incarnation)
        inputs = LiveInputs(shared, lockstep)
        in_loop = self._control if lockstep is not None else None
        if self._run.incarnation > 1:
            time.sleep(RECONNECT_S)
        shared.advance("prepared")
        messages.send("began" if self._run.incarnation == 1 else "resumed", self._run.control)
        for received in self._waiting:
            self._control.handle(received)
        if in_loop is None:
            self._control_thread.start(clock.paced)

        def on_loop_end(state: SessionState) -> None:
            shared.session_state = state
            if state.progress.done:
                shared.advance("end")
                messages.send("done", self._run.control)
            else:
                shared.advance("stop")
                messages.send("stopped", self._run.control)

        def on_failure(why: str) -> None:
            shared.advance("fail")
            messages.send("failed", why)

        return LiveRun(
            PublishingSink(self._outlet, recorder, shared, inputs, lockstep, watchdog),
            WaitingClock(clock, shared, messages, self._outlet, watchdog, lockstep, in_loop),
            inputs,
            on_loop_end,
            on_failure,
            self._on_stored,
        )

    def _on_stored(self) -> None:
        """Everything is stored: reply to all requests that wait."""
        self._control_thread.end()
        self._outlet.send_pending()
        self._control.conclude()

    def linger(self, seconds: float) -> None:
        """Answer requests until none has arrived for `seconds`, so that subscribers can fetch what they missed.

        At most LONGEST times as long, and only until a signal asks the process to end.
        """
        began = last = now_ns()
        answered = self._requests.requests
        while (
            not self._interrupt.leaving
            and now_ns() - last < seconds * 1e9
            and now_ns() - began < LONGEST * seconds * 1e9
        ):
            self._control.turn(50)
            self._entry.renew()
            if self._requests.requests != answered:
                last, answered = now_ns(), self._requests.requests

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._control_thread.end()
        self._control.close()
        self._shared.close()


class ControlThread:
    """The thread in which control answers requests while the loop runs."""

    def __init__(self, session_control: SessionControl, shared: SharedState) -> None:
        self._control, self._shared, self._ending, self._paced = session_control, shared, False, False
        self._thread = threading.Thread(target=self._answer, name="control", daemon=True)

    def start(self, paced: bool) -> None:
        """Start the thread that answers control requests; `paced`: the loop has deadlines."""
        self._paced = paced
        self._thread.start()

    def end(self) -> None:
        """End the thread, if it runs, and wait for it."""
        self._ending = True
        if self._thread.is_alive():
            self._shared.wake_control()
            self._thread.join()

    def _answer(self) -> None:
        if self._paced:
            priority.beside_the_loop()
        trouble = Trouble("control")
        while not self._ending:
            if trouble.due:
                with trouble.noted():
                    self._control.turn(200)
            else:
                time.sleep(BACKOFF_S)
