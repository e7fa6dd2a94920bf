"""`decoderd decode`: counts in a file to kinematics in a file, without a closed loop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from decoderd.cli import options, output


def decode(
    kind: Annotated[str, typer.Option(help="Kind of decoder.")],
    decoder: Annotated[Path, typer.Option(help="Its arrays, .npz.")],
    counts: Annotated[Path, typer.Option(help="Spike counts, bins x units, .npy.")],
    out: Annotated[Path, typer.Option(help="File for the decoded states, bins x entries, .npy.")],
    initial: Annotated[Path | None, typer.Option(help="State before the first bin, .npy.")] = None,
    score: Annotated[
        Path | None,
        typer.Option(help="Recorded velocities, bins x 2, or positions and velocities, bins x 4, .npy: prints R2."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Decode an array of counts offline, one row of state for each bin.

    kalman, steady_state_kalman: arrays A, W, C, Q, optional x0 and P0, state and covariance before the first bin.
    point_process: A, W, beta, optional x0, P0 and bernoulli.
    Default of x0 and P0: zeros, but 1 where the last state is a constant 1 (A keeps it, W adds no noise to it).
    """
    from decoderd.decoders import offline
    from decoderd.run import realtime

    with realtime.repeatable(), output.progress_bar("decoding", None) as advance:
        rows, states, doubts = offline.decode_files(kind, decoder, counts, initial, out, advance)
    agreed = None if score is None else _agreement(rows, states, decoder, score)
    shown = output.warnings([*doubts, *(agreed.warnings if agreed else ())])
    bins, entries = rows.shape
    if json:
        found = {"kind": kind, "bins": bins, "entries": entries, "states": states, "out": str(out)}
        scored = {} if agreed is None else agreed.as_json()
        output.as_json({**found, **scored, "warnings": shown})
    else:
        names = "" if states is None else f" ({' '.join(states)})"
        output.line(f"{bins} bins decoded to {entries} entries each{names}: {out}")
        for line in () if agreed is None else agreed.lines():
            output.line(line)


def _agreement(rows: Any, states: Any, decoder: Path, recorded: Path) -> Any:
    """Agreement of decoded rows with the kinematics in a file, at the lag that the decoder's file says."""
    from decoderd.arrays import load_npy, load_npz
    from decoderd.twin.kinematics.agreement import agreement

    file = load_npz(decoder)
    lag_bins, centre_m = int(file.get("lag_bins", 0)), file.get("centre_m", (0.0, 0.0))
    return agreement(rows, states, load_npy(recorded), lag_bins, centre_m)
