"""The command line: reads arguments, calls the library, prints what came of it."""

from __future__ import annotations

import json as jsonlib
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from decoderd import __version__
from decoderd.cli import ctl
from decoderd.cli.reproduce import reproduce
from decoderd.errors import DecoderdError, ProtocolError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=(__doc__ or "") and "Closed-loop emulation of brain-computer-interface decoders.",
)
app.add_typer(ctl.ctl, name="ctl")
app.add_typer(reproduce, name="reproduce")
app.command()(ctl.watch)
out_console, err_console = Console(), Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of output.")]
Name = Annotated[
    str | None, typer.Option(help="Name of the session; else the name of the --out directory, else protocol and seed.")
]
Speed = Annotated[str, typer.Option(help="realtime, max, a factor of real time such as 10, or lockstep.")]
Serve = Annotated[bool, typer.Option("--serve", help="Give the session its two sockets.")]
Stream = Annotated[str, typer.Option(help="Where to publish; port * for a free one.")]
Control = Annotated[str, typer.Option(help="Where to take requests.")]
KeysDir = Annotated[Path | None, typer.Option(help="Directory of CURVE keys, see `decoderd keys`.")]
Linger = Annotated[float, typer.Option(help="Seconds without requests after the end until the process goes.")]
Participant = Annotated[
    list[str] | None, typer.Option(metavar="NAME=tick|trial|day", help="Who grants what, with --speed lockstep.")
]
Silence = Annotated[float, typer.Option(help="Seconds a participant may keep silent.")]
WhenSilent = Annotated[str, typer.Option(help="Then: stop, pause, or drop the participant.")]
Inputs = Annotated[Path | None, typer.Option(help="JSON lines of inputs, each with the tick that consumes it.")]


def main() -> None:
    """Run the command line; deliberate errors become one message, or one JSON object, and exit status 1."""
    try:
        app()
    except DecoderdError as error:
        err_console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        if "--json" in sys.argv:
            print(jsonlib.dumps({"error": {"code": error.code, "message": str(error), "field": error.field}}))
        sys.exit(1)


def _version(shown: bool) -> None:
    if shown:
        print(f"decoderd {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    protocol: Annotated[Path, typer.Argument(help="A TOML protocol.")],
    out: Annotated[
        Path | None, typer.Option(help="Directory to record the session in; without it nothing is kept.")
    ] = None,
    name: Name = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the protocol's seed.")] = None,
    speed: Speed = "realtime",
    days: Annotated[int | None, typer.Option(help="Instead of the protocol's number of days.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a field, e.g. population.units=50.")
    ] = None,
    inputs: Inputs = None,
    serve: Serve = False,
    stream: Stream = "tcp://127.0.0.1:*",
    control: Control = "tcp://127.0.0.1:*",
    keys: KeysDir = None,
    linger: Linger = 10.0,
    participant: Participant = None,
    silence: Silence = 30.0,
    when_silent: WhenSilent = "stop",
    json: Json = False,
) -> None:
    """Run a protocol as a new session."""
    from decoderd.preparation.parameters import prepare
    from decoderd.protocol import protocol as protocols
    from decoderd.recording import session_file
    from decoderd.run import realtime
    from decoderd.run.runner import Begun, clock_for, drive
    from decoderd.run.signals import Interrupt
    from decoderd.session.assembly import assemble
    from decoderd.session.step import initial

    overrides = list(set_ or [])
    overrides += [f"seed={seed}"] if seed is not None else []
    overrides += [f"schedule.days={days}"] if days is not None else []
    parsed = protocols.load(protocol, overrides)
    named = _session_name(name, out, parsed.session)
    clock_for(speed, parsed.tick_s)
    source = _source(inputs)
    reaches = getattr(getattr(parsed.decoder, "calibration", None), "reaches", None)

    def begin(directory: Path, interrupt: Interrupt) -> Begun:
        def watch(done: int) -> None:
            interrupt.check()
            advance(done)

        with realtime.repeatable(), _bar("calibrating", reaches) as advance:
            parameters = prepare(parsed, watch)
            session = assemble(parsed, parameters, named)
            state = initial(session, parameters)
        interrupt.check()
        return Begun(*session_file.begin(directory, session, state), session, state)

    terms = _terms(serve, speed, participant, silence, when_silent, inputs)
    with tempfile.TemporaryDirectory(prefix="decoderd-") if out is None else nullcontext(out) as place:
        directory = Path(place)
        if serve:
            offer = (stream, control, keys, linger)
            summary = _served(named, directory, offer, speed, terms, lambda interrupt: begin(directory, interrupt))
        else:
            with Interrupt().handling() as interrupt:
                begun = begin(directory, interrupt)
                with begun.store, _progress(begun.session) as on_progress:
                    summary = drive(*begun, speed, source, on_progress, interrupt=interrupt)
            _unheard(source, summary)
    _report(summary, json, out)


@app.command()
def resume(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory of a recorded session.")],
    speed: Annotated[str | None, typer.Option(help="Instead of the speed it ran at.")] = None,
    inputs: Inputs = None,
    serve: Serve = False,
    stream: Stream = "tcp://127.0.0.1:*",
    control: Control = "tcp://127.0.0.1:*",
    keys: KeysDir = None,
    linger: Linger = 10.0,
    participant: Participant = None,
    silence: Silence = 30.0,
    when_silent: WhenSilent = "stop",
    json: Json = False,
) -> None:
    """Go on with a session from its last committed tick. A finished session is only summarised."""
    from decoderd.checkpoint import Encoder
    from decoderd.recording import session_file, store
    from decoderd.recording.summary import stored
    from decoderd.run.runner import Begun, clock_for, drive

    kept = store.open_store(directory, writing=True)
    with kept:
        for what, (then, now) in session_file.differences(kept).items():
            err_console.print(f"warning: the session began with {what} {then}, this is {now}: bits may differ")
        session, state = session_file.restore(kept)
        if state.progress.done and not serve:
            _report(stored(kept, session, state), json, directory)
            return
        speed = speed or _speed_before(kept, directory)
        clock_for(speed, session.timing.tick_s)
        if serve and speed == "lockstep" and not participant:
            terms = _agreed(directory)
        else:
            terms = _terms(serve, speed, participant, silence, when_silent, inputs)
        if serve:
            offer = (stream, control, keys, linger)
            begun = Begun(kept, Encoder(), session, state)
            summary = _served(session.name, directory, offer, speed, terms, lambda interrupt: begun)
        else:
            with _progress(session) as on_progress:
                source = _source(inputs)
                summary = drive(kept, Encoder(), session, state, speed, source, on_progress)
            _unheard(source, summary)
    _report(summary, json, directory)


@app.command()
def replay(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory of a recorded session.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare every recorded byte (what a replay is for).")
    ] = False,
    json: Json = False,
) -> None:
    """Run a recorded session again from its journal and compare. Exit status 1 if any byte differs."""
    from decoderd.recording import store
    from decoderd.recording.replay import verify as compare
    from decoderd.run import realtime

    with store.open_store(directory) as kept, realtime.repeatable():
        last, _ = kept.checkpoint()
        with _bar("replaying", last) as advance:
            verdict = compare(kept, advance)
    if json:
        difference = verdict.difference._asdict() if verdict.difference else None
        print(jsonlib.dumps({"identical": verdict.identical, "ticks": verdict.ticks, "difference": difference}))
    elif verdict.difference:
        topic, tick, why = verdict.difference
        out_console.print(f"[red]not identical[/]: {topic} at tick {tick}: {escape(why)}", soft_wrap=True)
    else:
        out_console.print(f"[green]identical[/]: every recorded byte of {verdict.ticks} ticks")
    if not verdict.identical:
        raise typer.Exit(1)


@app.command()
def decode(
    kind: Annotated[str, typer.Option(help="Kind of decoder.")],
    decoder: Annotated[Path, typer.Option(help="Its arrays, .npz.")],
    counts: Annotated[Path, typer.Option(help="Spike counts, bins x units, .npy.")],
    out: Annotated[Path, typer.Option(help="Where to put the states, bins x entries, .npy.")],
    initial: Annotated[Path | None, typer.Option(help="State before the first bin, .npy.")] = None,
    json: Json = False,
) -> None:
    """Decode an array of counts offline, one row of state a bin.

    kalman, steady_state_kalman: arrays A, W, C, Q, optional x0 and P0, state and covariance before the first bin.
    Default: zeros, but 1 where the last state is a constant 1 (A carries it over, W leaves it alone).
    """
    from decoderd.decoders import offline
    from decoderd.run import realtime

    with realtime.repeatable(), _bar("decoding", None) as advance:
        rows = offline.decode_files(kind, decoder, counts, initial, out, advance)
    if json:
        print(jsonlib.dumps({"kind": kind, "bins": rows.shape[0], "entries": rows.shape[1], "out": str(out)}))
    else:
        out_console.print(
            f"{rows.shape[0]} bins decoded to {rows.shape[1]} entries each: {out}", markup=False, soft_wrap=True
        )


@app.command()
def serve(
    control: Annotated[str, typer.Option(help="Where to take requests.")] = "tcp://127.0.0.1:5570",
    data: Annotated[Path, typer.Option(help="Directory of the sessions, a folder each.")] = Path("decoderd-data"),
    keys: KeysDir = None,
    linger: Linger = 10.0,
) -> None:
    """Start, find, resume and stop sessions on request, each in a process of its own."""
    from decoderd.service import supervisor_process

    def on_bound(endpoint: str) -> None:
        err_console.print(f"control {endpoint}, data {data}", markup=False, highlight=False, soft_wrap=True)

    def on_end(sessions: list[str]) -> None:
        names = f": {', '.join(sessions)}" if sessions else ""
        text = f"supervisor stopped; {len(sessions)} sessions continue without it{names}"
        err_console.print(text, markup=False, highlight=False, soft_wrap=True)

    supervisor_process.serve(data, control, keys, linger, on_bound, on_end)


@app.command()
def keys(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory of the keys.")],
    client: Annotated[str | None, typer.Option(help="Make the keys of a client of this name.")] = None,
    controller: Annotated[bool, typer.Option("--controller", help="It may control, not only observe.")] = False,
) -> None:
    """Make keys, so that sockets may be bound to other addresses than loopback: the server's, then each client's."""
    from decoderd.service import auth

    if client is None:
        made, why = auth.make_keys(directory), "the server's public key, which clients know it by"
    else:
        made = auth.add_client(directory, client, "controller" if controller else "observer")
        why = "all that this client needs, and secret: hand it over to nobody else"
    out_console.print(f"{made}: {why}", markup=False, highlight=False, soft_wrap=True)


@app.command()
def fit(
    recording: Annotated[Path, typer.Argument(help="A recording, .npz or .nwb.")],
    out: Annotated[Path, typer.Option(help="Directory for population.npz, decoder.npz and protocol.toml.")],
    factors: Annotated[int, typer.Option(help="Latents, where the recording brings no factor analysis.")] = 10,
    bin_s: Annotated[float, typer.Option(help="Bin for the spike times of an .nwb file.")] = 0.045,
    length_unit: Annotated[str, typer.Option(help="Unit of length of the recording's decoder: mm, cm or m.")] = "mm",
    json: Json = False,
) -> None:
    """Turn a recording into a population and a decoder that a protocol can name."""
    from decoderd.run import realtime
    from decoderd.twin.fit import fit as fit_recording

    with realtime.repeatable(), err_console.status("fitting"):
        found = fit_recording(recording, out, length_unit=length_unit, factors=factors, bin_s=bin_s)
    if json:
        print(jsonlib.dumps({name: _jsonable(value) for name, value in found._asdict().items()}))
        return
    table = Table(title=f"{recording.name}: {found.bins} bins, {found.units} units, {found.latents} latents")
    for column in ("target", "progress recorded (mm a bin)", "progress of the twin"):
        table.add_column(column, justify="right")
    for target, (recorded, twin) in enumerate(zip(found.progress_m, found.twin_progress_m, strict=True)):
        table.add_row(str(target), f"{1e3 * recorded:.2f}", f"{1e3 * twin:.2f}")
    out_console.print(table)
    out_console.print(f"run it with: decoderd run {found.protocol}", markup=False, soft_wrap=True)


def _jsonable(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else getattr(value, "tolist", lambda: value)()


@app.command()
def bench(
    seconds: Annotated[float, typer.Option(help="Length of each of the real-time turns.")] = 5.0,
    turns: Annotated[int, typer.Option(help="How many real-time turns.")] = 3,
    json: Json = False,
) -> None:
    """Measure on this machine, each figure beside its yardstick, in turns."""
    from decoderd.bench import kalman, lateness, learning, load, lockstep, publish, recorder, tick

    with _bar("measuring", 8) as advance:
        found = kalman.measure()
        advance(1)
        found |= tick.measure()
        advance(2)
        found |= recorder.measure()
        advance(3)
        found |= learning.measure()
        advance(4)
        found |= lateness.measure(seconds=seconds, turns=turns)
        advance(5)
        found |= publish.measure(seconds=seconds, turns=turns)
        advance(6)
        found |= lockstep.measure(turns=turns)
        advance(7)
        found |= load.measure(seconds=max(seconds, 8.0), turns=turns)
    if json:
        print(jsonlib.dumps(found))
        return
    table = Table(title="decoderd bench")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in found.items():
        if not isinstance(value, dict):
            table.add_row(name, f"{value:.3g}")
    out_console.print(table)
    out_console.print_json(jsonlib.dumps({name: value for name, value in found.items() if isinstance(value, dict)}))


def _session_name(name: str | None, out: Path | None, otherwise: str) -> str:
    """The name given, else that of the directory where it can be one, else `otherwise`. Raises ProtocolError."""
    from decoderd.wire.control import NAME

    if name is None:
        folder = out.resolve().name if out is not None else ""
        return folder if re.fullmatch(NAME, folder) else otherwise
    if not re.fullmatch(NAME, name):
        raise ProtocolError(
            f"--name {name!r}: expected letters, digits and _ . - (at most 64, a letter or digit first)", "name"
        )
    return name


def _terms(
    serve: bool, speed: str, participant: list[str] | None, silence: float, when_silent: str, inputs: Path | None
) -> Any:
    """The terms of lockstep, or None. Raises ProtocolError for options that do not go together."""
    from pydantic import ValidationError

    from decoderd.wire.control import Participants

    if serve and inputs is not None:
        raise ProtocolError("--inputs: a session that is served takes its inputs from control", "inputs")
    if not serve and (participant or speed == "lockstep"):
        raise ProtocolError("--speed lockstep and --participant: only a session that is served (--serve) has them")
    if speed != "lockstep" and not participant:
        return None
    grants = dict(one.partition("=")[::2] for one in participant or ())
    try:
        return Participants.model_validate({"grants": grants, "silence_s": silence, "when_silent": when_silent})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise ProtocolError(f"lockstep: {where}: {fault['msg']}; as in --participant task=tick", where) from None


def _speed_before(kept: Any, directory: Path) -> str:
    """The speed that the session ran at last, or was to run at when its process died."""
    from decoderd.service import process_file

    past, last = kept.incarnations(), process_file.read(directory)
    if past:
        return str(past[-1]["speed"])
    return last.speed if last is not None else "realtime"


def _agreed(directory: Path) -> Any:
    """The terms of lockstep that the session ran under last."""
    from decoderd.service import process_file
    from decoderd.wire.control import Participants

    last = process_file.read(directory)
    return Participants.model_validate(last.lockstep) if last is not None and last.lockstep else None


def _served(
    name: str, directory: Path, offer: Any, speed: str, terms: Any, begin: Callable[[Any], Any]
) -> dict[str, Any]:
    from decoderd.service import session_process

    def on_bound(stream: str, control: str) -> None:
        text = f"serving {name}: stream {stream}, control {control}"
        err_console.print(text, markup=False, highlight=False, soft_wrap=True)

    options = session_process.ServeOptions(*offer)
    return session_process.run(directory, options, speed, terms, begin, on_bound, _progress)


def _source(path: Path | None) -> Any:
    if path is None:
        return None
    from decoderd.run import scripted_inputs

    return scripted_inputs.load(
        path,
        lambda tick, why: err_console.print(
            f"refused at tick {tick}: {why}", style="yellow", markup=False, highlight=False, soft_wrap=True
        ),
    )


def _unheard(source: Any, summary: dict[str, Any]) -> None:
    late = source.after(summary["ticks"]) if source is not None and summary["done"] else 0
    if late:
        err_console.print(f"warning: {late} inputs are for ticks after the session's end ({summary['ticks']} ticks)")


def _report(summary: dict[str, Any], json: bool, out: Path | None) -> None:
    if json:
        print(jsonlib.dumps(summary))
        return
    table = Table(title=f"session {summary['session']}", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name in ("days", "trials", "successes", "success_rate", "ticks", "sim_s", "wall_s", "speed", "digest"):
        value = summary[name]
        table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    late = summary["lateness"]
    if late["p50_us"] is not None:
        shown = ", ".join(f"{key[:-3]} {late[key]:.0f} us" for key in ("p50_us", "p99_us", "p999_us", "max_us"))
        table.add_row("lateness", f"{shown}; missed {late['missed']}")
        for name, value in summary["conditions"].items():
            table.add_row(name, value)
    out_console.print(table)
    if not summary["done"]:
        again = f"; go on with: decoderd resume {out}" if out else ""
        out_console.print(
            f"interrupted at tick {summary['ticks']}, everything is stored{again}", markup=False, soft_wrap=True
        )


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar, on a terminal only, for what takes longer than two seconds.

    It is drawn by a thread of its own: drawing takes milliseconds, which a tick cannot spare.
    """
    done, over = [0], threading.Event()

    def advance(number: int) -> None:
        done[0] = number

    def draw() -> None:
        if over.wait(2.0):
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
        times = (TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, *times, console=err_console, transient=True, auto_refresh=False) as bar:
            task = bar.add_task(what, total=total)
            while not over.wait(0.25):
                bar.update(task, completed=done[0], refresh=True)

    artist = threading.Thread(target=draw, name="progress", daemon=True)
    if err_console.is_terminal:
        artist.start()
    try:
        yield advance
    finally:
        over.set()
        if artist.is_alive():
            artist.join()


@contextmanager
def _progress(session: Any) -> Iterator[Callable[[Any], None]]:
    from decoderd import schedule

    plan = session.protocol.schedule
    ticks = schedule.expected_ticks(plan, session.timing.tick_s)
    trials = schedule.expected_trials(plan)
    with _bar(session.name, ticks or trials) as advance:
        yield lambda state: advance(state.tick if ticks else state.progress.trials)
