"""`decoderd import` and `decoderd export-decoder`: decoders from and for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from decoderd.cli import options, output

imports = typer.Typer(no_args_is_help=True, add_completion=False, help="Bring a decoder of another program.")

Axes = Annotated[str, typer.Option(metavar="X,Y", help="Axes of BMI3D that are x and y of our plane.")]
LengthUnit = Annotated[str, typer.Option(help="Unit of length of BMI3D's arrays: cm, mm or m.")]


@imports.command("bmi3d")
def from_bmi3d(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Arrays A, W, C, Q of BMI3D, .npz or .mat.")],
    out: Annotated[Path, typer.Option(help="Directory for decoder.npz, population.npz and protocol.toml.")],
    states: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="The file's states in order; by default those it names, or BMI3D's seven."),
    ] = None,
    axes: Axes = "x,z",
    length_unit: LengthUnit = "cm",
    bin_s: Annotated[float | None, typer.Option(help="Bin in s; by default the file's, or what A says.")] = None,
    json: options.Json = False,
) -> None:
    """Import a Kalman filter of BMI3D, with a protocol that runs it."""
    from decoderd.run import realtime
    from decoderd.twin import imported

    with realtime.repeatable():
        found = imported.from_bmi3d(
            file,
            out,
            states=None if states is None else _words(states),
            axes=_words(axes),
            length_unit=length_unit,
            bin_s=bin_s,
        )
    warnings = output.warnings(found.warnings)
    if json:
        files = {name: None if path is None else str(path) for name, path in zip(_FILES, found, strict=False)}
        output.as_json({**found._asdict(), **files, "warnings": warnings})
        return
    left_out = f"; left out: {' '.join(found.left_out)}" if found.left_out else ""
    output.line(f"{found.units} units, states {' '.join(found.states)}, bins of {found.bin_s:g} s{left_out}")
    if found.protocol is None:
        output.line(f"decode with it: decoderd decode --kind kalman --decoder {found.decoder} --counts FILE --out FILE")
    else:
        output.line(f"run it with: decoderd run {found.protocol}")


_FILES = ("decoder", "population", "protocol")


def export_decoder(
    decoder: Annotated[Path, typer.Argument(metavar="FILE", help="A Kalman filter of decoderd, .npz.")],
    out: Annotated[Path, typer.Option(help="File for the arrays of BMI3D, .npz or .mat.")],
    axes: Axes = "x,z",
    length_unit: LengthUnit = "cm",
    bin_s: Annotated[float | None, typer.Option(help="Bin in s, for a file that does not say it.")] = None,
    json: options.Json = False,
) -> None:
    """Export a Kalman filter with the seven states that BMI3D has."""
    from decoderd.decoders import exported

    states = exported.to_bmi3d(decoder, out, axes=_words(axes), length_unit=length_unit, bin_s=bin_s)
    if json:
        output.as_json({"out": str(out), "states": list(states)})
    else:
        output.line(f"states {' '.join(states)}, in {length_unit}: {out}")


def _words(given: str) -> list[str]:
    return given.replace(",", " ").split()
