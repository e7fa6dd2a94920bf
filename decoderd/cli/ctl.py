"""`decoderd ctl` and `decoderd watch`: what people ask of the daemon, through the client library."""

from __future__ import annotations

import contextlib
import json as jsonlib
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from decoderd.errors import DecoderdError, ServiceError

ctl = typer.Typer(no_args_is_help=True, add_completion=False, help="Ask the daemon, or one of its sessions.")
console = Console()

Control = Annotated[str, typer.Option("--control", help="Where `decoderd serve` is.")]
Keys = Annotated[Path | None, typer.Option(help="Your file of keys, see `decoderd keys`.")]
Name = Annotated[
    str, typer.Argument(metavar="SESSION", help="Its name, or the control endpoint of one without a daemon.")
]
FRAME_S = 0.1
AT = "tcp://127.0.0.1:5570"


class Asked(DecoderdError):
    """A request that was answered with an error, or not at all."""

    code = "asked"


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    from decoderd_client import ControlError, NoAnswer

    try:
        yield
    except ControlError as error:
        raise Asked(f"{error} ({error.code})", error.field) from None
    except NoAnswer as error:
        raise Asked(f"{error}; is it running?") from None
    except ValueError as error:  # nothing that could be asked
        raise ServiceError(str(error)) from None


def _supervisor(control: str, keys: Path | None) -> Any:
    from decoderd_client import Supervisor

    return Supervisor(control, timeout_s=2.0, keys=_keys(keys))


def _session(name: str, control: str, keys: Path | None) -> Any:
    from decoderd_client import Session

    if "://" in name:
        return Session(name, timeout_s=2.0, keys=_keys(keys))
    with _supervisor(control, keys) as supervisor:
        return supervisor.session(name)


def _keys(file: Path | None) -> Any:
    from decoderd_client import ClientKeys

    try:
        return ClientKeys.load(file) if file is not None else None
    except (OSError, ValueError) as error:
        raise ServiceError(str(error)) from None


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ServiceError(f"{file}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ServiceError(f"{file}: {error}") from None


def _show(reply: Any) -> None:
    shown = {key: value for key, value in reply.items() if key not in ("v", "id", "ok")}
    console.print_json(jsonlib.dumps(shown))


@ctl.command("list")
def list_(control: Control = AT, keys: Keys = None) -> None:
    """All sessions."""
    with _plainly(), _supervisor(control, keys) as supervisor:
        sessions = supervisor.sessions()["sessions"]
    table = Table()
    for column in ("session", "state", "incarnation", "stream", "control", "why"):
        table.add_column(column, overflow="fold")
    for one in sessions:
        table.add_row(*(str(one[key] if one[key] is not None else "") for key in (c.header for c in table.columns)))
    console.print(table)


@ctl.command()
def start(
    session: Annotated[str, typer.Argument(help="A name for it.")],
    protocol: Annotated[Path, typer.Argument(help="A TOML protocol; files it names are sought in the data directory.")],
    speed: Annotated[str, typer.Option(help="realtime, max, a factor, or lockstep.")] = "realtime",
    participant: Annotated[list[str] | None, typer.Option(metavar="NAME=tick|trial|day")] = None,
    silence: Annotated[float, typer.Option(help="Seconds a participant may keep silent.")] = 30.0,
    when_silent: Annotated[str, typer.Option(help="Then: stop, pause, or drop the participant.")] = "stop",
    control: Control = AT,
    keys: Keys = None,
) -> None:
    """Begin a session."""
    grants = dict(one.partition("=")[::2] for one in participant or ())
    lockstep = {"grants": grants, "silence_s": silence, "when_silent": when_silent} if grants else None
    with _plainly(), _supervisor(control, keys) as supervisor:
        _show(supervisor.start(session, _toml(protocol), speed, lockstep))


@ctl.command()
def describe(session: Name, control: Control = AT, keys: Keys = None) -> None:
    """What a session is and where it stands."""
    with _plainly(), _session(session, control, keys) as found:
        _show(found.describe())


@ctl.command()
def health(session: Annotated[str | None, typer.Argument()] = None, control: Control = AT, keys: Keys = None) -> None:
    """Whether a session's loop turns; without a name, how the daemon does."""
    with _plainly(), _session(session, control, keys) if session else _supervisor(control, keys) as found:
        _show(found.health())


@ctl.command()
def pause(session: Name, control: Control = AT, keys: Keys = None) -> None:
    """Let no more ticks pass."""
    with _plainly(), _session(session, control, keys) as found:
        _show(found.pause())


@ctl.command()
def resume(session: Name, control: Control = AT, keys: Keys = None) -> None:
    """Go on: after a pause, or with a session whose process has ended."""
    with _plainly():
        if "://" not in session:
            with _supervisor(control, keys) as supervisor:
                reply = supervisor.resume(session)
            if reply["changed"]:
                _show(reply)
                return
        with _session(session, control, keys) as found:
            _show(found.resume())


@ctl.command()
def stop(session: Name, control: Control = AT, keys: Keys = None) -> None:
    """Stop a session at the next tick, everything stored. Its process answers on for a while; a second stop ends it."""
    with _plainly():
        if "://" in session:
            with _session(session, control, keys) as found:
                _show(found.stop())
        else:
            with _supervisor(control, keys) as supervisor:
                _show(supervisor.stop(session))


@ctl.command()
def checkpoint(session: Name, control: Control = AT, keys: Keys = None) -> None:
    """Have all that has happened on the disk."""
    with _plainly(), _session(session, control, keys) as found:
        _show(found.checkpoint())


@ctl.command()
def perturb(
    session: Name,
    perturbation: Annotated[Path, typer.Argument(help="TOML: the fields of one [[perturbations]] of a protocol.")],
    control: Control = AT,
    keys: Keys = None,
) -> None:
    """Add perturbations to a running session."""
    given = _toml(perturbation)
    with _plainly(), _session(session, control, keys) as found:
        for one in given.get("perturbations", [given]):
            _show(found.perturb(one))


@ctl.command()
def unperturb(
    session: Name,
    perturbation: Annotated[str, typer.Argument(help="Its name.")],
    control: Control = AT,
    keys: Keys = None,
) -> None:
    """Remove a perturbation."""
    with _plainly(), _session(session, control, keys) as found:
        _show(found.unperturb(perturbation))


@ctl.command("give")
def give(
    session: Name,
    given: Annotated[str, typer.Argument(metavar="JSON", help='An input, as {"op": "task", "event": "start"}.')],
    control: Control = AT,
    keys: Keys = None,
) -> None:
    """Give a running session any input: a task event, kinematics, metrics, small decoder arrays."""
    try:
        parsed = jsonlib.loads(given)
    except ValueError as error:
        raise ServiceError(f"not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise ServiceError("an input is a JSON object")
    with _plainly(), _session(session, control, keys) as found:
        _show(found.give(parsed))


@ctl.command()
def get_decoder(
    session: Name,
    out: Annotated[Path, typer.Argument(help="Where to put its arrays, .npz.")],
    control: Control = AT,
    keys: Keys = None,
) -> None:
    """Fetch the decoder's arrays."""
    import numpy as np

    with _plainly(), _session(session, control, keys) as found:
        reply = found.decoder()
    packed = {name: reply.array(field) for name, field in reply["arrays"].items()}
    arrays: dict[str, Any] = {name: np.frombuffer(data, "<f8").reshape(shape) for name, (shape, data) in packed.items()}
    try:
        np.savez(out, **arrays)
    except OSError as error:
        raise ServiceError(f"{out}: cannot be written: {error.strerror}") from None
    console.print(f"{reply['kind']}: {', '.join(packed)} in {out}", markup=False, highlight=False)


@ctl.command()
def set_decoder(
    session: Name,
    file: Annotated[Path, typer.Argument(help="Its arrays, .npz.")],
    control: Control = AT,
    keys: Keys = None,
) -> None:
    """Exchange the decoder for one of the same kind."""
    from decoderd.arrays import load_npz

    try:
        packed = {name: (array.shape, array.astype("<f8").tobytes()) for name, array in load_npz(file).items()}
    except ValueError as error:
        raise ServiceError(f"{file}: an array that holds no numbers ({error})") from None
    with _plainly(), _session(session, control, keys) as found:
        _show(found.set_decoder(packed))


def watch(
    session: Name,
    control: Control = AT,
    keys: Keys = None,
    frames: Annotated[int | None, typer.Option(help="Stop after so many pictures.")] = None,
) -> None:
    """A live view of a session: cursor, targets, success, perturbations, lateness. Ctrl-C leaves."""
    from decoderd.cli.live_view import View

    topics = ("tick", "trial", "perturbation", "health", "metrics", "session")
    with _plainly(), _session(session, control, keys) as found:
        view = View(found.describe())
        leaving, live = contextlib.suppress(KeyboardInterrupt), Live(view.shown(), console=console, auto_refresh=False)
        with found.subscribe(topics) as messages, leaving, live:
            drawn = 0
            while not messages.over and (frames is None or drawn < frames):
                draw_at = time.monotonic() + FRAME_S
                while (left := draw_at - time.monotonic()) > 0 and not messages.over:
                    message = messages.next(timeout_s=left)
                    if message is not None:
                        view.hear(message.topic, message.payload)
                live.update(view.shown(), refresh=True)
                drawn += 1
