"""The share of each tick that control may use: a flood of requests waits, and ticks do not.

Control and the loop take turns with the interpreter, so what control does while a tick is due makes that tick late. A
few requests cost little and are answered at once. What goes beyond a share of the time that a tick leaves is done after
the next tick has ended.
"""

from __future__ import annotations

import time

from decoderd.clock import now_ns
from decoderd.service.shared_state import SharedState

# Of the time between the end of a tick and the next one: computing time that control may use.
SHARE = 0.15
# A tick that was due so long ago is not waited for: the session is paused, or has ended.
STANDS_NS = 50_000_000
# How often control looks whether the next tick has ended. After that it goes on, however late the ticks are.
LOOKS = 8
LOOK_S = 2e-4


class TickShare:
    """Computing time of the thread that calls `wait`, in ticks of the session whose loop writes `shared`."""

    def __init__(self, shared: SharedState) -> None:
        self._shared, self._tick_end, self._until = shared, 0, 0

    def wait(self) -> None:
        """Return at once while the share of this tick is not used up, otherwise after the next tick."""
        shared = self._shared
        for _ in range(LOOKS):
            period, due, ended = shared.period_ns, shared.due_ns, shared.turned_ns
            if ended != self._tick_end:
                self._tick_end = ended
                self._until = time.thread_time_ns() + int(SHARE * (due + period - ended))
            now = now_ns()
            if not period or now - due - period > STANDS_NS or time.thread_time_ns() < self._until:
                return
            # Tick after tick takes about as long, and looking while it runs would hold it up.
            next_end = due + period + max(0, ended - due)
            time.sleep(max(next_end - now, 0) * 1e-9 + LOOK_S)
