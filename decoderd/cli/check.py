"""`decoderd check`: whether a recorded session is whole."""

from __future__ import annotations

import typer
from rich.table import Table

from decoderd.cli import options, output


def check(directory: options.Directory, json: options.Json = False) -> None:
    """Check that a recorded session is whole: every row against its hash. Exit status 1 if anything is not."""
    from decoderd.recording.check import check as checked

    report = checked(directory)
    if json:
        faults = [fault._asdict() for fault in report.faults]
        output.as_json({"whole": not faults, **report._asdict(), "faults": faults})
    else:
        rows = ", ".join(f"{count} of {table}" for table, count in report.whole_rows.items())
        output.line(f"rows that match their hashes: {rows}")
        ticks = ", ".join(f"{first} to {last}" for first, last in report.readable) or "none"
        output.line(f"ticks that can be read: {ticks}")
        if report.faults:
            shown = Table(title=f"{len(report.faults)} faults")
            for column in ("where", "what", "what is lost by it"):
                shown.add_column(column, overflow="fold")
            for fault in report.faults:
                shown.add_row(*fault)
            output.out_console.print(shown, markup=False)
        output.out_console.print("[red]not whole[/]" if report.faults else "[green]whole[/]")
    if report.faults:
        raise typer.Exit(1)
