"""Centre-out reaching without a display: the rules of the task, and the two ways to connect it to a session.

`centre_out_pygame.py` and `centre_out_psychopy.py` draw it. Copy this file and one of them to make a task of your own:
the rules are `CentreOut.step`. Needs decoderd_client alone.
"""

from __future__ import annotations

import math
import sys
from typing import Any

from decoderd_client import ControlError, Participant, Session

TARGETS, DISTANCE_M, RADIUS_M = 8, 0.06, 0.015
REST_S, HOLD_S, TIMEOUT_S = 0.3, 0.2, 4.0
NAME = "task"  # of this participant, in lockstep

Event = dict[str, Any]


class CentreOut:
    """The rules. Times are those of the session, so they are the same in lockstep and in real time."""

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._since = self._entered = None  # when this phase began; when the cursor came to the target (s)
        self.outcomes: list[str] = []
        self.target: tuple[float, float] | None = None  # m; None between trials

    def step(self, tick: Any) -> list[Event]:
        """Task events to send, after the newest tick of the session."""
        now = tick.tick * self._tick_s
        if self._since is None:  # the first tick that this program sees
            self._since = now
            return [end("abandoned")] if tick.phase else []  # of a program before this one
        if self.target is None:
            return [] if now - self._since < REST_S else self._begin(now)
        inside = math.dist(tick.cursor[:2], self.target) < RADIUS_M
        self._entered = (self._entered or now) if inside else None
        if self._entered is not None and now - self._entered >= HOLD_S:
            return self._end(now, "success")
        if now - self._since >= TIMEOUT_S:
            return self._end(now, "reach_timeout")
        return []

    @property
    def inside(self) -> bool:
        """Whether the cursor is on the target."""
        return self._entered is not None

    def _begin(self, now: float) -> list[Event]:
        index = len(self.outcomes) % TARGETS
        angle = 2 * math.pi * index / TARGETS
        self.target, self._since = (DISTANCE_M * math.cos(angle), DISTANCE_M * math.sin(angle)), now
        go = {"op": "task", "event": "go", "target": self.target, "radius_m": RADIUS_M, "index": index}
        return [{"op": "task", "event": "start"}, go]

    def _end(self, now: float, outcome: str) -> list[Event]:
        self.outcomes.append(outcome)
        self.target, self._since, self._entered = None, now, None
        return [end(outcome)]


def end(outcome: str) -> Event:
    """The event that ends a trial."""
    return {"op": "task", "event": "end", "outcome": outcome}


class Lockstep:
    """The session waits for this program: each frame grants it the ticks of one frame."""

    def __init__(self, session: Session, ticks: int) -> None:
        self._participant, self._ticks = Participant(session, NAME, want=["tick"]), ticks

    def frame(self, events: list[Event]) -> Any:
        """Send events, let the ticks of a frame pass; the last of them, or None once the session is over."""
        try:
            passed = self._participant.step(events, self._ticks)
        except ControlError as error:
            if error.code != "over":
                raise
            return None
        for refused in passed.refused:
            print(f"refused: {refused['message']}", file=sys.stderr)
        return passed.messages[-1] if passed.messages else None


class RealTime:
    """The session runs by its own clock: each frame shows the newest tick."""

    def __init__(self, session: Session) -> None:
        self._session, self._messages = session, session.subscribe(["tick"])
        self._newest = self._messages.latest("tick")

    def frame(self, events: list[Event]) -> Any:
        """Send events; the newest tick there is, or None once the session is over."""
        for event in events:
            try:
                self._session.send_input(event)
            except ControlError as error:
                if error.code != "over":
                    print(f"refused: {error}", file=sys.stderr)
        self._newest = self._messages.latest("tick", timeout_s=0.0) or self._newest
        return None if self._messages.over else self._newest


def connect(session: Session, frames_hz: float) -> tuple[CentreOut, Lockstep | RealTime]:
    """The task and its connection: in lockstep if the session was started with a participant `task`."""
    description = session.describe()
    tick_s = description["tick_s"]
    if NAME in description["participants"]:
        return CentreOut(tick_s), Lockstep(session, max(1, round(1 / (frames_hz * tick_s))))
    return CentreOut(tick_s), RealTime(session)
