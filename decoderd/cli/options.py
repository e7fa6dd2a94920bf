"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from decoderd.errors import ProtocolError

if TYPE_CHECKING:
    from decoderd.wire.control import Participants

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Directory of a recorded session.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of output.")]
Speed = Annotated[str, typer.Option(help="realtime, max, a factor of real time such as 10, or lockstep.")]
LATE = "catch-up|from-now"
Late = Annotated[
    str,
    typer.Option(
        metavar=LATE,
        help="After a delay, as of a stopped process: run the late ticks at once, or count time from now on.",
    ),
]
Inputs = Annotated[Path | None, typer.Option(help="JSON lines of inputs, each with the tick that consumes it.")]
KeysDir = Annotated[Path | None, typer.Option(help="Directory of CURVE keys, see `decoderd keys`.")]

# Of a session that is served.
Serve = Annotated[bool, typer.Option("--serve", help="Publish the session and let clients control it.")]
Stream = Annotated[str, typer.Option(help="Endpoint that publishes messages; port * for a free one.")]
Control = Annotated[str, typer.Option(help="Endpoint that takes requests; port * for a free one.")]
Linger = Annotated[
    float, typer.Option(help="Seconds without a request, after the session's end, until the process exits.")
]

MaxMemory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE", help="Memory that a session may take, such as 4G; without it, what the machine has available."
    ),
]

# Of lockstep.
Participant = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=tick|trial|day",
        help="With --speed lockstep: a client, and what it grants. May be given several times.",
    ),
]
Silence = Annotated[float, typer.Option(help="Seconds that a participant may take to grant.")]
WhenSilent = Annotated[str, typer.Option(help="After that time: stop, pause, or drop the participant.")]


GRANTED = ("tick", "trial", "day")


def participants(given: Sequence[str] | None, silence_s: float, when_silent: str) -> dict[str, Any] | None:
    """The participants of lockstep as plain data, from NAME=tick|trial|day each; None without any.

    Raises ProtocolError for one of another form.
    """
    if not given:
        return None
    grants = dict(one.partition("=")[::2] for one in given)
    for name, unit in grants.items():
        if not name or unit not in GRANTED:
            shown = f"{name}={unit}" if unit else name
            raise ProtocolError(f"--participant {shown}: expected NAME=tick, NAME=trial or NAME=day", "participant")
    return {"grants": grants, "silence_s": silence_s, "when_silent": when_silent}


def lockstep(
    serve: bool, speed: str, given: Sequence[str] | None, silence_s: float, when_silent: str, inputs: Path | None
) -> Participants | None:
    """The participants of lockstep; None at any other speed.

    Raises ProtocolError for options that exclude one another, and for a participant that is not NAME=tick|trial|day.
    """
    from pydantic import ValidationError

    from decoderd.wire.control import Participants

    if serve and inputs is not None:
        raise ProtocolError("--inputs: a session with --serve takes its inputs from clients; leave out one", "inputs")
    if not serve and (given or speed == "lockstep"):
        raise ProtocolError("--speed lockstep and --participant need --serve: clients grant the ticks")
    plain = participants(given, silence_s, when_silent)
    if speed == "lockstep" and plain is None:
        raise ProtocolError("--speed lockstep needs a --participant that grants, such as task=tick", "participant")
    if plain is None:
        return None
    try:
        return Participants.model_validate(plain)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise ProtocolError(f"lockstep: {where}: {fault['msg']}", where) from None
