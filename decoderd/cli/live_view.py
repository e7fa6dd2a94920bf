"""The live view of `decoderd watch`: what a session's messages say, as text for a terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from decoderd.wire.message import Message
from decoderd.wire.messages import Health, Metrics, Perturbation, Session, Tick, Trial

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
    tick: Tick | None = None
    trail: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=TRAIL))
    outcomes: deque[str] = field(default_factory=lambda: deque(maxlen=TRIALS))
    perturbations: dict[str, str] = field(default_factory=dict)
    health: Health | None = None
    missed: int = 0
    metrics: dict[str, Mapping[str, float]] = field(default_factory=dict)
    happened: str = ""

    def __post_init__(self) -> None:
        self.perturbations = {p["name"]: p["state"] for p in self.description["perturbations"] if p["state"] != "past"}

    def add(self, message: Message) -> None:
        """Add one message."""
        match message:
            case Tick():
                self.tick = message
                self.trail.append((message.cursor[0], message.cursor[1]))
            case Trial():
                self.outcomes.append(message.outcome)
            case Perturbation():
                if message.event in ("off", "removed"):
                    self.perturbations.pop(message.name, None)
                else:
                    self.perturbations[message.name] = "on" if message.event == "on" else "waiting"
            case Health():
                self.health = message
                self.missed += message.missed_deadlines
            case Metrics():
                self.metrics[message.source] = message.values
            case Session():
                self.happened = f"{message.event} at tick {message.tick} (incarnation {message.run})"

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

    def line(self) -> str:
        """The view on one line, without the workspace."""
        return " | ".join(f"{name} {value.plain}" for name, value in self.lines() if name)

    def lines(self) -> list[tuple[str, Text]]:
        """Names and values shown beside the workspace."""
        session, tick = self.description, self.tick
        tick_s = session["tick_s"]
        number = session["tick"] if tick is None else tick.tick
        where = f"{session['day']}, -, -: -"
        if tick is not None:
            phase = PHASES[tick.phase] if tick.phase < len(PHASES) else "-"
            where = f"{tick.day}, {tick.block}, {tick.trial}: {phase}"
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
            ("day, block, trial", Text(where)),
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


def _late(health: Health | None) -> str:
    if health is None:
        return "-"
    if health.lateness_us is None:
        return f"no deadlines; {health.ticks / health.wall_s:.0f} ticks/s" if health.wall_s else "no deadlines"
    p50, p99, worst = health.lateness_us
    return f"{p50:.0f}, p99 {p99:.0f}, max {worst:.0f} us"


def canvas(tick: Tick | None, trail: Iterable[tuple[float, float]]) -> Text:
    """The workspace with trail, goal and cursor."""
    cells = [[" "] * COLUMNS for _ in range(ROWS)]

    def put(x: float, y: float, mark: str) -> None:
        column, row = round((x / REACH_M + 1) / 2 * (COLUMNS - 1)), round((1 - y / REACH_M) / 2 * (ROWS - 1))
        if 0 <= column < COLUMNS and 0 <= row < ROWS:
            cells[row][column] = mark

    for x, y in trail:
        put(x, y, "·")
    if tick is not None and tick.goal is not None:
        put(tick.goal[0], tick.goal[1], "O")
    if tick is not None:
        put(tick.cursor[0], tick.cursor[1], "●")
    text = Text("\n".join("".join(row) for row in cells))
    text.highlight_words(["O"], style="bold yellow")
    text.highlight_words(["●"], style="bold cyan")
    return text
