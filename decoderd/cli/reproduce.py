"""`decoderd reproduce`: published results made again and compared with their bands, one command an experiment."""

from __future__ import annotations

import inspect
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from decoderd.cli import options, output
from decoderd.experiments import catalogue
from decoderd.experiments.bands import SEEDS_COLUMN
from decoderd.experiments.catalogue import Experiment, Option, Settings

if TYPE_CHECKING:
    from decoderd.experiments.bands import Band
    from decoderd.experiments.report import Outcome

reproduce = typer.Typer(no_args_is_help=True, add_completion=False, help="Make a published result again.")

Seeds = Annotated[int | None, typer.Option(min=1, help="How many seeds, 1 to N.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes; by default one for each core.")]
Out = Annotated[Path | None, typer.Option(help="Directory for the report, an HTML page.")]


def command(experiment: Experiment) -> Any:
    """The command of an experiment: a function whose signature has the experiment's options, as Typer reads it."""

    def call(seeds: int | None, jobs: int | None, out: Path | None, json: bool, **own: Any) -> None:
        run(experiment, seeds, jobs, out, json, own)

    shared = {
        "seeds": (Seeds, experiment.seeds),
        "jobs": (Jobs, None),
        "out": (Out, None),
        "json": (options.Json, False),
    }
    own = {option.name: (_annotation(option), option.default) for option in experiment.options}
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in {**shared, **own}.items()
    ]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    call.__doc__ = experiment.reproduces
    return call


def _annotation(option: Option) -> Any:
    if isinstance(option.default, bool):
        return Annotated[bool, typer.Option(catalogue.flag(option), help=option.help)]
    if isinstance(option.default, int):
        return Annotated[int, typer.Option(catalogue.flag(option), min=1, help=option.help)]
    if isinstance(option.default, list):
        return Annotated[list[int], typer.Option(catalogue.flag(option), min=1, help=option.help)]
    if option.choices:
        choice: Any = StrEnum("Choice", [(name, name) for name in option.choices])  # type: ignore[misc]
        return Annotated[choice | None, typer.Option(catalogue.flag(option), help=option.help)]
    return Annotated[Path | None, typer.Option(catalogue.flag(option), metavar="DIR", help=option.help)]


def run(
    experiment: Experiment, seeds: int | None, jobs: int | None, out: Path | None, json: bool, own: dict[str, Any]
) -> None:
    """Run an experiment, write its report into `out`, and print its bands. A directory is checked before anything."""
    from decoderd.experiments import report
    from decoderd.studies import processes

    if out is not None:
        report.ready(out)
    with output.parts_bar(experiment.name) as on_progress:
        outcome = experiment.run(Settings(seeds, jobs or processes.cores(), on_progress), **own)
    page = None if out is None else out / f"{experiment.name}.html"
    if page is not None:
        report.write(outcome.report, page)
    if json:
        output.as_json(_plain(outcome))
        return
    show(experiment.name, outcome.bands, outcome.report.wall_s)
    if page is not None:
        output.line(f"report: {page}")


def _plain(outcome: Outcome) -> dict[str, Any]:
    bands = [band.plain() for band in outcome.bands]
    return {"bands": bands, "wall_s": outcome.report.wall_s, **outcome.more}


def show(title: str, bands: list[Band], wall_s: float) -> None:
    """Print the bands as a table. A miss is a finding, not a failure."""
    within = sum(band.ok for band in bands)
    table = Table(title=f"{title}: {within} of {len(bands)} values within their bands, {wall_s:.1f} s")
    for column in ("value", "", "low", "high", "", SEEDS_COLUMN):
        table.add_column(column, justify="left" if column == "value" else "right")
    for band in bands:
        verdict = "[green]within[/]" if band.ok else "[red]missed[/]"
        seeds = band.power.text() if band.power else ""
        table.add_row(band.name, f"{band.value:.4g}", f"{band.low:.4g}", f"{band.high:.4g}", verdict, seeds)
    output.out_console.print(table)


for _experiment in catalogue.EXPERIMENTS:
    reproduce.command(_experiment.name)(command(_experiment))
