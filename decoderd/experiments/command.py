"""`decoderd reproduce`: published results, made again and compared with their bands."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from decoderd.experiments.bands import Band

reproduce = typer.Typer(no_args_is_help=True, add_completion=False, help="Make a published result again.")
out_console, err_console = Console(), Console(stderr=True)

Seeds = Annotated[int, typer.Option(min=1, help="How many seeds, 1 to N.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes; by default one for each core.")]
Out = Annotated[Path | None, typer.Option(help="Directory for the report, an HTML page.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of output.")]


@reproduce.callback()
def _only_commands() -> None:
    pass


@reproduce.command()
def manifold(seeds: Seeds = 20, jobs: Jobs = None, out: Out = None, json: Json = False) -> None:
    """Within- and outside-manifold perturbations of the static network (Payeur, Orsborn & Lajoie 2023)."""
    from decoderd.experiments import manifold_report, pool, report

    if out is not None:
        report.ready(out)
    with progress("manifold") as advance:
        outcome = manifold_report.manifolds(seeds, jobs or pool.cores(), advance)
    page = None if out is None else out / "manifold.html"
    if page is not None:
        report.write(outcome.report, page)
    if json:
        rows = [band.plain() for band in outcome.bands]
        figures = {"wall_s": outcome.wall_s, "learning_s": outcome.learning_s, "rounding": outcome.rounding}
        print(jsonlib.dumps({"bands": rows, **figures}))
        return
    show("manifold", outcome.bands, outcome.wall_s)
    if page is not None:
        out_console.print(f"report: {page}", markup=False, highlight=False, soft_wrap=True)


def show(title: str, bands: list[Band], wall_s: float) -> None:
    """The bands as a table. A miss is a finding, not a failure."""
    within = sum(band.ok for band in bands)
    table = Table(title=f"{title}: {within} of {len(bands)} values within their bands, {wall_s:.1f} s")
    for column in ("value", "", "low", "high", ""):
        table.add_column(column, justify="left" if column == "value" else "right")
    for band in bands:
        verdict = "[green]within[/]" if band.ok else "[red]missed[/]"
        table.add_row(band.name, f"{band.value:.4g}", f"{band.low:.4g}", f"{band.high:.4g}", verdict)
    out_console.print(table)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar, on a terminal only: call it with how many parts are done, and of how many."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, *times, console=err_console, transient=True, disable=not err_console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
