"""`decoderd export`: recorded sessions as files of other software."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from decoderd.cli import options, output

TO = "nwb|parquet|csv|npz"


def export(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Directories of recorded sessions.")],
    to: Annotated[str, typer.Option(metavar=TO, help="Format.")],
    out: Annotated[
        Path,
        typer.Option(help="A file (.nwb, .npz), or a directory that gets a file, or a folder of tables, for each day."),
    ],
    days: Annotated[
        str | None, typer.Option(metavar="3-5", help="Days, such as 3, 3-5 or 1,3-5; all without it.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace exports that are there.")] = False,
    json: options.Json = False,
) -> None:
    """Export recorded sessions, which may be running, to NWB, Parquet, CSV or NumPy files: a file for each day."""
    from decoderd.recording.export.exporting import export as exported

    with output.parts_bar("exporting") as advance:
        written = exported(runs, to, out, days, overwrite, advance)
    if json:
        output.as_json({"written": [{**one._asdict(), "path": str(one.path)} for one in written]})
        return
    for one in written:
        output.line(f"{one.session}, day {one.day}: {one.ticks} ticks: {one.path}")
