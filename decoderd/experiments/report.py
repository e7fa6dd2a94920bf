"""The page about an experiment: settings, values with their bands, figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from decoderd import extras, html_page
from decoderd.errors import DecoderdError
from decoderd.experiments.bands import SEEDS_COLUMN, Band
from decoderd.files import make_writable
from decoderd.html_page import Figure


class ReportError(DecoderdError):
    """The report cannot be made or written."""

    code = "report"


class Section(NamedTuple):
    """A part of an experiment that has its own heading, values and figures."""

    title: str
    summary: str
    bands: Sequence[Band]
    figures: Sequence[Figure]
    settings: Mapping[str, Any]


class Report(NamedTuple):
    """Contents of the page, in this order; the sections are between the figures and the settings."""

    title: str
    summary: str
    bands: Sequence[Band]
    figures: Sequence[Figure]
    settings: Mapping[str, Any]
    wall_s: float
    sections: Sequence[Section] = ()

    @property
    def all_bands(self) -> list[Band]:
        """The bands of the report and of its sections, which have the section's title in front of their name."""
        of_sections = [
            band._replace(name=f"{section.title}: {band.name}") for section in self.sections for band in section.bands
        ]
        return [*self.bands, *of_sections]


class Outcome(NamedTuple):
    """Results of an experiment: its report, its arrays, and further numbers."""

    report: Report
    found: Any
    more: Mapping[str, Any]  # further entries of the JSON output

    @property
    def bands(self) -> list[Band]:
        """The bands of the report, those of sections included."""
        return self.report.all_bands


def ready(directory: Path) -> None:
    """Make the directory of a report before the experiment is run. Raises ReportError if it cannot be written to."""
    _need_matplotlib()
    try:
        make_writable(directory)
    except OSError as error:
        raise ReportError(f"{directory}: cannot be written to ({error.strerror})", "out") from None


def _need_matplotlib() -> None:
    if not html_page.can_draw():
        raise ReportError(f"a report needs matplotlib: {extras.install('plot')}, or leave out --out", "out")


def write(report: Report, path: Path) -> None:
    """Write the page. Raises ReportError if it cannot be written, or without matplotlib."""
    _need_matplotlib()
    page = html(report)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{path}: cannot be written ({error.strerror})", "out") from None


def html(report: Report) -> str:
    """The page as text."""
    bands = report.all_bands
    within = sum(band.ok for band in bands)
    parts = [
        html_page.paragraph(report.summary),
        html_page.paragraph(
            f"{within} of {len(bands)} values lie within their bands. Wall time {report.wall_s:.1f} s. Seeds needed "
            "tell a value from the nearest end of its band by a one-sided test at 5 %, in four of five repetitions."
        ),
        *map(html_page.figure, report.figures),
    ]
    for section in report.sections:
        parts += [html_page.heading(section.title), html_page.paragraph(section.summary), _bands(section.bands)]
        parts += [_settings(section.settings), *map(html_page.figure, section.figures)]
    if report.bands:
        parts += [html_page.heading("Bands"), _bands(report.bands)]
    parts += [html_page.heading("Settings"), _settings(report.settings)]
    return html_page.page(report.title, parts)


def _bands(bands: Sequence[Band]) -> str:
    missed = [index for index, band in enumerate(bands) if not band.ok]
    columns = ("quantity", "value", "low", "high", "", SEEDS_COLUMN)
    return html_page.table(columns, [_row(band) for band in bands], missed)


def _settings(settings: Mapping[str, Any]) -> str:
    return html_page.table(("setting", "value"), [(name, str(value)) for name, value in settings.items()])


def _row(band: Band) -> tuple[Any, ...]:
    numbers = (float(value) for value in (band.value, band.low, band.high))
    return band.name, *numbers, "within" if band.ok else "missed", band.power.text() if band.power else ""
