"""Begin a session in a new file, and restore a session from its file."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from decoderd import __version__, checkpoint
from decoderd.checkpoint import Encoder
from decoderd.errors import StoreError
from decoderd.preparation.session_warnings import warnings
from decoderd.protocol import protocol
from decoderd.recording.store import Store, create
from decoderd.session.assembly import Session, assemble
from decoderd.state import SessionState
from decoderd.wire import topics


def versions() -> dict[str, str]:
    """Versions of the software and the machine, on which the exact numbers of a session depend: {name: version}."""
    packages = {name: version(name) for name in ("numpy", "scipy", "msgpack")}
    return {
        "decoderd": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()} {sys.byteorder}",
        **packages,
    }


def begin(directory: Path, session: Session, state: SessionState) -> tuple[Store, Encoder]:
    """Create the file of a session with its first checkpoint; returns the store and its encoder. Raises StoreError."""
    encoder = Encoder()
    read = state.parameters.readouts
    manifest = {
        "session": session.name,
        "protocol": protocol.dump(session.protocol),
        "readouts": None if read is None else read.tolist(),
        "versions": versions(),
        "warnings": [warning._asdict() for warning in warnings(session.protocol, state.parameters)],
    }
    return create(directory, manifest, encoder.encode(state)), encoder


def restore(store: Store, newest: bool = True) -> tuple[Session, SessionState]:
    """The session, and its state at the newest or the first checkpoint. Raises StoreError or ProtocolError."""
    manifest = store.manifest()
    parsed = protocol.parse(manifest["protocol"])
    _, body = store.checkpoint(newest)
    state: Any = checkpoint.decode(body, store.array, protocol.parse_perturbation)
    _check_topics(store, state)
    return assemble(parsed, state.parameters, manifest["session"]), state


def _check_topics(store: Store, state: SessionState) -> None:
    """Raise StoreError if the checkpoint numbers other topics than this version publishes."""
    unknown = sorted(set(state.sequences) ^ set(topics.NUMBERED))
    if unknown:
        raise StoreError(
            f"{store.path}: the checkpoint was written by a decoderd with other topics ({', '.join(unknown)}): use "
            f"the version of decoderd that wrote it, or run its protocol again"
        )


def differences(store: Store) -> dict[str, tuple[str, str]]:
    """{name: (then, now)} of versions that differ from those with which the session began."""
    then, now = store.manifest()["versions"], versions()
    return {key: (then.get(key, "none"), now[key]) for key in now if then.get(key) != now[key]}
