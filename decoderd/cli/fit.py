"""`decoderd fit`: a recording to a population, its decoder and a protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from decoderd.cli import options, output


def fit(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="A recording, .npz or .nwb.")],
    out: Annotated[Path, typer.Option(help="Directory for population.npz, decoder.npz and protocol.toml.")],
    factors: Annotated[int, typer.Option(help="Latents, where the recording has no factor analysis.")] = 10,
    bin_s: Annotated[float, typer.Option(help="Bin for the spike times of an .nwb file, s.")] = 0.045,
    bin_ticks: Annotated[
        int | None, typer.Option(help="Ticks in a bin; by default 5, or what keeps a tick from 1 to 100 ms.")
    ] = None,
    direction: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Trials' column of an .nwb file with their direction or target (or X,Y)."),
    ] = None,
    length_unit: Annotated[str, typer.Option(help="Unit of length of the recording's decoder: mm, cm or m.")] = "mm",
    json: options.Json = False,
) -> None:
    """Fit a population and a decoder to a recording, and write a protocol that uses them."""
    from decoderd.run import realtime
    from decoderd.twin.fit import fit as fit_recording

    with realtime.repeatable(), output.err_console.status("fitting"):
        found = fit_recording(
            recording,
            out,
            length_unit=length_unit,
            factors=factors,
            bin_ticks=bin_ticks,
            bin_s=bin_s,
            direction=direction,
        )
    warnings = output.warnings(found.warnings)
    if json:
        output.as_json({**{name: _plain(value) for name, value in found._asdict().items()}, "warnings": warnings})
        return
    table = Table(title=f"{recording.name}: {found.bins} bins, {found.units} units, {found.latents} latents")
    for column in ("target", "progress recorded (mm a bin)", "progress of the twin"):
        table.add_column(column, justify="right")
    for target, (recorded, twin) in enumerate(zip(found.progress_m, found.twin_progress_m, strict=True)):
        table.add_row(str(target), f"{1e3 * recorded:.2f}", f"{1e3 * twin:.2f}")
    output.out_console.print(table)
    output.line(f"run it with: decoderd run {found.protocol}")


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else getattr(value, "tolist", lambda: value)()
