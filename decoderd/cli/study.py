"""`decoderd study`: many sessions of one protocol over seeds and settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from decoderd.cli import options, output

if TYPE_CHECKING:
    from decoderd.studies.settings import Setting
    from decoderd.studies.study import Study
    from decoderd.studies.tables import Results

KEEP = "summaries|recordings"
# As of a process that SIGINT ended.
INTERRUPTED = 128 + 2
# Failures that are shown; all are in the table.
SHOWN = 5


def study(
    file: Annotated[Path, typer.Argument(metavar="STUDY", help="A study file, TOML.")],
    out: Annotated[Path, typer.Option(help="Its folder: results, tables, report. A rerun does what is missing.")],
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; by default one for each core.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="tcp://HOST:PORT", help="A Dask scheduler, whose workers see the folder.")
    ] = None,
    wait: Annotated[float, typer.Option(help="With --scheduler: seconds to wait for it, and for a worker.")] = 60.0,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Only share I of N, for N commands that share the folder."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be run, and run nothing.")] = False,
    keep: Annotated[
        str, typer.Option(metavar=KEEP, help="Whether recordings of sessions are kept beside the results.")
    ] = "summaries",
    json: options.Json = False,
) -> None:
    """Run a study: one protocol over many seeds and settings, with tables and a report."""
    from decoderd.errors import Interrupted
    from decoderd.studies import folder, running
    from decoderd.studies import settings as studies
    from decoderd.studies import study as study_file

    recorded = _recorded(keep)
    share = running.shard(shard) if shard is not None else None
    given = study_file.load(file)
    settings = studies.settings(given)
    folder.check(out, given)
    if dry_run:
        _show_plan(given, settings, running.missing(out, settings, share, recorded), json)
        return
    engine = _engine(jobs, scheduler, wait, out)
    try:
        with _progress(given.name) as on_progress:
            results = running.run(given, settings, out, engine, share, recorded, on_progress)
    except (KeyboardInterrupt, Interrupted):
        left = len(running.missing(out, settings, share, recorded))
        output.note(f"interrupted: {left} sessions are missing; the same command goes on")
        raise typer.Exit(INTERRUPTED) from None
    _show_results(given, results, out, json)
    if running.failed(results):
        raise typer.Exit(1)


def _recorded(keep: str) -> bool:
    from decoderd.studies.study import StudyError

    if keep not in KEEP.split("|"):
        raise StudyError(f"--keep {keep}: expected {' or '.join(KEEP.split('|'))}", "keep")
    return keep == "recordings"


def _engine(jobs: int | None, scheduler: str | None, wait_s: float, out: Path) -> Any:
    from decoderd.studies import cluster, processes
    from decoderd.studies.study import StudyError

    if scheduler is None:
        return partial(processes.completed, jobs=jobs or processes.cores())
    if jobs is not None:
        raise StudyError("--jobs is of this machine; with --scheduler the workers decide: leave out one", "jobs")
    return partial(cluster.completed, address=scheduler, wait_s=wait_s, place=out)


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal; elsewhere a line now and then, with an estimate of the time that is left."""
    if output.err_console.is_terminal:
        with output.parts_bar(title) as advance:
            yield advance
        return
    yield output.progress_lines(title, "sessions")


def _show_plan(given: Study, settings: list[Setting], missing: list[Setting], json: bool) -> None:
    faulty = [(one.values, one.fault) for one in settings if one.fault is not None]
    if json:
        plain = [{"values": dict(values), "error": fault} for values, fault in faulty]
        output.as_json({"sessions": len(settings), "missing": len(missing), "invalid": plain})
        return
    combinations = len(settings) // len(given.seeds)
    output.line(f"{given.name}: {len(settings)} sessions, {combinations} settings of {len(given.seeds)} seeds")
    output.line(f"{len(missing)} would be run")
    for values, fault in list(dict.fromkeys((str(dict(values)), fault) for values, fault in faulty)):
        output.line(f"not valid: {values}: {fault}")


def _show_results(given: Study, results: Results, out: Path, json: bool) -> None:
    from decoderd.studies import running

    failed, total = running.failed(results), len(results.settings)
    done = total - results.missing - len(failed)
    if json:
        errors = [{"values": dict(one.values), "seed": one.seed, "error": why} for one, why in failed]
        output.as_json({"sessions": total, "done": done, "missing": results.missing, "failed": errors})
        return
    output.line(f"{given.name}: {done} of {total} sessions done, {len(failed)} failed, {results.missing} missing")
    for one, why in failed[:SHOWN]:
        output.note(f"failed: {one.values or ''} seed {one.seed}: {why}", style="red")
    if len(failed) > SHOWN:
        output.note(f"... and {len(failed) - SHOWN} more, in {out / 'sessions.csv'}")
    output.line(f"report: {out / 'report.html'}; tables: {out / 'sessions.csv'}")
