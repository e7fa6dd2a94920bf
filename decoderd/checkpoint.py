"""Checkpoints: the state of a session as bytes, and back.

The state is a tree of named tuples, tuples, arrays and plain values, so a checkpoint is complete by construction.
Large arrays are stored once under their hash, so parameters that have not changed are not stored again.

A named tuple is stored under the name that `stored` gave it, and its values under the names of its fields. Modules and
classes can therefore be moved and renamed, and a file can be read as long as its names and fields are known. Restoring
runs no code from the file: it only fills named tuples that were registered by modules loaded already.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeVar

import msgpack
import numpy as np
from pydantic import BaseModel

from decoderd.errors import StoreError

# Bytes above which an array is stored under its hash; smaller ones are part of the tree.
LARGE = 1024
# SQLite holds at most 10^9 bytes in a row; a row has some beside the array.
LARGEST = 10**9 - 1024

Kind = TypeVar("Kind", bound=type[tuple[Any, ...]])

_packer = msgpack.Packer()

_kinds: dict[str, Any] = {}  # by stored name
_names: dict[Any, str] = {}  # and back


def stored(name: str) -> Callable[[Kind], Kind]:
    """Class decorator: store a NamedTuple in checkpoints under `name`, such as "decoders.kalman.state".

    The name must stay the same when the class is moved or renamed. Names of built-ins begin with family and kind, names
    of plug-ins with their package. Raises ValueError for a name that another class has.
    """

    def register(kind: Kind) -> Kind:
        other = _kinds.get(name)
        if other is not None and (other.__module__, other.__qualname__) != (kind.__module__, kind.__qualname__):
            raise ValueError(f"the stored name {name!r} is taken by {other.__module__}.{other.__qualname__}")
        _kinds[name], _names[kind] = kind, name
        return kind

    return register


class Encoded(NamedTuple):
    """An encoded state."""

    body: bytes
    fresh: dict[str, bytes]  # {hash: bytes} of large arrays that the previous state did not have
    uses: list[str]  # hashes of all its large arrays


class Encoder:
    """Encodes consecutive states; large arrays that the previous state had are not encoded again."""

    def __init__(self) -> None:
        self._known: dict[
            int, tuple[Any, str]
        ] = {}  # id -> (array, hash); the reference keeps the id from being reused

    def encode(self, state: Any) -> Encoded:
        """The state as bytes, with its new large arrays. Raises StoreError for one that no checkpoint can hold."""
        fresh: dict[str, bytes] = {}
        seen: dict[int, tuple[Any, str]] = {}

        def large(array: np.ndarray) -> str:
            known = self._known.get(id(array))
            if known is None:
                if array.nbytes > LARGEST:
                    shape = " x ".join(map(str, array.shape))
                    raise StoreError(
                        f"an array of {shape} numbers takes {array.nbytes / 1e9:.3g} GB, and a recording holds up "
                        f"to 1 GB in each: give the population fewer units, or precision = 'single'"
                    )
                body = _array_bytes(array)
                known = (array, hashlib.sha256(body).hexdigest())
                fresh[known[1]] = body
            seen[id(array)] = known
            return known[1]

        tree = msgpack.packb(_plain(state, large))
        self._known = seen
        return Encoded(tree, fresh, sorted({digest for _, digest in seen.values()}))


def decode(data: bytes, arrays: Callable[[str], bytes], spec: Callable[[Any], Any]) -> Any:
    """The state from its bytes. `arrays(hash)` returns the bytes of a large array, `spec(data)` a validated config.

    Raises StoreError for bytes that are not a state, and for names or fields that this version does not have.
    """
    try:
        return _restored(msgpack.unpackb(data, strict_map_key=False), arrays, spec)
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(f"the checkpoint cannot be read: {error}") from None


def _array_bytes(array: np.ndarray) -> bytes:
    # The memory order is stored, too: in another order matrix products round differently.
    flags = array.flags
    order: Literal["C", "F"] = "C" if flags.c_contiguous or not flags.f_contiguous else "F"
    packed: bytes = _packer.pack((array.dtype.str, array.shape, order, array.tobytes(order)))
    return packed


def _array_from(body: Any) -> np.ndarray:
    dtype, shape, order, data = body
    array = np.frombuffer(data, dtype=np.dtype(dtype)).reshape(shape, order=order)
    array.setflags(write=False)
    return array


def _plain(value: Any, large: Callable[[np.ndarray], str]) -> Any:
    if isinstance(value, np.ndarray):  # first, since most are
        if value.dtype.hasobject:
            raise TypeError("an array of objects cannot be stored in a state")
        return {"h": large(value)} if value.nbytes > LARGE else {"a": _array_bytes(value)}
    if isinstance(value, np.generic):  # before float, of which np.float64 is a subclass
        return {"a": _array_bytes(np.asarray(value)), "scalar": True}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        items = [_plain(item, large) for item in value]
        if not hasattr(value, "_fields"):
            return {"t": items}
        name = _names.get(type(value))
        if name is None:
            raise TypeError(
                f"{type(value).__module__}.{type(value).__qualname__} has no stored name: decorate the class with "
                f'@stored("...") of decoderd.checkpoint'
            )
        return {"n": name, "v": dict(zip(value._fields, items, strict=True))}
    if isinstance(value, dict):
        return {"d": [[key, _plain(item, large)] for key, item in value.items()]}
    if isinstance(value, BaseModel):
        return {"p": value.model_dump(mode="json")}
    raise TypeError(f"{type(value).__name__} cannot be stored in a state: use arrays, numbers and named tuples")


def _restored(value: Any, arrays: Callable[[str], bytes], spec: Callable[[Any], Any]) -> Any:
    if not isinstance(value, dict):
        return value
    if "n" in value:
        return _named_tuple(value["n"], {name: _restored(item, arrays, spec) for name, item in value["v"].items()})
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


def _named_tuple(name: str, values: dict[str, Any]) -> Any:
    kind = _kinds.get(name)
    if kind is None:
        raise StoreError(
            f"the checkpoint has a {name!r}, which is not installed: install the plug-in it is from, or the version of "
            f"decoderd that wrote it"
        )
    if set(values) != set(kind._fields):
        raise StoreError(
            f"the checkpoint's {name!r} has the fields {', '.join(values)}, and this version's "
            f"{', '.join(kind._fields)}: use the version of decoderd that wrote it"
        )
    return kind(**values)
