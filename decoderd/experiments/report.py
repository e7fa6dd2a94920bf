"""One self-contained HTML page about an experiment: settings, values with their bands, figures.

The page loads nothing: figures are inside it, and there is no script. All text is escaped.
"""

from __future__ import annotations

import base64
import io
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from decoderd import __version__
from decoderd.errors import DecoderdError
from decoderd.experiments.bands import Band

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .15rem .8rem; border-bottom: 1px solid #ddd; text-align: left }
td.number { text-align: right; font-variant-numeric: tabular-nums } tr.missed { background: #fdeaea }
figure { margin: 2rem 0 } img { max-width: 100% } figcaption { color: #444 }
"""


class ReportError(DecoderdError):
    """The report cannot be made or written."""

    code = "report"


class Figure(NamedTuple):
    """A figure with its title and caption."""

    title: str
    caption: str
    draw: Callable[[Any], None]  # draws on a matplotlib figure
    size: tuple[float, float] = (9.0, 3.5)  # inches


class Report(NamedTuple):
    """Contents of the page, in this order."""

    title: str
    summary: str
    bands: Sequence[Band]
    figures: Sequence[Figure]
    settings: Mapping[str, Any]
    wall_s: float


class Outcome(NamedTuple):
    """Results of an experiment: its report, its arrays, and further numbers."""

    report: Report
    found: Any
    more: Mapping[str, Any]  # further entries of the JSON output

    @property
    def bands(self) -> list[Band]:
        """The bands of the report."""
        return list(self.report.bands)


def ready(directory: Path) -> None:
    """Make the directory of a report before the experiment is run. Raises ReportError if it cannot be written to."""
    _need_matplotlib()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise ReportError(f"{directory}: cannot be written to ({error.strerror})", "out") from None


def _need_matplotlib() -> None:
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ReportError(
            "a report needs matplotlib: pip install 'decoderd[plot]', or leave out --out", "out"
        ) from None


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
    missed = sum(not band.ok for band in report.bands)
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(report.title)}</title>',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{escape(report.title)}</h1>",
        f"<p>{escape(report.summary)}</p>",
        f"<p>{len(report.bands) - missed} of {len(report.bands)} values lie within their bands. "
        f"Wall time {report.wall_s:.1f} s.</p>",
        *(_figure(figure) for figure in report.figures),
        "<h2>Bands</h2>",
        _table(("quantity", "value", "low", "high", ""), [_row(band) for band in report.bands]),
        "<h2>Settings</h2>",
        _table(("setting", "value"), [_plain_row(name, value) for name, value in report.settings.items()]),
        "<h2>Versions</h2>",
        _table(("software", "version"), [_plain_row(name, value) for name, value in versions().items()]),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def versions() -> dict[str, str]:
    """Versions of the software that the numbers depend on."""
    found = {"decoderd": __version__, "python": platform.python_version(), "machine": platform.platform()}
    for name in ("numpy", "scipy", "scikit-learn", "matplotlib"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _figure(figure: Figure) -> str:
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=figure.size, layout="constrained")
    figure.draw(canvas)
    drawn = io.BytesIO()
    canvas.savefig(drawn, format="png", dpi=110)
    source = base64.b64encode(drawn.getvalue()).decode("ascii")
    title, caption = escape(figure.title), escape(figure.caption)
    return (
        f'<figure><h2>{title}</h2><img alt="{title}" src="data:image/png;base64,{source}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _table(head: Sequence[str], rows: Sequence[str]) -> str:
    cells = "".join(f"<th>{escape(title)}</th>" for title in head)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>\n" + "\n".join(rows) + "\n</tbody></table>"


def _row(band: Band) -> str:
    numbers = "".join(f'<td class="number">{escape(f"{x:.4g}")}</td>' for x in (band.value, band.low, band.high))
    verdict, kind = ("within", "") if band.ok else ("missed", ' class="missed"')
    return f"<tr{kind}><td>{escape(band.name)}</td>{numbers}<td>{verdict}</td></tr>"


def _plain_row(name: str, value: Any) -> str:
    return f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>"
