"""`decoderd reproduce`: published results, made again and compared with their bands."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from decoderd.experiments.bands import Band

if TYPE_CHECKING:
    from decoderd.experiments.report import Outcome

reproduce = typer.Typer(no_args_is_help=True, add_completion=False, help="Make a published result again.")
out_console, err_console = Console(), Console(stderr=True)

Seeds = Annotated[int, typer.Option(min=1, help="How many seeds, 1 to N.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes; by default one for each core.")]
Out = Annotated[Path | None, typer.Option(help="Directory for the report, an HTML page.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of output.")]


Full = Annotated[bool, typer.Option("--full", help="The full recipe: 25 days of REINFORCE, a two-link arm.")]
STOP_DAYS = [1, 5]


@reproduce.callback()
def _only_commands() -> None:
    pass


@reproduce.command()
def manifold(seeds: Seeds = 20, jobs: Jobs = None, out: Out = None, json: Json = False) -> None:
    """Within- and outside-manifold perturbations of the static network (Payeur, Orsborn & Lajoie 2023)."""
    from decoderd.experiments import pool
    from decoderd.experiments.manifold import report as manifold_report

    with _begun("manifold", out) as advance:
        outcome = manifold_report.manifolds(seeds, jobs or pool.cores(), advance)
    _told("manifold", outcome, out, json)


@reproduce.command()
def assistive(
    seeds: Seeds = 8,
    jobs: Jobs = None,
    full: Full = False,
    published: Annotated[
        bool, typer.Option("--published", help="The full recipe, pretrained by REINFORCE as published: an hour a pair.")
    ] = False,
    out: Out = None,
    json: Json = False,
) -> None:
    """Learning over days beside an adapting decoder (Rajeswaran, Payeur, Orsborn & Lajoie 2024)."""
    from decoderd.experiments import pool
    from decoderd.experiments.assistive import report as assistive_report

    name = "assistive-published" if published else "assistive" if full else "assistive-fast"
    with _begun("assistive", out) as advance:
        outcome = assistive_report.assistance(name, seeds, jobs or pool.cores(), advance)
    _told("assistive", outcome, out, json)


@reproduce.command()
def schedules(
    seeds: Seeds = 4,
    jobs: Jobs = None,
    full: Full = False,
    stop_day: Annotated[
        list[int], typer.Option(min=1, help="Last day of adaptation of a schedule; may be given several times.")
    ] = STOP_DAYS,
    out: Out = None,
    json: Json = False,
) -> None:
    """Decoders that are fixed, adapted until a day, every day, or with readouts swapped (the same study)."""
    from decoderd.experiments import pool
    from decoderd.experiments.assistive import schedules as experiment

    name = "assistive" if full else "assistive-fast"
    with _begun("schedules", out) as advance:
        outcome = experiment.schedules(name, seeds, jobs or pool.cores(), stop_day, advance)
    _told("schedules", outcome, out, json)


@reproduce.command()
def recurrent(seeds: Seeds = 10, jobs: Jobs = None, out: Out = None, json: Json = False) -> None:
    """Within- and outside-manifold perturbations of a recurrent network, lazy and rich."""
    from decoderd.experiments import pool
    from decoderd.experiments.manifold import recurrent as experiment

    with _begun("recurrent", out) as advance:
        outcome = experiment.recurrent(seeds, jobs or pool.cores(), advance)
    _told("recurrent", outcome, out, json)


@reproduce.command()
def bias(seeds: Seeds = 4, jobs: Jobs = None, out: Out = None, json: Json = False) -> None:
    """Learning by biases alone (Williams et al. 2025)."""
    from decoderd.experiments import pool
    from decoderd.experiments.bias import experiment

    with _begun("bias", out) as advance:
        outcome = experiment.biases(seeds, jobs or pool.cores(), advance)
    _told("bias", outcome, out, json)


@contextmanager
def _begun(what: str, out: Path | None) -> Iterator[Callable[[int, int], None]]:
    """Whatever would make the report fail in the end fails now."""
    from decoderd.experiments import report

    if out is not None:
        report.ready(out)
    with progress(what) as advance:
        yield advance


def _told(what: str, outcome: Outcome, out: Path | None, json: bool) -> None:
    """Write the report, and print the bands."""
    from decoderd.experiments import report

    page = None if out is None else out / f"{what}.html"
    if page is not None:
        report.write(outcome.report, page)
    if json:
        bands = [band.plain() for band in outcome.bands]
        print(jsonlib.dumps({"bands": bands, "wall_s": outcome.report.wall_s, **outcome.more}))
        return
    show(what, outcome.bands, outcome.report.wall_s)
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
