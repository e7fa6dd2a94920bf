"""A session's state as bytes and back.

The state is a tree of named tuples, tuples, arrays and plain values, so a checkpoint is complete by construction.
Large arrays are stored once under their hash: parameters that did not change cost nothing in the next checkpoint.
Restoring runs no code from the file: it only fills named tuples of modules that are loaded already.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgpack
import numpy as np
from pydantic import BaseModel

from decoderd.errors import StoreError

# Smaller arrays stand in the tree itself.
LARGE = 1024


class Encoded(NamedTuple):
    """A state as bytes."""

    body: bytes
    fresh: dict[str, bytes]  # {hash: bytes} of large arrays that the state before did not have
    uses: list[str]  # hashes of all its large arrays


class Encoder:
    """Turns states into bytes, remembering which large arrays it has handed out already."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, str]] = {}  # id -> (array, kept so that its id stays its own, hash)

    def encode(self, state: Any) -> Encoded:
        """The state's bytes, and the large arrays it stands on."""
        fresh: dict[str, bytes] = {}
        seen: dict[int, tuple[Any, str]] = {}

        def large(array: np.ndarray) -> str:
            known = self._known.get(id(array))
            if known is None:
                body = _array_bytes(array)
                known = (array, hashlib.sha256(body).hexdigest())
                fresh[known[1]] = body
            seen[id(array)] = known
            return known[1]

        tree = msgpack.packb(_plain(state, large))
        self._known = seen
        return Encoded(tree, fresh, sorted({digest for _, digest in seen.values()}))


def decode(data: bytes, arrays: Callable[[str], bytes], spec: Callable[[Any], Any]) -> Any:
    """The state from its bytes. `arrays(hash)` gives large arrays' bytes, `spec(data)` a validated config.

    Raises StoreError if the bytes are no state.
    """
    try:
        return _restored(msgpack.unpackb(data, strict_map_key=False), arrays, spec)
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(f"the checkpoint cannot be read: {error}") from None


def _array_bytes(array: np.ndarray) -> bytes:
    # The order in memory is part of the value: matrix products round differently in another.
    order: Literal["C", "F"] = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    return msgpack.packb([array.dtype.str, list(array.shape), order, array.tobytes(order)])


def _array_from(body: Any) -> np.ndarray:
    dtype, shape, order, data = body
    array = np.frombuffer(data, dtype=np.dtype(dtype)).reshape(shape, order=order)
    array.setflags(write=False)
    return array


def _plain(value: Any, large: Callable[[np.ndarray], str]) -> Any:
    if isinstance(value, np.generic):  # before numbers: a float64 is a float, too
        return {"a": _array_bytes(np.asarray(value)), "scalar": True}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError("an array of objects has no place in a state")
        return {"h": large(value)} if value.nbytes > LARGE else {"a": _array_bytes(value)}
    if isinstance(value, tuple):
        items = [_plain(item, large) for item in value]
        if hasattr(value, "_fields"):
            return {"n": f"{type(value).__module__}:{type(value).__qualname__}", "v": items}
        return {"t": items}
    if isinstance(value, dict):
        return {"d": [[key, _plain(item, large)] for key, item in value.items()]}
    if isinstance(value, BaseModel):
        return {"p": value.model_dump(mode="json")}
    raise TypeError(f"{type(value).__name__} has no place in a state: use arrays, numbers and named tuples")


def _restored(value: Any, arrays: Callable[[str], bytes], spec: Callable[[Any], Any]) -> Any:
    if not isinstance(value, dict):
        return value
    if "n" in value:
        kind = _named_tuple(value["n"])
        return kind(*[_restored(item, arrays, spec) for item in value["v"]])
    if "t" in value:
        return tuple(_restored(item, arrays, spec) for item in value["t"])
    if "h" in value:
        return _array_from(msgpack.unpackb(arrays(value["h"])))
    if "a" in value:
        array = _array_from(msgpack.unpackb(value["a"]))
        return array[()] if value.get("scalar") else array
    if "d" in value:
        return {key: _restored(item, arrays, spec) for key, item in value["d"]}
    return spec(value["p"])


def _named_tuple(name: str) -> Any:
    module, _, qualname = name.partition(":")
    kind = getattr(sys.modules.get(module), qualname, None)
    if not (isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")):
        raise StoreError(f"the checkpoint holds a {name}, which is not installed here")
    return kind
