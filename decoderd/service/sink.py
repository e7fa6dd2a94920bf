"""The sink of a served session: messages are published, then recorded, and shared with control."""

from __future__ import annotations

from typing import Any

from decoderd.clock import now_ns
from decoderd.recording.recorder import Recorder
from decoderd.run.outlet import Outlet
from decoderd.service.live_inputs import LiveInputs
from decoderd.service.lockstep import Lockstep
from decoderd.service.shared_state import SharedState
from decoderd.service.systemd import Watchdog
from decoderd.state import SessionState


class PublishingSink:
    """The loop's sink (see `run.loop.Sink`) in a session process."""

    def __init__(
        self,
        outlet: Outlet,
        recorder: Recorder,
        shared: SharedState,
        live_inputs: LiveInputs,
        lockstep: Lockstep | None,
        watchdog: Watchdog,
    ) -> None:
        self._outlet, self._recorder, self._shared = outlet, recorder, shared
        self._live_inputs, self._lockstep, self._watchdog = live_inputs, lockstep, watchdog

    def put(self, messages: list[tuple[str, dict[str, Any], bytes]], tick: int) -> None:
        """Publish the messages of a tick, then record them."""
        for topic, _, body in messages:
            self._outlet.send(topic, body)
        self._outlet.send_pending()
        if self._lockstep is not None:
            self._lockstep.keep(messages)
        self._shared.last_tick = messages[0][1]
        self._recorder.put(messages, tick)

    def journal(self, tick: int, place: int, body: bytes) -> None:
        """Record an input that was consumed."""
        self._recorder.journal(tick, place, body)

    def timed(self, late_ns: int, busy_ns: int) -> None:
        """Record how late the tick began and how long it took."""
        self._recorder.timed(late_ns, busy_ns)

    def settle(self, state: SessionState) -> None:
        """The tick is over: share its state, hand the results of inputs to control, commit if it is time to."""
        self._shared.session_state, self._shared.turned_ns = state, now_ns()
        self._watchdog.turn()
        self._live_inputs.tick_over(state.tick - 1)
        if self._shared.take_flush():
            self._recorder.flush(state)
        self._recorder.settle(state)
