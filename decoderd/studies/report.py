"""The report of a study, one HTML page: what was run, values with intervals over seeds, curves over days.

An interval is the central 95 % of the means of 2,000 resampled sets of seeds (bootstrap); its draws have a fixed seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from decoderd import extras, files, html_page
from decoderd.html_page import Figure
from decoderd.studies import folder, tables
from decoderd.studies.study import Study
from decoderd.studies.tables import Results, Row

FILE = "report.html"
DRAWS = 2000
# Settings that a figure shows; the tables have all.
MOST_LINES, MOST_ROWS = 10, 40

# Rows by setting, which is written in words.
Groups = dict[str, list[Row]]


def write(place: Path, given: Study, results: Results) -> None:
    """Write the page into the study's folder. Without matplotlib it has tables alone. Raises StudyError."""
    text = html(given, results)
    with folder.writing(place):
        files.replace_text(place / FILE, text)


def html(given: Study, results: Results) -> str:
    """The page as text."""
    rows, days = tables.sessions(results), tables.days(results)
    failed = [row for row in rows if row["error"] is not None]
    good = [row for row in rows if row["error"] is None]
    parts = [html_page.paragraph(_said(given, results, good, failed))]
    by_setting = grouped(good, given.varied)
    for name in measured(good, given.varied):
        parts += [html_page.heading(name), _values(name, by_setting)]
        if html_page.can_draw() and good:
            parts += [html_page.figure(one) for one in _figures(name, by_setting, grouped(days, given.varied))]
    curves = tables.curves(results)
    if html_page.can_draw():
        parts += [html_page.figure(one) for one in _curves(grouped(curves, given.varied))]
    else:
        parts.append(html_page.paragraph(f"Figures need matplotlib: {extras.install('plot')}."))
    if failed:
        shown = [(_words(row, given.varied), row["seed"], row["error"]) for row in failed]
        parts += [html_page.heading("Sessions that failed"), html_page.table(("setting", "seed", "error"), shown)]
    parts += [html_page.heading("Study"), html_page.table(("field", "value"), _fields(given))]
    return html_page.page(f"Study {given.name}", parts)


def grouped(rows: Sequence[Row], varied: Sequence[str]) -> Groups:
    """Rows by their setting, in the order of settings."""
    found: Groups = {}
    for row in rows:
        found.setdefault(_words(row, varied), []).append(row)
    return found


def measured(rows: Sequence[Row], varied: Sequence[str]) -> list[str]:
    """Names of the numbers in a table of sessions, without those of the first and the last day."""
    others = {*varied, "seed", *tables.SESSIONS}
    names = [name for name in (rows[0] if rows else ()) if name not in others]
    return [name for name in names if not any(f"{other}_{day}" == name for other in names for day in ("first", "last"))]


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean of the seeds and the ends of its interval; all NaN without a value."""
    from decoderd.analysis import resampling  # scipy.stats, which takes a second

    array = np.array(values, dtype=np.float64)
    if not len(array):
        return float("nan"), float("nan"), float("nan")
    return float(array.mean()), *resampling.mean_interval(array, DRAWS, np.random.default_rng(0))


def known(rows: Sequence[Row], name: str) -> list[float]:
    """The values of a column that are there."""
    return [float(row[name]) for row in rows if row.get(name) is not None]


def _said(given: Study, results: Results, good: Sequence[Row], failed: Sequence[Row]) -> str:
    settings = max(1, len(results.settings) // len(given.seeds))
    minutes = sum(row["wall_s"] for row in good) / 60
    how = "tick by tick" if given.batch is None else f"in batches of {given.batch} seeds"
    return (
        f"{len(good)} of {len(results.settings)} sessions: {settings} settings of {len(given.seeds)} seeds, run {how}. "
        f"{len(failed)} failed, {results.missing} are missing. Their times add up to {minutes:.3g} min. "
        f"Values are means over seeds with 95 % bootstrap intervals ({DRAWS} draws); sessions.csv, days.csv and "
        "curves.csv beside this page have every number."
    )


def _values(name: str, groups: Groups) -> str:
    several_days = f"{name}_first" in next(iter(groups.values()))[0]
    columns = (name, f"{name}_first", f"{name}_last") if several_days else (name,)
    heads = ("mean of days", "first day", "last day") if several_days else ("mean",)
    rows = []
    for setting, of in groups.items():
        cells: list[Any] = [setting, len(known(of, name))]
        for column in columns:
            mean, low, high = interval(known(of, column))
            cells += [mean, f"{low:.4g} to {high:.4g}"]
        rows.append(cells)
    head = ["setting", "seeds", *(text for one in heads for text in (one, "95 % interval"))]
    return html_page.table(head, rows)


def _figures(name: str, groups: Groups, days: Groups) -> list[Figure]:
    over_days = {setting: rows for setting, rows in days.items() if rows[-1]["day"] > 1 and name in rows[0]}
    if over_days:
        caption = "Mean of each day over seeds, with its interval" + _first_of(over_days, MOST_LINES)
        return [Figure(f"{name} over days", caption, lambda canvas: _lines(canvas, over_days, "day", name, name))]
    caption = "Mean over seeds with its interval; dots are seeds" + _first_of(groups, MOST_ROWS)
    height = 1.2 + 0.35 * min(len(groups), MOST_ROWS)
    return [Figure(f"{name} by setting", caption, lambda canvas: _dots(canvas, groups, name), (9.0, height))]


def _first_of(groups: Groups, most: int) -> str:
    return f". The first {most} of {len(groups)} settings are drawn." if len(groups) > most else "."


def _curves(groups: Groups) -> list[Figure]:
    names = list(dict.fromkeys(row["curve"] for rows in groups.values() for row in rows))
    long = {row["curve"] for rows in groups.values() for row in rows if row["place"] > 1}
    return [_curve(name, groups) for name in names if name in long]


def _curve(name: str, groups: Groups) -> Figure:
    """The curve of the last day, or of the session."""
    shown: Groups = {}
    for setting, rows in groups.items():
        mine = [row for row in rows if row["curve"] == name]
        last = max((row["day"] or 0 for row in mine), default=0)
        shown[setting] = [row for row in mine if (row["day"] or 0) == last]
    day = max((row["day"] or 0 for rows in shown.values() for row in rows), default=0)
    where = f" of day {day}" if day else ""
    caption = "Mean over seeds with its interval" + _first_of(shown, MOST_LINES)
    return Figure(f"{name}{where}", caption, lambda canvas: _lines(canvas, shown, "place", "value", name))


def _lines(canvas: Any, groups: Groups, over: str, column: str, label: str) -> None:
    axes = canvas.subplots()
    for number, (setting, rows) in enumerate(list(groups.items())[:MOST_LINES]):
        places = sorted({row[over] for row in rows})
        three = np.array([interval(known([row for row in rows if row[over] == at], column)) for at in places])
        axes.plot(places, three[:, 0], "o-", color=f"C{number}", markersize=3, label=setting)
        axes.fill_between(places, three[:, 1], three[:, 2], color=f"C{number}", alpha=0.2, linewidth=0)
    axes.set(xlabel=over, ylabel=label)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def _dots(canvas: Any, groups: Groups, name: str) -> None:
    axes = canvas.subplots()
    shown = list(groups.items())[:MOST_ROWS]
    for place, (_, rows) in enumerate(shown):
        values = known(rows, name)
        mean, low, high = interval(values)
        axes.plot(values, np.full(len(values), place + 0.2), "o", color="#888", markersize=3, alpha=0.6)
        axes.plot([low, high], [place, place], color="C0", linewidth=2)
        axes.plot([mean], [place], "o", color="C0", markersize=5)
    axes.set_yticks(range(len(shown)), [setting for setting, _ in shown])
    axes.set(xlabel=name, ylim=(len(shown) - 0.5, -0.5))


def _words(row: Mapping[str, Any], varied: Sequence[str]) -> str:
    return ", ".join(f"{path} = {row[path]}" for path in varied) or "as in the protocol"


def _fields(given: Study) -> list[tuple[str, str]]:
    seeds = f"{len(given.seeds)}: {', '.join(map(str, given.seeds[:20]))}" + (" ..." if len(given.seeds) > 20 else "")
    found = [("protocol", str(given.protocol.get("name"))), ("seeds", seeds)]
    found += [(f"vary {path}", ", ".join(map(str, values))) for one in given.vary for path, values in one.items()]
    return [*found, ("measures", ", ".join(str(one) for one in given.measures))]
