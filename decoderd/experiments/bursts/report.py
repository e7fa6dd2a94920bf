"""Runs one part or all parts of `decoderd reproduce bursts`, and makes one report of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from decoderd.clock import now_ns
from decoderd.errors import DecoderdError
from decoderd.experiments.bursts.parts import PARTS, Findings, OnProgress, Part
from decoderd.experiments.report import Outcome, Report, Section


class PartError(DecoderdError):
    """The part cannot be run as asked."""

    code = "part"


def bursts(seeds: int | None, jobs: int, on_progress: OnProgress, part: str | None, full: Path | None) -> Outcome:
    """Run a part, or all; `seeds` None: each with its own number of seeds; `full`: in full, with state in that folder.

    `found` of the outcome are Findings by part. Raises PartError for `full` where no part that is run has a full form.
    """
    chosen = [one for one in PARTS if part in (None, one.name)]
    if full is not None and not any(one.full for one in chosen):
        having = ", ".join(one.name for one in PARTS if one.full) or "none"
        raise PartError(f"full: parts with a full form are: {having}; leave it out for others", "full")
    began = now_ns()
    found: dict[str, Findings] = {}
    for index, one in enumerate(chosen):
        found[one.name] = _run(one, seeds or one.seeds, jobs, _share(on_progress, index, len(chosen)), full)
    report = Report(
        title="Bursts",
        summary=(
            "Bursts and events are two codes in the spikes of one neuron: bursts carry an error from above, and "
            "plasticity that depends on them learns from it (Payeur, Guerguiev, Zenke, Richards & Naud 2021; Naud et "
            "al. 2022)."
        ),
        bands=(),
        figures=(),
        settings={"processes": jobs, **({} if full is None else {"in full, state in": full})},
        wall_s=(now_ns() - began) * 1e-9,
        sections=_sections(chosen, found),
    )
    return Outcome(report, found, {name: dict(one.more) for name, one in found.items()})


def _run(part: Part, seeds: int, jobs: int, on_progress: OnProgress, full: Path | None) -> Findings:
    if full is None or part.full is None:
        return part.run(seeds, jobs, on_progress)
    folder = full / part.name
    folder.mkdir(parents=True, exist_ok=True)
    return part.full(seeds, jobs, on_progress, folder)


def _share(on_progress: OnProgress, index: int, parts: int) -> OnProgress:
    """Progress of one of several parts, in hundredths of a part, as progress of all."""
    return lambda done, of: on_progress(round(100 * (index + done / of)), 100 * parts)


def _sections(parts: Sequence[Part], found: dict[str, Findings]) -> list[Section]:
    sections = []
    for part in parts:
        summary, bands, figures, settings, _ = found[part.name]
        sections.append(Section(part.name, f"{part.reproduces} {summary}", bands, figures, settings))
    return sections
