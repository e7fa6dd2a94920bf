"""`decoderd serve` and `decoderd keys`: the daemon, and the keys by which others may connect to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from decoderd.cli import options, output


def serve(
    control: options.Control = "tcp://127.0.0.1:5570",
    data: Annotated[Path, typer.Option(help="Directory of the sessions, a folder each.")] = Path("decoderd-data"),
    keys: options.KeysDir = None,
    linger: options.Linger = 10.0,
    max_sessions: Annotated[
        int | None, typer.Option(min=1, help="Sessions that may run at a time; without it, as many as the machine can.")
    ] = None,
    stop_within: Annotated[
        float, typer.Option(min=0.1, help="Seconds a session may take to stop, before its process is ended.")
    ] = 30.0,
    max_memory: options.MaxMemory = None,
) -> None:
    """Run the daemon, which starts, finds, resumes and stops sessions, each in a process of its own."""
    from decoderd.preparation import memory_limit
    from decoderd.service import supervisor_process

    def on_bound(endpoint: str) -> None:
        output.note(f"control {endpoint}, data {data}")

    def on_end(sessions: list[str]) -> None:
        names = f": {', '.join(sessions)}" if sessions else ""
        output.note(f"supervisor stopped; {len(sessions)} sessions continue without it{names}")

    if max_memory is not None:
        memory_limit.parse(max_memory)  # refuses what is no size before anything is started
    limits = supervisor_process.Limits(max_sessions, stop_within, max_memory)
    supervisor_process.serve(data, control, keys, linger, limits, on_bound, on_end)


def keys(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory of the keys.")],
    client: Annotated[str | None, typer.Option(help="Make the keys of a client of this name.")] = None,
    controller: Annotated[bool, typer.Option("--controller", help="It may control, not only observe.")] = False,
) -> None:
    """Make keys, needed to bind any address but loopback: first the server's, then those of each client."""
    from decoderd.service import keys as folder

    if client is None:
        output.line(f"{folder.make_keys(directory)}: the server's public key; clients need a copy")
    else:
        made = folder.add_client(directory, client, "controller" if controller else "observer")
        output.line(f"{made}: all that this client needs; secret, give it to this client only")
