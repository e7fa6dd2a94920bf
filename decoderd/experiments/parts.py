"""Parts of an experiment: results that can be made again one by one, and one report of those that were.

An experiment with parts has a table of them, from which --part, its help and the documentation come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from decoderd.clock import now_ns
from decoderd.errors import DecoderdError

if TYPE_CHECKING:
    from decoderd.experiments.bands import Band
    from decoderd.experiments.report import Outcome, Section
    from decoderd.html_page import Figure

OnProgress = Callable[[int, int], None]


class PartError(DecoderdError):
    """The part cannot be run as asked."""

    code = "part"


class Findings(NamedTuple):
    """Results of a part, for the report and for JSON."""

    summary: str  # what was done, in a few sentences
    bands: Sequence[Band]
    figures: Sequence[Figure]
    settings: Mapping[str, Any]  # as the report shows them
    more: Mapping[str, Any]  # further numbers, as JSON takes them


class Part(NamedTuple):
    """A result that can be made again by itself."""

    name: str
    reproduces: str  # what it makes again, and whose work it is
    seeds: int  # by default
    run: Callable[[int, int, OnProgress], Findings]
    full: Callable[[int, int, OnProgress, Path], Findings] | None = None  # the long form of a part that has two


class Request(NamedTuple):
    """Which parts are to be run, and how."""

    seeds: int | None  # None: each part with its own number of seeds
    jobs: int
    on_progress: OnProgress
    part: str | None  # None: all
    full: Path | None = None  # in full, with state in this folder


def run(title: str, summary: str, parts: Sequence[Part], asked: Request) -> Outcome:
    """Run a part, or all, and make one report of them.

    `found` of the outcome are Findings by part. Raises PartError for `full` where no part that is run has a full form.
    """
    from decoderd.experiments.report import Outcome, Report

    chosen = [one for one in parts if asked.part in (None, one.name)]
    if asked.full is not None and not any(one.full for one in chosen):
        having = ", ".join(one.name for one in parts if one.full) or "none"
        raise PartError(f"full: parts with a full form are: {having}; leave it out for others", "full")
    began = now_ns()
    found = {one.name: _run(one, asked, _share(asked.on_progress, i, len(chosen))) for i, one in enumerate(chosen)}
    report = Report(
        title=title,
        summary=summary,
        bands=(),
        figures=(),
        settings={
            "processes": asked.jobs,
            **({} if asked.full is None else {"in full, state in": asked.full}),
        },
        wall_s=(now_ns() - began) * 1e-9,
        sections=_sections(chosen, found),
    )
    return Outcome(report, found, {name: dict(one.more) for name, one in found.items()})


def markdown(parts: Sequence[Part]) -> str:
    """The table as Markdown, as docs/index.md holds it."""
    rows = ["| `--part` | What is reproduced | Seeds | In full |", "|---|---|---|---|"]
    for one in parts:
        rows.append(f"| `{one.name}` | {one.reproduces} | {one.seeds} | {'`--full DIR`' if one.full else ''} |")
    return "\n".join(rows) + "\n"


def _run(part: Part, asked: Request, on_progress: OnProgress) -> Findings:
    seeds = asked.seeds or part.seeds
    if asked.full is None or part.full is None:
        return part.run(seeds, asked.jobs, on_progress)
    folder = asked.full / part.name
    folder.mkdir(parents=True, exist_ok=True)
    return part.full(seeds, asked.jobs, on_progress, folder)


def _share(on_progress: OnProgress, index: int, parts: int) -> OnProgress:
    """Progress of one of several parts, in hundredths of a part, as progress of all."""
    return lambda done, of: on_progress(round(100 * (index + done / of)), 100 * parts)


def _sections(parts: Sequence[Part], found: Mapping[str, Findings]) -> list[Section]:
    from decoderd.experiments.report import Section

    sections = []
    for part in parts:
        summary, bands, figures, settings, _ = found[part.name]
        sections.append(Section(part.name, f"{part.reproduces} {summary}", bands, figures, settings))
    return sections
