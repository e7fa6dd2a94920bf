"""`session` messages: what happens to a run of a session (began, paused, stopped ...), recorded and published."""

from __future__ import annotations

from decoderd.recording.recorder import Recorder
from decoderd.run.outlet import Outlet
from decoderd.service.lifecycle import Event
from decoderd.service.shared_state import SharedState
from decoderd.wire.messages import ProcessEvent, Session


class StateMessages:
    """Changes the state of the process and sends the `session` messages of one incarnation."""

    def __init__(self, outlet: Outlet, recorder: Recorder, shared: SharedState, incarnation: int) -> None:
        self._outlet, self._recorder, self._shared = outlet, recorder, shared
        self._incarnation, self._from_tick = incarnation, shared.session_state.tick

    def send(self, what: ProcessEvent, about: str) -> None:
        """Record and publish one message: `what` happened, and to which participant or endpoint."""
        fields = Session.build(event=what, run=self._incarnation, first_tick=self._from_tick, detail=about)
        body = self._recorder.observe(Session.topic, fields, self._shared.session_state.tick)
        self._outlet.send(Session.topic, body)

    def change(self, event: Event, what: ProcessEvent, about: str = "") -> None:
        """Change the state of the process, send the message, and have everything committed."""
        self._shared.advance(event)
        self.send_and_commit(what, about)

    def send_and_commit(self, what: ProcessEvent, about: str = "") -> None:
        """Send the message and have everything committed: no tick may follow for long."""
        self.send(what, about)
        self.commit()

    def commit(self) -> None:
        """Have everything so far committed."""
        self._recorder.flush(self._shared.session_state)
