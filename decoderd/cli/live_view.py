"""The live view of `decoderd watch`: what a session's messages say, as text for a terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

# Half the width of the workspace that is drawn, m; its size in characters, which are twice as high as wide.
REACH_M = 0.1
COLUMNS, ROWS = 39, 20
TRAIL = 60
TRIALS = 20
PHASES = ("rest", "centre", "centre hold", "reach", "hold")


@dataclass
class View:
    """The latest values from a session's messages. `description` is the reply to `describe`."""

    description: Mapping[str, Any]
    tick: Mapping[str, Any] = field(default_factory=dict)
    trail: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=TRAIL))
    outcomes: deque[str] = field(default_factory=lambda: deque(maxlen=TRIALS))
    perturbations: dict[str, str] = field(default_factory=dict)
    health: Mapping[str, Any] = field(default_factory=dict)
    missed: int = 0
    metrics: dict[str, Mapping[str, float]] = field(default_factory=dict)
    happened: str = ""

    def __post_init__(self) -> None:
        self.perturbations = {p["name"]: p["state"] for p in self.description["perturbations"] if p["state"] != "past"}

    def add(self, topic: str, payload: Mapping[str, Any]) -> None:
        """Add one message."""
        match topic:
            case "tick":
                self.tick = payload
                self.trail.append((payload["c"][0], payload["c"][1]))
            case "trial":
                self.outcomes.append(payload["x"])
            case "perturbation":
                if payload["x"] in ("off", "removed"):
                    self.perturbations.pop(payload["w"], None)
                else:
                    self.perturbations[payload["w"]] = "on" if payload["x"] == "on" else "waiting"
            case "health":
                self.health = payload
                self.missed += payload["m"]
            case "metrics":
                self.metrics[payload["w"]] = payload["f"]
            case "session":
                self.happened = f"{payload['x']} at tick {payload['k']} (incarnation {payload['i']})"

    def shown(self) -> RenderableType:
        """The view as something that rich can print."""
        table = Table.grid(padding=(0, 2))
        for name, value in self.lines():
            table.add_row(Text(name, style="dim"), value)
        layout = Table.grid(padding=(0, 2))
        layout.add_column(width=COLUMNS + 2, no_wrap=True)
        layout.add_column(overflow="fold")
        layout.add_row(Panel(canvas(self.tick, self.trail), padding=0), Group(table))
        return layout

    def lines(self) -> list[tuple[str, Text]]:
        """Names and values shown beside the workspace."""
        session, tick = self.description, self.tick
        tick_s = session["tick_s"]
        number = tick.get("k", session["tick"])
        phase = PHASES[tick["p"]] if tick and tick["p"] < len(PHASES) else "-"
        recent = Text()
        for outcome in self.outcomes:
            recent.append("●" if outcome == "success" else "·", style="green" if outcome == "success" else "red")
        won = sum(outcome == "success" for outcome in self.outcomes)
        rate = (
            f"{100 * won / len(self.outcomes):.0f} % of the last {len(self.outcomes)} trials" if self.outcomes else "-"
        )
        perturbed = ", ".join(f"{name} ({state})" for name, state in self.perturbations.items()) or "none"
        rows = [
            ("session", Text(f"{session['session']}, speed {session['speed']}", style="bold")),
            ("time", Text(f"{number * tick_s:.1f} s, tick {number}")),
            (
                "day, block, trial",
                Text(f"{tick.get('d', session['day'])}, {tick.get('b', '-')}, {tick.get('r', '-')}: {phase}"),
            ),
            ("success", Text(rate)),
            ("", recent),
            ("perturbations", Text(perturbed, style="" if perturbed == "none" else "yellow")),
            ("lateness", Text(_late(self.health))),
            ("missed", Text(f"{self.missed} ticks", style="red" if self.missed else "")),
        ]
        for source, values in self.metrics.items():
            rows.append((source, Text(", ".join(f"{name} {value:.4g}" for name, value in values.items()))))
        if self.happened:
            rows.append(("process", Text(self.happened)))
        return rows


def _late(health: Mapping[str, Any]) -> str:
    if not health:
        return "-"
    if health["l"] is None:
        return f"no deadlines; {health['n'] / health['z']:.0f} ticks/s" if health["z"] else "no deadlines"
    p50, p99, worst = health["l"]
    return f"{p50:.0f}, p99 {p99:.0f}, max {worst:.0f} us"


def canvas(tick: Mapping[str, Any], trail: deque[tuple[float, float]]) -> Text:
    """The workspace with trail, goal and cursor."""
    cells = [[" "] * COLUMNS for _ in range(ROWS)]

    def put(x: float, y: float, mark: str) -> None:
        column, row = round((x / REACH_M + 1) / 2 * (COLUMNS - 1)), round((1 - y / REACH_M) / 2 * (ROWS - 1))
        if 0 <= column < COLUMNS and 0 <= row < ROWS:
            cells[row][column] = mark

    for x, y in trail:
        put(x, y, "·")
    if tick and tick["t"] is not None:
        put(tick["t"][0], tick["t"][1], "O")
    if tick:
        put(tick["c"][0], tick["c"][1], "●")
    text = Text("\n".join("".join(row) for row in cells))
    text.highlight_words(["O"], style="bold yellow")
    text.highlight_words(["●"], style="bold cyan")
    return text
