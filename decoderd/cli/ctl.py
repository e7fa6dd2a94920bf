"""`decoderd ctl` and `decoderd watch`: requests to the daemon and to sessions, through the client library."""

from __future__ import annotations

import contextlib
import json as jsonlib
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live
from rich.table import Table

from decoderd import files
from decoderd.cli import options, output
from decoderd.cli.clients import AT, Keys, errors, open_session, open_supervisor
from decoderd.errors import ServiceError

if TYPE_CHECKING:
    from decoderd.cli.live_view import View

ctl = typer.Typer(no_args_is_help=True, add_completion=False, help="Control the daemon and its sessions.")

Control = Annotated[
    str, typer.Option("--control", envvar="DECODERD_CONTROL", help="Control endpoint of `decoderd serve`.")
]
Name = Annotated[
    str, typer.Argument(metavar="SESSION", help="Its name; or its control endpoint, where there is no daemon.")
]
FRAME_S, LINE_S = 0.1, 1.0


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(files.read_text(file))
    except OSError as error:
        raise ServiceError(f"{file}: cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ServiceError(f"{file}: is not TOML: {error}") from None
    except ValueError as error:
        raise ServiceError(f"{file}: {error}") from None


def _show(reply: Any) -> None:
    shown = {key: value for key, value in reply.items() if key not in ("v", "id", "ok")}
    output.out_console.print_json(jsonlib.dumps(shown))


@ctl.command("list")
def list_(control: Control = AT, keys: Keys = None) -> None:
    """List all sessions."""
    with errors(), open_supervisor(control, keys) as supervisor:
        sessions = supervisor.sessions()["sessions"]
    table = Table()
    for column in ("session", "state", "incarnation", "stream", "control", "why"):
        table.add_column(column, overflow="fold")
    for one in sessions:
        table.add_row(*(str(one[key] if one[key] is not None else "") for key in (c.header for c in table.columns)))
    output.out_console.print(table)


@ctl.command()
def start(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="A name for the session.")],
    protocol: Annotated[
        Path,
        typer.Argument(
            metavar="PROTOCOL", help="A TOML protocol; paths in it are relative to the daemon's data directory."
        ),
    ],
    speed: options.Speed = "realtime",
    late: options.Late = "catch-up",
    participant: options.Participant = None,
    silence: options.Silence = 30.0,
    when_silent: options.WhenSilent = "stop",
    control: Control = AT,
    keys: Keys = None,
) -> None:
    """Start a session."""
    lockstep = options.participants(participant, silence, when_silent)
    with errors(), open_supervisor(control, keys) as supervisor:
        _show(supervisor.start(session, _toml(protocol), speed, lockstep, late))


@ctl.command()
def describe(session: Name, control: Control = AT, keys: Keys = None) -> None:
    """Show a session: protocol, seed, tick, day, perturbations, endpoints."""
    with errors(), open_session(session, control, keys) as found:
        _show(found.describe())


@ctl.command()
def health(
    session: Annotated[str | None, typer.Argument(metavar="SESSION")] = None, control: Control = AT, keys: Keys = None
) -> None:
    """Show whether a session's loop runs; without a name, the state of the daemon."""
    with errors(), open_session(session, control, keys) if session else open_supervisor(control, keys) as found:
        _show(found.health())


@ctl.command()
def pause(session: Name, control: Control = AT, keys: Keys = None) -> None:
    """Pause a session before its next tick."""
    with errors(), open_session(session, control, keys) as found:
        _show(found.pause())


@ctl.command()
def resume(session: Name, control: Control = AT, keys: Keys = None) -> None:
    """Continue a session after a pause, or start the process of one that has ended without finishing."""
    with errors():
        if "://" not in session:
            with open_supervisor(control, keys) as supervisor:
                reply = supervisor.resume(session)
            if reply["changed"]:
                _show(reply)
                return
        with open_session(session, control, keys) as found:
            _show(found.resume())


@ctl.command()
def stop(session: Name, control: Control = AT, keys: Keys = None) -> None:
    """Stop a session at the next tick, everything stored. Its process answers a while longer; a second stop ends it."""
    with errors():
        if "://" in session:
            with open_session(session, control, keys) as found:
                _show(found.stop())
        else:
            with open_supervisor(control, keys) as supervisor:
                _show(supervisor.stop(session))


@ctl.command()
def checkpoint(session: Name, control: Control = AT, keys: Keys = None) -> None:
    """Write everything up to the current tick to the disk now."""
    with errors(), open_session(session, control, keys) as found:
        _show(found.checkpoint())


@ctl.command()
def perturb(
    session: Name,
    perturbation: Annotated[
        Path, typer.Argument(metavar="FILE", help="TOML: the fields of one [[perturbations]] of a protocol.")
    ],
    control: Control = AT,
    keys: Keys = None,
) -> None:
    """Add perturbations to a running session."""
    given = _toml(perturbation)
    with errors(), open_session(session, control, keys) as found:
        for one in given.get("perturbations", [given]):
            _show(found.perturb(one))


@ctl.command()
def unperturb(
    session: Name,
    perturbation: Annotated[str, typer.Argument(metavar="NAME", help="Its name.")],
    control: Control = AT,
    keys: Keys = None,
) -> None:
    """Remove a perturbation."""
    with errors(), open_session(session, control, keys) as found:
        _show(found.unperturb(perturbation))


@ctl.command()
def give(
    session: Name,
    given: Annotated[str, typer.Argument(metavar="JSON", help='An input, as {"op": "task", "event": "start"}.')],
    control: Control = AT,
    keys: Keys = None,
) -> None:
    """Send any input to a running session: a task event, kinematics, metrics, small decoder arrays."""
    try:
        parsed = jsonlib.loads(given)
    except ValueError as error:
        raise ServiceError(f"{given!r} is not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise ServiceError(f'an input is a JSON object, such as {{"op": "task", "event": "start"}}, not {given}')
    with errors(), open_session(session, control, keys) as found:
        _show(found.send_input(parsed))


@ctl.command()
def get_decoder(
    session: Name,
    out: Annotated[Path, typer.Argument(metavar="FILE", help="File for its arrays, .npz.")],
    control: Control = AT,
    keys: Keys = None,
) -> None:
    """Save the arrays of a session's decoder."""
    import numpy as np

    from decoderd import registry
    from decoderd.decoders import files as decoder_files

    with errors(), open_session(session, control, keys) as found:
        reply, about = found.get_decoder(), found.describe()
    packed = {name: reply.array(field) for name, field in reply["arrays"].items()}
    arrays: dict[str, Any] = {name: np.frombuffer(data, "<f8").reshape(shape) for name, (shape, data) in packed.items()}
    kind = registry.family("decoders").get(reply["kind"])
    decoder_files.write(out, kind, arrays, about["tick_s"] * about["bin_ticks"])
    output.line(f"{reply['kind']}: {', '.join(packed)} in {out}")


@ctl.command()
def set_decoder(
    session: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Its arrays, .npz.")],
    control: Control = AT,
    keys: Keys = None,
) -> None:
    """Replace the decoder of a session by one of the same kind."""
    from decoderd import registry
    from decoderd.arrays import load_npz
    from decoderd.decoders import files as decoder_files

    given = load_npz(file)
    with errors(), open_session(session, control, keys) as found:
        kind = registry.find("decoders", found.describe()["decoder"]["kind"])
        try:
            arrays = decoder_files.numbers(decoder_files.parse(kind, given))
        except ValueError as error:
            raise ServiceError(f"{file}: its arrays must hold numbers ({error})") from None
        _show(found.set_decoder({name: (array.shape, array.tobytes()) for name, array in arrays.items()}))


def watch(
    session: Name,
    control: Control = AT,
    keys: Keys = None,
    frames: Annotated[int | None, typer.Option(help="Stop after so many frames, or lines.")] = None,
) -> None:
    """Show a session live: cursor, targets, success, perturbations, lateness. Ctrl-C ends the view, not the session.

    Where output is no terminal, a line a second, without the cursor.
    """
    from decoderd.cli.live_view import View

    topics = ("tick", "trial", "perturbation", "health", "metrics", "session")
    with errors(), open_session(session, control, keys) as found:
        view = View(found.describe())
        with (
            found.subscribe(topics) as messages,
            contextlib.suppress(KeyboardInterrupt),
            _drawing(view) as (every, draw),
        ):
            drawn, over = 0, False
            while not over and (frames is None or drawn < frames):
                draw_at = time.monotonic() + every
                while (left := draw_at - time.monotonic()) > 0 and not over:
                    message = messages.next(timeout_s=left)
                    if message is not None:
                        view.add(message)
                    else:
                        over = messages.over
                draw()
                drawn += 1


@contextlib.contextmanager
def _drawing(view: View) -> Iterator[tuple[float, Callable[[], None]]]:
    """How often to draw the view, s, and the call that does it: a frame on a terminal, elsewhere a line."""
    if not output.out_console.is_terminal:
        yield LINE_S, lambda: output.line(view.line())
        return
    with Live(view.shown(), console=output.out_console, auto_refresh=False) as live:
        yield FRAME_S, lambda: live.update(view.shown(), refresh=True)
