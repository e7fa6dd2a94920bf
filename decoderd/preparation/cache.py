"""The user's cache of pretrained individuals, and of those whose training was interrupted.

An individual is named by a hash of all that decides it. A cache that cannot be read or written is gone without.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from decoderd import checkpoint
from decoderd.arrays import Array, check_array, load_npz
from decoderd.errors import ArrayError, StoreError
from decoderd.populations import Population
from decoderd.rng import generator
from decoderd.state import Timing

# Raised when the same protocol would train another individual than before.
VERSION = 4

# Bytes of the SHA-256 that a training which is not over begins with.
_DIGEST = 32


def folder() -> Path:
    """Where it is: $XDG_CACHE_HOME/decoderd/pretrained, in ~/.cache by default."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "decoderd" / "pretrained"


def fingerprint(pretraining: Mapping[str, Any], config: Any, timing: Timing, seed: int) -> str:
    """SHA-256 over all that decides a trained individual; `pretraining` as plain data."""
    told = {
        "version": VERSION,
        "numpy": np.__version__,
        "pretraining": pretraining,
        "population": config.model_dump(mode="json"),
        "tick_s": timing.tick_s,
        "seed": seed,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def found(name: str, kind: Population, config: Any, updates: int) -> tuple[Any, Array] | None:
    """The individual of this fingerprint and the loss of each update, or None."""
    try:
        arrays = load_npz(folder() / f"{name}.npz")
        losses = check_array("losses", arrays.pop("losses", None), (updates,))
        return kind.load(config, generator(0, "nothing is drawn"), arrays), losses
    except ArrayError:  # absent, cut short by a full disk, or something else
        return None


def keep(name: str, individual: Any, losses: Array) -> None:
    """Put an individual there."""
    _put(f"{name}.npz", lambda path: np.savez(path, losses=losses, **individual._asdict()))


def left(names: Sequence[str]) -> Any:
    """What was kept of the training of exactly these, or None."""
    try:
        data = _unfinished(names).read_bytes()
        if data[:_DIGEST] != hashlib.sha256(data[_DIGEST:]).digest():
            return None
        body, arrays = msgpack.unpackb(data[_DIGEST:])
        return checkpoint.decode(body, arrays.__getitem__, lambda plain: None)
    except (OSError, StoreError):  # absent, or of another version of this program
        return None


def keep_training(names: Sequence[str], training: Any) -> None:
    """Put a training that is not over there."""
    encoded = checkpoint.Encoder().encode(training)
    data = msgpack.packb([encoded.body, encoded.fresh])
    _put(_unfinished(names).name, lambda path: path.write_bytes(hashlib.sha256(data).digest() + data))


def forget_training(names: Sequence[str]) -> None:
    """It is over."""
    with contextlib.suppress(OSError):
        _unfinished(names).unlink(missing_ok=True)


def _unfinished(names: Sequence[str]) -> Path:
    return folder() / f"{hashlib.sha256(' '.join(names).encode()).hexdigest()}.unfinished"


def _put(name: str, write: Callable[[Path], Any]) -> None:
    """A whole file, or none."""
    with contextlib.suppress(OSError):
        folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder()) as unfinished:
            whole = Path(unfinished) / name
            write(whole)
            whole.replace(folder() / name)
