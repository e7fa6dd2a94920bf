"""One self-contained HTML page: text, tables and figures, of which the page is put together.

The page loads nothing: figures are inside it, and there is no script. All text is escaped. Figures need matplotlib,
which is optional: ask `can_draw` first.
"""

from __future__ import annotations

import base64
import io
import platform
from collections.abc import Callable, Collection, Sequence
from html import escape
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, NamedTuple

from decoderd import __version__

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .15rem .8rem; border-bottom: 1px solid #ddd; text-align: left }
td.number { text-align: right; font-variant-numeric: tabular-nums } tr.marked { background: #fdeaea }
figure { margin: 2rem 0 } img { max-width: 100% } figcaption { color: #444 }
"""


class Figure(NamedTuple):
    """A figure with its title and caption."""

    title: str
    caption: str
    draw: Callable[[Any], None]  # draws on a matplotlib figure
    size: tuple[float, float] = (9.0, 3.5)  # inches


def can_draw() -> bool:
    """Whether matplotlib is installed, so that figures can be drawn."""
    return find_spec("matplotlib") is not None


def page(title: str, parts: Sequence[str]) -> str:
    """The page as text: its title as the first heading, then the parts, then the versions of software."""
    head = f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n<style>{_STYLE}</style></head>'
    software = [heading("Versions"), table(("software", "version"), list(versions().items()))]
    return "\n".join(
        ["<!doctype html>", f"{head}<body>", f"<h1>{escape(title)}</h1>", *parts, *software, "</body></html>\n"]
    )


def heading(text: str) -> str:
    """A heading of the second level."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    """A paragraph."""
    return f"<p>{escape(text)}</p>"


def listing(items: Sequence[str]) -> str:
    """A list with a bullet for each item."""
    return "<ul>\n" + "\n".join(f"<li>{escape(item)}</li>" for item in items) + "\n</ul>"


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], marked: Collection[int] = ()) -> str:
    """A table. Floats have four digits, numbers stand to the right, and rows with an index in `marked` are coloured."""
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    marks = ['<tr class="marked">' if index in marked else "<tr>" for index in range(len(rows))]
    body = "\n".join(f"{mark}{''.join(map(_cell, row))}</tr>" for mark, row in zip(marks, rows, strict=True))
    return f"<table><thead><tr>{titles}</tr></thead><tbody>\n{body}\n</tbody></table>"


def figure(one: Figure) -> str:
    """A figure under its title, drawn as PNG. Raises ImportError without matplotlib."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=one.size, layout="constrained")
    one.draw(canvas)
    drawn = io.BytesIO()
    canvas.savefig(drawn, format="png", dpi=110)
    source = base64.b64encode(drawn.getvalue()).decode("ascii")
    title, caption = escape(one.title), escape(one.caption)
    return (
        f'<figure><h2>{title}</h2><img alt="{title}" src="data:image/png;base64,{source}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def versions() -> dict[str, str]:
    """Versions of the software that numbers depend on."""
    found = {"decoderd": __version__, "python": platform.python_version(), "machine": platform.platform()}
    for name in ("numpy", "scipy", "scikit-learn", "matplotlib"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _cell(value: Any) -> str:
    text = escape(f"{value:.4g}" if isinstance(value, float) else str(value))
    return f'<td class="number">{text}</td>' if isinstance(value, int | float) else f"<td>{text}</td>"
