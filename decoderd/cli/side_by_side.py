"""`decoderd run --sessions N`: sessions of one protocol computed side by side; their trials are kept, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from decoderd.cli import output
from decoderd.errors import ProtocolError, StoreError

if TYPE_CHECKING:
    from decoderd.batch.outcomes import Outcome
    from decoderd.protocol.protocol import Protocol
    from decoderd.session.assembly import Session

SESSIONS, TRIALS = "sessions.csv", "trials.csv"
COLUMNS = ("session", "seed", "days", "trials", "successes", "success_rate", "ticks", "digest", "error")


def refuse(speed: str, others: Mapping[str, Any]) -> None:
    """Raise ProtocolError for options that sessions side by side have no use for."""
    if speed != "max":
        raise ProtocolError(f"--speed {speed}: sessions side by side run as fast as they can; use --speed max", "speed")
    given = [name for name, value in others.items() if value]
    if given:
        raise ProtocolError(f"{given[0]}: not together with --sessions, which runs sessions by themselves", given[0])


def run(protocol: Protocol, number: int, out: Path | None, json: bool) -> None:
    """Run sessions with the seeds from that of the protocol on; exit status 1 if one failed.

    Raises ProtocolError for a protocol whose sessions cannot be computed so, and StoreError for a folder that holds
    something already.
    """
    from decoderd.batch import outcomes, side_by_side
    from decoderd.preparation.parameters import prepare
    from decoderd.run import realtime
    from decoderd.run.signals import Interrupt
    from decoderd.schedule import expected_ticks
    from decoderd.session.assembly import assemble
    from decoderd.session.step import initial
    from decoderd.studies import batch_kinds

    side_by_side.check(protocol)
    if not batch_kinds.tick_by_tick(protocol):
        output.note("a study with `batch` computes these sessions trial by trial, in a fraction of the time")
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"{out}: is not an empty folder; nothing was written")
    seeds = range(protocol.seed, protocol.seed + number)
    with Interrupt().handling() as interrupt, realtime.repeatable(), realtime.steady():
        begun = []
        with output.progress_bar("calibrating", number) as advance:
            for seed in seeds:
                interrupt.check()
                parsed = protocol.model_copy(update={"seed": seed})
                parameters = prepare(parsed)
                session = assemble(parsed, parameters)
                begun.append((session, initial(session, parameters)))
                advance(len(begun))
        sessions, states = [session for session, _ in begun], [state for _, state in begun]
        ticks = expected_ticks(protocol.schedule, protocol.tick_s)
        with output.progress_bar(f"{number} sessions", ticks) as advance:

            def on_turn(turns: int) -> None:
                interrupt.check()
                advance(turns)

            found = outcomes.run(sessions, states, on_turn)
    rows = [_row(session, outcome) for session, outcome in zip(sessions, found, strict=True)]
    if out is not None:
        _write(out, rows, sessions, found)
    _show(rows, json, out)
    if any(row[-1] for row in rows):
        raise typer.Exit(1)


def _row(session: Session, outcome: Outcome) -> tuple[Any, ...]:
    progress = outcome.state.progress
    rate = progress.successes / progress.trials if progress.trials else None
    days = progress.day if progress.done else progress.day - 1
    error = None if outcome.error is None else str(outcome.error)
    seed = session.protocol.seed
    return (
        session.name, seed, days, progress.trials, progress.successes, rate, outcome.state.tick, outcome.digest, error
    )  # fmt: skip


def _write(out: Path, rows: Sequence[Sequence[Any]], sessions: Sequence[Session], found: Sequence[Outcome]) -> None:
    """Write both tables, each as a whole."""
    from decoderd import files
    from decoderd.recording.schema import TRIAL_COLUMNS
    from decoderd.studies.tables import as_csv

    columns = ("session", "seed", *TRIAL_COLUMNS)
    trials = [
        dict(
            zip(columns, (session.name, session.protocol.seed, *map(_known, row[:-1]), " ".join(row[-1])), strict=True)
        )
        for session, outcome in zip(sessions, found, strict=True)
        for row in outcome.trials.tolist()
    ]
    out.mkdir(parents=True, exist_ok=True)
    files.replace_text(out / TRIALS, as_csv(trials) if trials else ",".join(columns) + "\n")
    files.replace_text(out / SESSIONS, as_csv([dict(zip(COLUMNS, row, strict=True)) for row in rows]))


def _known(value: Any) -> Any:
    """None for NaN, as a trial without a target has it."""
    return None if value != value else value


def _show(rows: Sequence[Sequence[Any]], json: bool, out: Path | None) -> None:
    if json:
        output.as_json({"sessions": [dict(zip(COLUMNS, row, strict=True)) for row in rows]})
        return
    table = Table()
    shown = ("session", "trials", "success_rate", "ticks", "error")
    for name in shown:
        table.add_column(name, justify="left" if name in ("session", "error") else "right")
    for row in rows:
        named = dict(zip(COLUMNS, row, strict=True))
        named["success_rate"] = "" if named["success_rate"] is None else f"{named['success_rate']:.1%}"
        table.add_row(*("" if named[name] is None else str(named[name]) for name in shown))
    output.out_console.print(table)
    if out is not None:
        output.note(f"tables in {out}: {SESSIONS}, {TRIALS}")
