"""Write docs/explanation/lifecycle.md from the table of process states in decoderd/service/lifecycle.py."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from decoderd.service import lifecycle
from decoderd.wire.control import State
from decoderd.wire.replies import STATES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "explanation" / "lifecycle.md"


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {lifecycle.FIRST}"]
    for event, transition in lifecycle.TRANSITIONS.items():
        lines += [f"    {before} --> {transition.after}: {event}" for before in transition.before]
    return "\n".join(lines)


def page() -> str:
    """docs/explanation/lifecycle.md: the diagram, the states and the events."""
    states = [f"| `{state}` | {STATES[state]} |" for state in get_args(State)]
    events = [
        f"| `{event}` | {', '.join(f'`{before}`' for before in one.before)} | `{one.after}` | {one.meaning} |"
        for event, one in lifecycle.TRANSITIONS.items()
    ]
    return "\n".join(
        [
            "# States of a session process",
            "",
            "Written by `python tools/lifecycle_diagram.py` from the table in `decoderd/service/lifecycle.py`; a test",
            "compares. Change the table, then run the script. What each event does is described in",
            "[the service](service.md).",
            "",
            "```mermaid",
            diagram(),
            "```",
            "",
            "| state | meaning |",
            "|---|---|",
            *states,
            "",
            "| event | possible in | next state | meaning |",
            "|---|---|---|---|",
            *events,
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
