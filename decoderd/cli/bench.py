"""`decoderd bench`: speed and punctuality on this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.table import Table

from decoderd.cli import options, output


def bench(
    seconds: Annotated[float, typer.Option(help="Length of each real-time turn, s.")] = 5.0,
    turns: Annotated[int, typer.Option(help="Number of real-time turns.")] = 3,
    json: options.Json = False,
) -> None:
    """Measure speed and punctuality on this machine, each figure in turns with a figure to compare it with."""
    from decoderd.bench import batch, export, kalman, lateness, learning, load, lockstep, publish, recorder, tick

    parts: tuple[Callable[[], dict[str, Any]], ...] = (
        kalman.measure,
        tick.measure,
        batch.measure,
        recorder.measure,
        export.measure,
        learning.measure,
        lambda: lateness.measure(seconds=seconds, turns=turns),
        lambda: publish.measure(seconds=seconds, turns=turns),
        lambda: lockstep.measure(turns=turns),
        lambda: load.measure(seconds=max(seconds, 8.0), turns=turns),
        _agent,
    )
    found: dict[str, object] = {}
    with output.progress_bar("measuring", len(parts)) as advance:
        for done, measure in enumerate(parts, 1):
            found |= measure()
            advance(done)
    if json:
        output.as_json(found)
        return
    table = Table(title="decoderd bench")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in found.items():
        if not isinstance(value, dict):
            table.add_row(name, f"{value:.3g}")
    output.out_console.print(table)
    output.out_console.print_json(data={name: value for name, value in found.items() if isinstance(value, dict)})


def _agent() -> dict[str, Any]:
    """Figures of the environments of agents; none without their extra."""
    try:
        from decoderd.bench import agent
    except ImportError:
        return {}
    return agent.measure()
