"""A task program: centre-out reaching with targets that this program sets, for a session with the task `external`.

    decoderd run outside.toml --serve --speed lockstep --participant task=tick --out runs/outside
    python task_program.py tcp://127.0.0.1:PORT          # the control endpoint that it prints

It takes part in lockstep as `task`: every tick waits for it, so the session is as repeatable as one without it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Generator
from typing import Any

from decoderd_client import ControlError, Participant, Session

TARGETS, DISTANCE_M, RADIUS_M = 8, 0.06, 0.02
HOLD_TICKS, TIMEOUT_TICKS, REST_TICKS = 5, 300, 20

Events = list[dict[str, Any]]


def task() -> Generator[Events, Any, None]:
    """Rest, reach, hold. Yields the events of the next tick; is sent the tick that has passed."""
    trial = 0
    yield []
    while True:
        for _ in range(REST_TICKS):
            yield []
        index = trial % TARGETS
        angle = 2 * math.pi * index / TARGETS
        target = (DISTANCE_M * math.cos(angle), DISTANCE_M * math.sin(angle))
        go = {"op": "task", "event": "go", "target": target, "radius_m": RADIUS_M, "index": index}
        tick = yield [{"op": "task", "event": "start"}, go]
        held = waited = 0
        while held < HOLD_TICKS and waited < TIMEOUT_TICKS:
            inside = tick is not None and math.dist(tick.cursor[:2], target) < RADIUS_M
            held, waited = (held + 1 if inside else 0), waited + 1
            tick = yield []
        outcome = "success" if held >= HOLD_TICKS else "reach_timeout"
        yield [{"op": "task", "event": "end", "outcome": outcome}]
        trial += 1


def main(control: str, name: str = "task") -> None:
    """Drive the session to its end."""
    with Session(control) as session:
        participant, events = Participant(session, name, want=["tick", "trial"]), task()
        given, over = next(events), False
        while not over:
            try:
                passed = participant.step(given)
            except ControlError as error:
                if error.code != "over":
                    raise
                break
            for refused in passed.refused:
                print(f"refused: {refused['message']}", file=sys.stderr)
            for message in passed.messages:
                if message.topic == "tick":
                    given = events.send(message)
                else:
                    print(f"trial {message.trial}: {message.outcome}", flush=True)
            over = passed.over


if __name__ == "__main__":
    main(*sys.argv[1:])
