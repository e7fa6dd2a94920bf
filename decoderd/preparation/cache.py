"""The user's cache of pretrained populations, and of interrupted pretraining.

A file is named by a hash of everything that the trained population depends on. Where the cache cannot be read or
written, populations are trained without it, which one warning says.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import msgpack
import numpy as np

from decoderd import checkpoint, files
from decoderd.arrays import Array, check_array, load_npz
from decoderd.errors import ArrayError, StoreError
from decoderd.populations import Population
from decoderd.rng import generator
from decoderd.state import Timing

log = logging.getLogger(__name__)

# To be raised when the same protocol would lead to another trained population than before.
VERSION = 4

# Bytes of the SHA-256 at the beginning of a file of interrupted pretraining.
_DIGEST = 32


def folder() -> Path:
    """The folder of the cache: $XDG_CACHE_HOME/decoderd/pretrained, or ~/.cache/decoderd/pretrained.

    Raises FileNotFoundError if neither is set: for a user without an entry in passwd whose HOME is not set.
    """
    try:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        raise FileNotFoundError(errno.ENOENT, "the user has no home; XDG_CACHE_HOME or HOME gives one") from None
    return caches / "decoderd" / "pretrained"


def fingerprint(pretraining: Mapping[str, Any], config: Any, timing: Timing, seed: int) -> str:
    """SHA-256 over everything that a trained population depends on; `pretraining` as plain data."""
    data = {
        "version": VERSION,
        "numpy": np.__version__,
        "pretraining": pretraining,
        "population": config.model_dump(mode="json"),
        "tick_s": timing.tick_s,
        "seed": seed,
    }
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def load(name: str, kind: Population, config: Any, updates: int) -> tuple[Any, Array] | None:
    """The trained population with this fingerprint and its losses (updates,); None if it is not in the cache."""
    try:
        arrays = load_npz(folder() / f"{name}.npz")
        losses = check_array("losses", arrays.pop("losses", None), (updates,))
        return kind.load(config, generator(0, "nothing is drawn"), arrays), losses
    except (ArrayError, OSError):  # missing, incomplete, or another kind of file
        return None


def save(name: str, individual: Any, losses: Array) -> None:
    """Write a trained population and its losses (updates,) to the cache."""
    _write(f"{name}.npz", lambda stream: np.savez(stream, losses=losses, **individual._asdict()))


def load_unfinished(names: Sequence[str]) -> Any:
    """The state of interrupted pretraining of exactly these fingerprints, or None."""
    try:
        data = _unfinished(names).read_bytes()
        if data[:_DIGEST] != hashlib.sha256(data[_DIGEST:]).digest():
            return None
        body, arrays = msgpack.unpackb(data[_DIGEST:])
        return checkpoint.decode(body, arrays.__getitem__, lambda plain: None)
    except (OSError, StoreError):  # missing, or written by another version
        return None


def save_unfinished(names: Sequence[str], training: Any) -> None:
    """Write the state of pretraining that has not finished."""
    encoded = checkpoint.Encoder().encode(training)
    data = msgpack.packb([encoded.body, encoded.fresh])
    _write(_unfinished(names).name, lambda stream: stream.write(hashlib.sha256(data).digest() + data))


def delete_unfinished(names: Sequence[str]) -> None:
    """Delete the state of pretraining that has finished."""
    with contextlib.suppress(OSError):
        _unfinished(names).unlink(missing_ok=True)


def _unfinished(names: Sequence[str]) -> Path:
    return folder() / f"{hashlib.sha256(' '.join(names).encode()).hexdigest()}.unfinished"


def _write(name: str, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file of the cache, completely or not at all."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with files.replacing(folder() / name) as stream:
            write(stream)
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        _warn(f"{where}{error.strerror}")


@functools.cache
def _warn(why: str) -> None:
    """Say why there is no cache, once for each reason."""
    log.warning("warning: what was pretrained is not kept for the next time: %s", why)
