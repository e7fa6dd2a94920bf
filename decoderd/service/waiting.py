"""Waiting: the clock of a served session, which holds ticks back while the session is paused or not granted."""

from __future__ import annotations

from decoderd.clock import Clock, now_ns
from decoderd.recording.recorder import COMMIT_EVERY_NS
from decoderd.run.outlet import Outlet
from decoderd.service.control import SessionControl
from decoderd.service.lockstep import Lockstep
from decoderd.service.shared_state import SharedState
from decoderd.service.state_messages import StateMessages
from decoderd.service.systemd import Watchdog

# How often a loop that stands still looks for changes.
STANDING_S = 0.1
# In lockstep the loop answers control itself, this often while it runs.
TURN_EVERY_NS = 5_000_000


class WaitingClock:
    """The loop's clock (see `clock.Clock`) in a session process: `clock`, with ticks held back while they have to wait.

    `control` is given where the loop answers requests itself, in lockstep; otherwise a thread does.
    """

    def __init__(
        self,
        clock: Clock,
        shared: SharedState,
        messages: StateMessages,
        outlet: Outlet,
        watchdog: Watchdog,
        lockstep: Lockstep | None,
        control: SessionControl | None,
    ) -> None:
        self._clock, self._shared, self._messages, self._outlet = clock, shared, messages, outlet
        self._watchdog, self._lockstep, self._control = watchdog, lockstep, control
        self.paced, self._control_turned = clock.paced, now_ns()

    @property
    def period_ns(self) -> int:
        """The tick length of the clock within."""
        return self._clock.period_ns

    def start(self, tick: int) -> None:
        """The loop begins."""
        self._clock.start(tick)

    def wait(self, tick: int) -> int | None:
        """Wait until the tick is due and allowed; returns how late it is (ns), or None if the session is to stop."""
        shared = self._shared
        # A session that is about to stand still answers once it does: replies then give the state that follows.
        stands = shared.paused or (self._lockstep is not None and self._lockstep.waits_for(shared.session_state))
        if self._control is not None and not stands and now_ns() - self._control_turned > TURN_EVERY_NS:
            self._control.turn(0)
            self._control_turned = now_ns()
        if shared.paused and not shared.stopping:
            self._wait_while_paused()
            self._clock.start(tick)
        if self._lockstep is not None and not shared.stopping:
            self._wait_for_grants(self._lockstep)
        late = None if shared.stopping else self._clock.wait(tick)
        if self.paced and late is not None:
            shared.due_ns, shared.period_ns = now_ns() - late, self._clock.period_ns
        return late

    def _wait_while_paused(self) -> None:
        """Stand still until control ends the pause or asks for a stop; everything is stored meanwhile."""
        self._messages.change("pause", "paused")
        while self._shared.paused and not self._shared.stopping:
            self._stand()
        self._messages.change("continue", "continued")

    def _wait_for_grants(self, lockstep: Lockstep) -> None:
        """Stand still until all participants have granted the next tick; act as agreed when one is silent."""
        shared, terms = self._shared, lockstep.terms
        if not lockstep.waits_for(shared.session_state):
            return
        since, reported = now_ns(), False
        shared.advance("wait")
        while silent := lockstep.waits_for(shared.session_state):
            self._stand()
            if shared.stopping:
                return
            if now_ns() - since > COMMIT_EVERY_NS:  # what was published is on the disk soon, though no tick comes
                self._messages.commit()
            if reported or now_ns() - since < terms.silence_s * 1e9:
                continue
            if terms.when_silent == "stop":
                self._messages.send("waiting", ", ".join(silent))
                shared.ask_stop()
                return
            if terms.when_silent == "pause":
                self._messages.send_and_commit("waiting", ", ".join(silent))
                reported = True
                continue
            if not self._drop(lockstep):
                shared.paused = True  # until a participant joins and control resumes
                self._wait_while_paused()
                shared.advance("wait")
                since = now_ns()
        shared.advance("granted")

    def _drop(self, lockstep: Lockstep) -> bool:
        """Drop the participants that are silent; returns whether any is left."""
        for name in lockstep.waits_for(self._shared.session_state):
            lockstep.participants[name].taking_part = False
            self._messages.send("dropped", name)
        return any(one.taking_part for one in lockstep.participants.values())

    def _stand(self) -> None:
        """One turn of a loop that stands still: publish what other threads left, commit if asked to, wait."""
        shared = self._shared
        shared.turned_ns = now_ns()
        self._watchdog.turn()
        self._outlet.send_pending()
        if shared.take_flush():
            self._messages.commit()
        if self._control is not None:
            self._control.turn(int(STANDING_S * 1e3))
        else:
            shared.changed.wait(STANDING_S)
            shared.changed.clear()
