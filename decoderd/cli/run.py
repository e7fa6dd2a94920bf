"""`decoderd run`, `resume` and `replay`: a session from its beginning, from its last committed tick, and once more."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from decoderd.cli import options, output, side_by_side
from decoderd.errors import ProtocolError

if TYPE_CHECKING:
    from decoderd.preparation.memory_limit import MemoryLimit
    from decoderd.protocol.protocol import Protocol
    from decoderd.recording.store import Store
    from decoderd.run.runner import Begun
    from decoderd.run.scripted_inputs import ScriptedInputs
    from decoderd.run.signals import Interrupt
    from decoderd.wire.control import Participants


def run(
    protocol: Annotated[
        Path, typer.Argument(metavar="PROTOCOL", help="A protocol: TOML, or JSON where its name ends in .json.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Directory to record the session in; without it nothing is kept.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the session; without it, the protocol's name and seed."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the protocol's seed.")] = None,
    speed: options.Speed = "realtime",
    late: options.Late = "catch-up",
    days: Annotated[int | None, typer.Option(help="Instead of the protocol's number of days.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a field, e.g. population.units=50.")
    ] = None,
    inputs: options.Inputs = None,
    serve: options.Serve = False,
    stream: options.Stream = "tcp://127.0.0.1:*",
    control: options.Control = "tcp://127.0.0.1:*",
    keys: options.KeysDir = None,
    linger: options.Linger = 10.0,
    participant: options.Participant = None,
    silence: options.Silence = 30.0,
    when_silent: options.WhenSilent = "stop",
    max_memory: options.MaxMemory = None,
    sessions: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Run so many sessions side by side, with seeds from the protocol's on, and keep tables of trials.",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Run a protocol as a new session."""
    from decoderd.preparation import memory_limit
    from decoderd.protocol import protocol as protocols
    from decoderd.run.runner import clock_for, drive
    from decoderd.run.signals import Interrupt

    overrides = list(set_ or [])
    overrides += [f"seed={seed}"] if seed is not None else []
    overrides += [f"schedule.days={days}"] if days is not None else []
    parsed = protocols.load(protocol, overrides)
    if sessions is not None:
        others = {"--name": name, "--inputs": inputs, "--serve": serve, "--max-memory": max_memory}
        side_by_side.refuse(speed, {**others, "--participant": participant})
        side_by_side.run(parsed, sessions, out, json)
        return
    named = session_name(name, parsed.session)
    clock_for(speed, parsed.tick_s, late)  # refuses a speed that is none before anything is prepared
    limit = memory_limit.parse(max_memory) if max_memory is not None else None
    source = _source(inputs)
    granting = options.lockstep(serve, speed, participant, silence, when_silent, inputs)
    with tempfile.TemporaryDirectory(prefix="decoderd-") if out is None else nullcontext(out) as place:
        directory = Path(place)
        if serve:
            offer = (stream, control, keys, linger)
            begin = partial(_begin, parsed, named, directory, limit)
            summary = _serve(named, directory, offer, speed, late, granting, begin)
        else:
            with Interrupt().handling() as interrupt:
                begun = _begin(parsed, named, directory, limit, interrupt)
                with begun.store, output.session_bar(begun.session) as on_progress:
                    summary = drive(*begun, speed, source, on_progress, interrupt=interrupt, late=late)
            _warn_of_late_inputs(source, summary)
    output.session_summary(summary, json, out)


def session_name(name: str | None, otherwise: str) -> str:
    """The name given, else `otherwise`. Raises ProtocolError for one that no session can have."""
    from decoderd.wire.control import NAME

    if name is not None and not re.fullmatch(NAME, name):
        raise ProtocolError(f"--name {name!r}: expected letters, digits and _ . - (at most 64, no sign first)", "name")
    return name or otherwise


def _begin(protocol: Protocol, name: str, directory: Path, limit: MemoryLimit | None, interrupt: Interrupt) -> Begun:
    """Prepare a session, in memory of at most `limit`, and create its file in `directory`.

    Raises Interrupted, with nothing written, if a signal comes before.
    """
    from decoderd.input_warning import InputWarning
    from decoderd.preparation.parameters import prepare
    from decoderd.recording import session_file, summary
    from decoderd.run import realtime
    from decoderd.run.runner import Begun
    from decoderd.session.assembly import assemble
    from decoderd.session.step import initial

    reaches = getattr(getattr(protocol.decoder, "calibration", None), "reaches", None)

    def on_progress(done: int) -> None:
        interrupt.check()
        advance(done)

    with realtime.repeatable(), output.progress_bar("calibrating", reaches) as advance:
        parameters = prepare(protocol, on_progress, limit)
        session = assemble(protocol, parameters, name)
        state = initial(session, parameters)
    interrupt.check()
    begun = Begun(*session_file.begin(directory, session, state), session, state)
    output.warnings(InputWarning(**warning) for warning in summary.warned(begun.store))
    return begun


def resume(
    directory: options.Directory,
    speed: Annotated[str | None, typer.Option(help="Instead of the speed it ran at.")] = None,
    late: Annotated[
        str | None, typer.Option(metavar=options.LATE, help="Instead of what it did with late ticks.")
    ] = None,
    inputs: options.Inputs = None,
    serve: options.Serve = False,
    stream: options.Stream = "tcp://127.0.0.1:*",
    control: options.Control = "tcp://127.0.0.1:*",
    keys: options.KeysDir = None,
    linger: options.Linger = 10.0,
    participant: options.Participant = None,
    silence: options.Silence = 30.0,
    when_silent: options.WhenSilent = "stop",
    max_memory: options.MaxMemory = None,
    json: options.Json = False,
) -> None:
    """Continue a session from its last committed tick. Of a finished session only the summary is printed."""
    from decoderd.checkpoint import Encoder
    from decoderd.preparation import memory, memory_limit
    from decoderd.protocol import protocol as protocols
    from decoderd.recording import session_file, store
    from decoderd.recording.summary import stored
    from decoderd.run.runner import Begun, clock_for, drive

    kept = store.open_store(directory, writing=True)
    with kept:
        _warn_of_missing_commits(kept)
        for what, (then, now) in session_file.differences(kept).items():
            output.note(f"warning: the session began with {what} {then}, this is {now}: results may differ in bits")
        limit = memory_limit.parse(max_memory) if max_memory is not None else memory_limit.available()
        memory.check(memory.of_session(protocols.parse(kept.manifest()["protocol"])), limit)
        session, state = session_file.restore(kept)
        if state.progress.done and not serve:
            output.session_summary(stored(kept, session, state), json, directory)
            return
        speed = speed or _last_speed(kept, directory)
        late = late or _last_late(kept, directory)
        clock_for(speed, session.timing.tick_s, late)
        if serve and speed == "lockstep" and not participant:
            granting = _last_participants(directory)
        else:
            granting = options.lockstep(serve, speed, participant, silence, when_silent, inputs)
        if serve:
            offer = (stream, control, keys, linger)
            begun = Begun(kept, Encoder(), session, state)
            summary = _serve(session.name, directory, offer, speed, late, granting, lambda interrupt: begun)
        else:
            with output.session_bar(session) as on_progress:
                source = _source(inputs)
                summary = drive(kept, Encoder(), session, state, speed, source, on_progress, late=late)
            _warn_of_late_inputs(source, summary)
    output.session_summary(summary, json, directory)


def replay(
    directory: options.Directory,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare every recorded byte; a replay always does.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Run a recorded session again from its journal of inputs and compare. Exit status 1 if any byte differs."""
    from decoderd.recording import store
    from decoderd.recording.replay import verify as compare
    from decoderd.run import realtime

    with store.open_store(directory) as kept, realtime.repeatable():
        _warn_of_missing_commits(kept)
        last, _ = kept.checkpoint()
        with output.progress_bar("replaying", last) as advance:
            verdict = compare(kept, advance)
    if json:
        difference = verdict.difference._asdict() if verdict.difference else None
        output.as_json({"identical": verdict.identical, "ticks": verdict.ticks, "difference": difference})
    elif verdict.difference:
        topic, tick, why = verdict.difference
        output.out_console.print(f"[red]not identical[/]: {topic} at tick {tick}: {escape(why)}", soft_wrap=True)
    else:
        output.out_console.print(f"[green]identical[/]: every recorded byte of {verdict.ticks} ticks")
    if not verdict.identical:
        raise typer.Exit(1)


def _serve(
    name: str,
    directory: Path,
    offer: Any,
    speed: str,
    late: str,
    granting: Participants | None,
    begin: Callable[[Interrupt], Begun],
) -> dict[str, Any]:
    """Run a session with its two sockets, which are announced on stderr; returns its summary."""
    from decoderd.service import session_process

    def on_bound(stream: str, control: str) -> None:
        output.note(f"serving {name}: stream {stream}, control {control}")

    serve_options = session_process.ServeOptions(*offer)
    return session_process.run(directory, serve_options, speed, granting, begin, on_bound, output.session_bar, late)


def _warn_of_missing_commits(kept: Store) -> None:
    if kept.cut is not None:
        output.note(f"warning: {kept.cut}", style="yellow")


def _last_speed(store: Any, directory: Path) -> str:
    """The speed at which the session ran last, or was about to run when its process ended."""
    from decoderd.service import process_file

    past, last = store.incarnations(), process_file.read(directory)
    if past:
        return str(past[-1]["speed"])
    return last.speed if last is not None else "realtime"


def _last_late(store: Any, directory: Path) -> str:
    """What the session did with late ticks when it ran last, or was to do when its process ended."""
    from decoderd.service import process_file

    past, last = store.incarnations(), process_file.read(directory)
    noted = next((row["conditions"]["late_ticks"] for row in reversed(past) if "late_ticks" in row["conditions"]), None)
    return str(noted or (last.late if last is not None else "catch-up"))


def _last_participants(directory: Path) -> Participants | None:
    """The participants of lockstep with which the session ran last."""
    from decoderd.service import process_file
    from decoderd.wire.control import Participants

    last = process_file.read(directory)
    return Participants.model_validate(last.lockstep) if last is not None and last.lockstep else None


def _source(path: Path | None) -> ScriptedInputs | None:
    """The inputs of a file; those that the session refuses are reported on stderr."""
    if path is None:
        return None
    from decoderd.run import scripted_inputs

    return scripted_inputs.load(path, lambda tick, why: output.note(f"refused at tick {tick}: {why}", style="yellow"))


def _warn_of_late_inputs(source: ScriptedInputs | None, summary: dict[str, Any]) -> None:
    late = source.after(summary["ticks"]) if source is not None and summary["done"] else 0
    if late:
        output.note(f"warning: {late} inputs are for ticks after the session's end ({summary['ticks']} ticks)")
