"""What commands print: lines, JSON, the summary of a session, progress bars."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from decoderd.cli.streams import OutputError
from decoderd.clock import now_ns
from decoderd.input_warning import InputWarning

out_console, err_console = Console(), Console(stderr=True)

# A bar for something shorter would only flicker.
BAR_AFTER_S = 2.0
BAR_EVERY_S = 0.25
# Where there is no terminal, such as in the log of a batch job.
LINE_EVERY_NS = 30 * 10**9


def line(text: str) -> None:
    """Print one line as it is, however long."""
    out_console.print(text, markup=False, highlight=False, soft_wrap=True)


def note(text: str, style: str | None = None) -> None:
    """Print one line on stderr as it is, however long."""
    err_console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def warnings(found: Iterable[InputWarning]) -> list[dict[str, str | None]]:
    """Print a line on stderr for each warning, and return them as `--json` shows them."""
    shown = list(found)
    for warning in shown:
        note(f"warning: {warning.message}")
    return [warning._asdict() for warning in shown]


def as_json(value: Any) -> None:
    """Print one JSON object on one line."""
    print(json.dumps(value))


def session_summary(summary: dict[str, Any], as_object: bool, directory: Path | None) -> None:
    """Print the summary of a session (recording.summary); `directory` is where it is recorded, if it is.

    Raises OutputError, which says whether the session is stored.
    """
    try:
        _print_summary(summary, as_object, directory)
        sys.stdout.flush()
    except OutputError as error:
        kept = (
            f"the session is stored in {directory}" if directory else "the session is not stored: --out was not given"
        )
        raise OutputError(f"{error}; {kept}", error.unread) from None


def _print_summary(summary: dict[str, Any], as_object: bool, directory: Path | None) -> None:
    if as_object:
        as_json(summary)
        return
    table = Table(title=f"session {summary['session']}", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name in ("days", "trials", "successes", "success_rate", "ticks", "sim_s", "wall_s", "speed", "digest"):
        value = summary[name]
        table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    if summary["clipped"]:
        table.add_row("clipped", f"{summary['clipped']} unit-ticks, at the highest rate of the population")
    late = summary["lateness"]
    if late["p50_us"] is not None:
        shown = ", ".join(f"{key[:-3]} {late[key]:.0f} us" for key in ("p50_us", "p99_us", "p999_us", "max_us"))
        table.add_row("lateness", f"{shown}; missed {late['missed']}")
        for name, value in summary["conditions"].items():
            table.add_row(name, value)
    out_console.print(table)
    if not summary["done"]:
        again = f"; go on with: decoderd resume {directory}" if directory else ""
        kept = "everything is stored" if directory else "nothing is kept"
        line(f"interrupted at tick {summary['ticks']}, {kept}{again}")


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar, on a terminal only, for what takes longer than two seconds: call it with how much is done.

    A thread of its own draws it: drawing takes milliseconds, which a tick cannot spare.
    """
    done, over = [0], threading.Event()

    def advance(number: int) -> None:
        done[0] = number

    def draw() -> None:
        if over.wait(BAR_AFTER_S):
            return
        with Progress(*_columns(), console=err_console, transient=True, auto_refresh=False) as bar:
            task = bar.add_task(title, total=total)
            while not over.wait(BAR_EVERY_S):
                bar.update(task, completed=done[0], refresh=True)

    drawing = threading.Thread(target=draw, name="progress", daemon=True)
    if err_console.is_terminal:
        drawing.start()
    try:
        yield advance
    finally:
        over.set()
        if drawing.is_alive():
            drawing.join()


@contextmanager
def parts_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar, on a terminal only: call it with how many parts are done, and of how many."""
    hidden = not err_console.is_terminal
    with Progress(*_columns(), console=err_console, transient=True, disable=hidden) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def progress_lines(title: str, what: str) -> Callable[[int, int], None]:
    """Prints a line on stderr every half minute: call it with how much is done, and of how much."""
    began = last = now_ns()

    def advance(done: int, total: int) -> None:
        nonlocal last
        now = now_ns()
        if done and (now - last > LINE_EVERY_NS or done == total):
            left_s = (now - began) * 1e-9 / done * (total - done)
            note(f"{title}: {done} of {total} {what}, about {left_s:.0f} s left")
            last = now

    return advance


@contextmanager
def session_bar(session: Any) -> Iterator[Callable[[Any], None]]:
    """A progress bar of a session: call it with its state after every tick."""
    from decoderd import schedule

    plan = session.protocol.schedule
    ticks = schedule.expected_ticks(plan, session.timing.tick_s)
    trials = schedule.expected_trials(plan)
    with progress_bar(session.name, ticks or trials) as advance:
        yield lambda state: advance(state.tick if ticks else state.progress.trials)


def _columns() -> tuple[Any, ...]:
    share = TextColumn("{task.percentage:>3.0f}%")
    return TextColumn("{task.description}"), BarColumn(), share, TimeElapsedColumn(), TimeRemainingColumn()
