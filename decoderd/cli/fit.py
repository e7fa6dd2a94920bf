"""`decoderd fit`: a recording to a population, its decoder and a protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from decoderd.cli import options, output
from decoderd.errors import ProtocolError

KINEMATICS = "velocity|position"
# Options that mean something for one of the two kinds of fit.
OF_TARGETS = ("factors", "direction")
OF_KINEMATICS = ("decoder", "axes", "series", "noise_factors")


def fit(
    context: typer.Context,
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="A recording, .npz or .nwb.")],
    out: Annotated[Path, typer.Option(help="Directory for the twin: population, decoder, protocol, report.html.")],
    factors: Annotated[int, typer.Option(help="Latents, where the recording has no factor analysis.")] = 10,
    bin_s: Annotated[
        float | None,
        typer.Option(
            help="Bin for the spike times of an .nwb file, s; by default that of an export of ours, or 0.045."
        ),
    ] = None,
    bin_ticks: Annotated[
        int | None, typer.Option(help="Ticks in a bin; by default 5, or fewer where a tick would be below 1 ms.")
    ] = None,
    direction: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Trials' column of an .nwb file with their direction or target (or X,Y)."),
    ] = None,
    length_unit: Annotated[
        str, typer.Option(help="Unit of length of the recording's decoder or kinematics: mm, cm or m.")
    ] = "mm",
    kinematics: Annotated[
        str | None,
        typer.Option(metavar=KINEMATICS, help="Fit to recorded kinematics: decode velocity, or position as well."),
    ] = None,
    decoder: Annotated[str, typer.Option(help="With --kinematics: kind of decoder.")] = "kalman",
    axes: Annotated[
        str | None, typer.Option(metavar="x,y", help="With --kinematics: the two axes to use of three.")
    ] = None,
    series: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="With --kinematics: series of an .nwb file, where it has several."),
    ] = None,
    noise_factors: Annotated[
        int, typer.Option(min=0, max=100, help="With --kinematics: factors of the noise that the twin's units share.")
    ] = 0,
    json: options.Json = False,
) -> None:
    """Fit a population and a decoder to a recording, and write a protocol that uses them."""
    _refuse_unused(context, kinematics)
    if kinematics is None:
        _to_targets(recording, out, factors, bin_s, bin_ticks, direction, length_unit, json)
    elif kinematics in KINEMATICS.split("|"):
        _to_kinematics(
            recording,
            out,
            kinematics,
            decoder,
            bin_s,
            bin_ticks,
            length_unit,
            axes,
            series.split(",") if series else [],
            noise_factors,
            json,
        )
    else:
        raise ProtocolError(f"--kinematics {kinematics}: must be {' or '.join(KINEMATICS.split('|'))}", "kinematics")


def _refuse_unused(context: typer.Context, kinematics: str | None) -> None:
    """Raise ProtocolError for an option that this kind of fit would ignore."""
    for name in OF_KINEMATICS if kinematics is None else OF_TARGETS:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = "--" + name.replace("_", "-")
            reason = "needs --kinematics" if kinematics is None else "is for a fit to targets, without --kinematics"
            raise ProtocolError(f"{option} {reason}", name)


def _to_targets(
    recording: Path,
    out: Path,
    factors: int,
    bin_s: float | None,
    bin_ticks: int | None,
    direction: str | None,
    length_unit: str,
    json: bool,
) -> None:
    from decoderd.run import realtime
    from decoderd.twin import report
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
        page = out / "report.html"
        report.write(report.of_targets(recording.name, found), page)
    table = Table(title=f"{recording.name}: {found.bins} bins, {found.units} units, {found.latents} latents")
    for column in ("target", "progress recorded (mm a bin)", "progress of the twin"):
        table.add_column(column, justify="right")
    for target, (recorded, twin) in enumerate(zip(found.progress_m, found.twin_progress_m, strict=True)):
        table.add_row(str(target), f"{1e3 * recorded:.2f}", f"{1e3 * twin:.2f}")
    _print(found, ("tuning",), table, page, json)


def _to_kinematics(
    recording: Path,
    out: Path,
    kinematics: Any,
    decoder: str,
    bin_s: float | None,
    bin_ticks: int | None,
    length_unit: str,
    axes: str | None,
    series: list[str],
    noise_factors: int,
    json: bool,
) -> None:
    from decoderd.run import realtime
    from decoderd.twin import report
    from decoderd.twin.kinematics import report as kinematics_report
    from decoderd.twin.kinematics.fit import fit as fit_kinematics

    with realtime.repeatable(), output.parts_bar("fitting") as advance:
        found = fit_kinematics(
            recording,
            out,
            kinematics=kinematics,
            decoder=decoder,
            length_unit=length_unit,
            axes=axes,
            series=series,
            noise_factors=noise_factors,
            bin_ticks=bin_ticks,
            bin_s=bin_s,
            on_progress=advance,
        )
        page = out / "report.html"
        report.write(kinematics_report.html(recording.name, found), page)
    regularised = f", {found.setting} {found.value:g}" if found.setting else ""
    table = Table(
        title=f"{recording.name}: {found.bins_used} of {found.bins} bins, {found.units} units, "
        f"lag {1e3 * found.lag_s:g} ms{regularised}"
    )
    for column in ("axis", "R2 of held-out bins", "correlation"):
        table.add_column(column, justify="right")
    for axis, name in enumerate(found.axes):
        r2, r = (
            f"{value[axis]:.3f} ({interval[axis][0]:.3f} to {interval[axis][1]:.3f})"
            for value, interval in (
                (found.r2, found.r2_interval),
                (found.correlation, found.correlation_interval),
            )
        )
        table.add_row(name, r2, r)
    _print(found, ("fitted",), table, page, json)


def _print(found: Any, omitted: tuple[str, ...], table: Table, page: Path, json: bool) -> None:
    """Print a summary: its warnings, and the table or a JSON object of all fields but those `omitted`."""
    warnings = output.warnings(found.warnings)
    if json:
        plain = {name: _plain(value) for name, value in found._asdict().items() if name not in omitted}
        output.as_json({**plain, "report": str(page), "warnings": warnings})
        return
    output.out_console.print(table)
    output.line(f"report: {page}")
    output.line(f"run it with: decoderd run {found.protocol}")


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else getattr(value, "tolist", lambda: value)()
