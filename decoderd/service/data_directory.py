"""The data directory of a supervisor: a folder for each session, and beside it the session's plan, its protocol.

A session is known by its recording, its process file or its plan; any of them is enough.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from copy import deepcopy
from pathlib import Path
from typing import Any

from decoderd import files
from decoderd.errors import DecoderdError, ProtocolError, Shortage, StoreError
from decoderd.recording import database
from decoderd.service import process_file
from decoderd.wire import control, envelope

LOG = "log.txt"
# A larger file is no plan: a request to start has to fit into one map, and is written with indents.
PLAN_BYTES = 16 * envelope.MAP_BYTES
# How a database begins.
_MAGIC = b"SQLite format 3\0"


def names(data: Path, known: Collection[str] = ()) -> set[str]:
    """Names of the sessions; what is there of those `known` is not read again.

    Raises Shortage if the directory is away, or cannot be read now.
    """
    try:
        entries = list(data.iterdir())
    except OSError as error:
        raise Shortage(f"the data directory cannot be read: {error.strerror}") from None
    found = set()
    for path in entries:
        name = path.name.removesuffix(".json")
        if re.fullmatch(control.NAME, name) and (name in known or _is_of_session(path)):
            found.add(name)
    return found


def _is_of_session(path: Path) -> bool:
    """Whether an entry of the directory is the plan of a session, or its folder."""
    try:
        if path.suffix == ".json":
            return _is_protocol(_parsed(path))
        return (path / process_file.FILE).is_file() or _is_database(path / database.FILE)
    except OSError:  # what cannot be looked at is no session of ours
        return False


def plan(data: Path, name: str) -> Path:
    """The file of a session's protocol. Paths in a protocol are relative to the data directory."""
    return data / f"{name}.json"


def write_plan(data: Path, name: str, protocol: dict[str, Any]) -> None:
    """Store the protocol of a session that is to begin. Raises Shortage; StoreError over a file that is no protocol."""
    path = plan(data, name)
    if path.exists() and not _is_protocol(_parsed(path)):
        raise StoreError(f"{path.name} is in the data directory and is no protocol: choose another name", "session")
    try:
        with files.replacing(path) as stream:
            stream.write(json.dumps(protocol, indent=1).encode())
    except OSError as error:
        raise Shortage(f"{path.name} cannot be written: {error.strerror}", "session") from None


def begun(directory: Path) -> bool:
    """Whether there is a recording to resume from; a process killed while it creates one leaves an empty database.

    Raises Shortage if that cannot be known now.
    """
    path = directory / database.FILE
    try:
        return path.is_file() and path.stat().st_size > 0 and database.has_tables(path)
    except StoreError:  # a damaged one: the process that opens it gives the reason
        return True
    except OSError as error:
        raise Shortage(f"{directory.name}/{database.FILE} cannot be looked at: {error.strerror}") from None


def unused(directory: Path) -> bool:
    """Whether nothing is there but what a session that could not begin has left."""
    if not directory.is_dir():
        return not directory.exists()
    left = {LOG, process_file.LOCK, process_file.FILE, database.LOCK}
    names = (path.name for path in directory.iterdir())
    return not begun(directory) and all(name in left or name.startswith((".", database.FILE)) for name in names)


def same_protocol(data: Path, name: str, protocol: dict[str, Any]) -> bool:
    """Whether the session is of this protocol, by what the protocols mean and not how they are written."""
    planned = _parsed(plan(data, name))
    if planned == protocol:  # keys in any order, 1 as 1.0
        return True
    from decoderd.protocol import protocol as protocols
    from decoderd.recording.store import open_store

    def meaning(given: dict[str, Any]) -> Any:
        return protocols.dump(protocols.parse_file(deepcopy(given), plan(data, name)))

    try:
        if begun(data / name):
            with open_store(data / name) as store:
                return bool(meaning(store.manifest()["protocol"]) == meaning(protocol))
        return isinstance(planned, dict) and meaning(planned) == meaning(protocol)
    except ProtocolError:
        return False
    except DecoderdError as error:
        raise StoreError(f"session {name!r} exists, and its protocol cannot be read: {error}", "session") from None


def _parsed(path: Path) -> Any:
    """What a JSON file of the size of a protocol holds; None if there is none, or nothing that is JSON."""
    try:
        if not path.is_file() or path.stat().st_size > PLAN_BYTES:
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _is_protocol(found: Any) -> bool:
    """Whether it can be a protocol, and not a file of another program."""
    return isinstance(found, dict) and "schedule" in found


def _is_database(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(_MAGIC)) == _MAGIC
