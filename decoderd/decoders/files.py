"""What a decoder file may be: an .npz of a kind's arrays that can say what its states, units and bins are.

Beside the arrays that `load` of the kind reads:

    states       (n,) names in the order of the file's arrays, such as px py vx vy 1; any order
    length_unit  of positions and velocities: m, cm or mm
    bin_s        () length of the bin in s
    version      () of this format

Files that decoderd writes say all four (`described`). Without names, states are those of their number
(`decoders.layout`), and lengths are in m. Where there is no `version` either, that is a guess: `check_session` asks
whether A and W can mean it.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd import files
from decoderd.arrays import check_array, load_npz
from decoderd.decoders import Decoder, FileLayout, layout, plausibility
from decoderd.errors import ArrayError

VERSION = 1
METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
# In the order that decoded rows have. Those without a layout decode offline only.
STATES = ("px", "py", "pz", "vx", "vy", "vz", "ax", "ay", "az", "1")
ALIASES = {
    **dict.fromkeys(("const", "constant", "offset", "bias", "one"), "1"),
    **{axis: f"p{axis}" for axis in "xyz"},
}
FACTS = ("states", "length_unit", "bin_s", "version")
# Bins that differ by a hundredth have counts that differ by less than their noise, and 1/60 s is often given as 0.0167.
SAME_BIN = 0.01


class DecoderFile(NamedTuple):
    """The arrays of a file as `load` reads them: states in our order, lengths in m; and what the file said."""

    arrays: dict[str, NDArray[Any]]
    states: tuple[str, ...] | None  # names of the states; None where neither the file nor their number says it
    named: bool  # whether the file says which they are
    length_unit: str | None  # as the file says
    bin_s: float | None


class Loop(NamedTuple):
    """The closed loop in which a decoder is to run."""

    bin_s: float
    top_speed_m_s: float | None  # of the subject; None where commands are no velocities


def described(decoder: Decoder | None, arrays: Mapping[str, NDArray[Any]], bin_s: float) -> dict[str, NDArray[Any]]:
    """The contents of a file that says everything: `arrays` in our order and in SI units, and the four facts.

    The states of a kind that is not installed here (None) have no names.
    """
    names = None if decoder is None else _presumed(decoder.layout, arrays)
    facts: dict[str, Any] = {} if names is None else {"states": names}
    facts |= {"length_unit": "m", "bin_s": bin_s, "version": VERSION}
    return {**arrays, **{name: np.array(value) for name, value in facts.items()}}


def packed(contents: Mapping[str, Any]) -> bytes:
    """Arrays as the bytes of an .npz file."""
    stream = BytesIO()
    np.savez(stream, **contents)
    return stream.getvalue()


def write(path: Path, decoder: Decoder | None, arrays: Mapping[str, NDArray[Any]], bin_s: float) -> None:
    """Write a file that says everything, whole or not at all. Raises ArrayError where it cannot be written."""
    try:
        with files.replacing(path) as stream:
            stream.write(packed(described(decoder, arrays, bin_s)))
    except OSError as error:
        raise ArrayError(f"{path}: cannot be written: {error.strerror}") from None


def read(path: Path, decoder: Decoder, most_bytes: int | None = None) -> DecoderFile:
    """Read a file of a kind of decoder. Raises ArrayError, naming the file, for any other; see `load_npz`, `parse`."""
    return parse(decoder, load_npz(path, most_bytes))


def parse(decoder: Decoder, given: Mapping[str, NDArray[Any]]) -> DecoderFile:
    """The contents of a file put in order and converted to m.

    A constant state, units without variance and covariances in single precision become exact. Raises ArrayError,
    naming the array, for facts that are none or contradict the arrays; wrong arrays are left to `load`.
    """
    _check_version(given)
    ours = "version" in given
    bin_s, unit = _bin_s(given), _length_unit(given) or ("m" if ours else None)
    kind = decoder.layout
    if kind is None:  # a plug-in that does not say what its arrays mean
        if unit not in (None, "m"):
            raise ArrayError(
                f"length_unit = {unit}: arrays of this kind of decoder cannot be converted; give them in m",
                "length_unit",
            )
        return DecoderFile(dict(given), None, False, unit, bin_s)
    arrays = {name: _flat(array, kind.axes.get(name)) for name, array in given.items() if name not in FACTS}
    names = _names(given, _size(kind, arrays))
    states = names or _presumed(kind, arrays)
    if unit not in (None, "m") and states is None:
        raise ArrayError(f"length_unit = {unit}: say which states are lengths, in an array `states`", "states")
    if states is not None and _fits(kind, arrays, len(states)):
        order = np.argsort([STATES.index(state) for state in states]).tolist()
        states = tuple(states[k] for k in order)
        scale = np.array([1.0 if state == "1" else METRES[unit or "m"] for state in states])
        arrays = {name: _converted(array, kind.axes.get(name, ()), order, scale) for name, array in arrays.items()}
        if (filter_ := plausibility.pair(kind.dynamics, arrays)) is not None:
            plausibility.check_order(*filter_, states, names is not None)
    arrays = plausibility.exact(kind, arrays, states)
    return DecoderFile(arrays, states, names is not None or ours, unit, bin_s)


def numbers(file: DecoderFile) -> dict[str, NDArray[Any]]:
    """The contents of a file without text, as a session takes them over the wire: float64 alone."""
    contents = {name: array for name, array in file.arrays.items() if name not in FACTS}
    if file.named and file.length_unit is not None:
        contents["version"] = np.array(VERSION)
    if file.bin_s is not None:
        contents["bin_s"] = np.array(file.bin_s)
    return {name: np.asarray(array, dtype="<f8") for name, array in contents.items()}


def check_session(decoder: Decoder, file: DecoderFile, loop: Loop) -> None:
    """Raise ArrayError, naming the array, for a file that cannot be meant for this loop.

    That is another bin, states that move no cursor, and where the file does not say states, bin or unit of length: an
    A in which positions do not integrate velocities, or a speed that W cannot mean in m.
    """
    check_bin("the decoder", {} if file.bin_s is None else {"bin_s": np.array(file.bin_s)}, loop.bin_s)
    if file.named and file.states is not None and file.states != layout.NAMES.get(len(file.states)):
        raise ArrayError(
            f"states: {' '.join(file.states)} {layout.NO_CURSOR}",
            "states",
        )
    filter_ = None if decoder.layout is None else plausibility.pair(decoder.layout.dynamics, file.arrays)
    if filter_ is None or file.states is None:
        return
    A, W = filter_
    v = slice(file.states.index("vx"), file.states.index("vy") + 1)
    if not file.named:
        plausibility.check_meant(A, W, file.states)
    if file.bin_s is None and "px" in file.states:
        plausibility.check_bin(A, loop.bin_s)
    if file.length_unit is None and loop.top_speed_m_s is not None:
        plausibility.check_speed(A[v, v], W[v, v], loop.bin_s, loop.top_speed_m_s)


def check_bin(what: str, given: Mapping[str, NDArray[Any]], bin_s: float) -> None:
    """Raise ArrayError for a file, of a decoder or of a population, that says another bin than the session's."""
    its = _bin_s(given)
    if its is not None and abs(its / bin_s - 1) > SAME_BIN:
        raise ArrayError(
            f"bin_s = {its:g}: {what} is for bins of {its * 1e3:g} ms, and those of the session have "
            f"{bin_s * 1e3:g} ms (tick_s x bin_ticks); give the session its bin",
            "bin_s",
        )


def _size(kind: FileLayout, arrays: Mapping[str, NDArray[Any]]) -> int | None:
    """The number of states n: the length of the first axis of states among the arrays; None without one."""
    for name, axes in kind.axes.items():
        shape = np.shape(arrays[name]) if name in arrays else ()
        for length, axis in zip(shape, axes, strict=False):
            if axis in ("state", "per_state"):
                return int(length)
    return None


def _presumed(kind: FileLayout | None, arrays: Mapping[str, NDArray[Any]]) -> tuple[str, ...] | None:
    """The names of the states by their number; None for a number without a layout."""
    size = None if kind is None else _size(kind, arrays)
    return None if size is None else layout.NAMES.get(size)


def _fits(kind: FileLayout, arrays: Mapping[str, NDArray[Any]], n: int) -> bool:
    """Whether all arrays are numbers of the shape that the kind says, with n states."""
    for name, axes in kind.axes.items():
        array = arrays.get(name)
        if array is None:
            continue
        if array.ndim != len(axes) or array.dtype.kind not in "bifu":
            return False
        if any(axis in ("state", "per_state") and length != n for axis, length in zip(axes, array.shape, strict=True)):
            return False
    return True


def _flat(array: NDArray[Any], axes: tuple[str, ...] | None) -> NDArray[Any]:
    """An array; from (n, 1) or (1, n), as MATLAB keeps vectors, (n,) where the kind wants a vector."""
    array = np.asarray(array)
    return array.ravel() if axes is not None and len(axes) == 1 and array.ndim == 2 and 1 in array.shape else array


def _converted(
    array: NDArray[Any], axes: tuple[str, ...], order: list[int], scale: NDArray[np.float64]
) -> NDArray[Any]:
    """The array with its states in `order`, then multiplied by `scale` (n,) along each axis of states."""
    for place, axis in enumerate(axes):
        if axis not in ("state", "per_state"):
            continue
        if order != sorted(order):
            array = np.take(array, order, axis=place)
        if (scale != 1).any():
            along = scale if axis == "state" else 1 / scale
            array = array * along.reshape([-1 if k == place else 1 for k in range(array.ndim)])
    return array


def _check_version(given: Mapping[str, NDArray[Any]]) -> None:
    if "version" not in given:
        return
    version = _scalar(given, "version")
    if version != VERSION:
        raise ArrayError(
            f"version = {version:g}: a later decoderd wrote this file; this one reads version {VERSION}", "version"
        )


def _bin_s(given: Mapping[str, NDArray[Any]]) -> float | None:
    if "bin_s" not in given:
        return None
    bin_s = _scalar(given, "bin_s")
    if bin_s <= 0:
        raise ArrayError(f"bin_s = {bin_s:g}: must be above 0 (s)", "bin_s")
    return bin_s


def _scalar(given: Mapping[str, NDArray[Any]], name: str) -> float:
    value = np.asarray(given[name])
    return float(check_array(name, value.reshape(()) if value.size == 1 else value, ()))


def _length_unit(given: Mapping[str, NDArray[Any]]) -> str | None:
    if "length_unit" not in given:
        return None
    words = _words("length_unit", given)
    if len(words) != 1 or words[0] not in METRES:
        raise ArrayError(f"length_unit = {' '.join(words)}: must be one of {', '.join(METRES)}", "length_unit")
    return words[0]


def _names(given: Mapping[str, NDArray[Any]], n: int | None) -> tuple[str, ...] | None:
    """The names that the file gives its n states, as in STATES."""
    if "states" not in given:
        return None
    names = tuple(ALIASES.get(word, word) for word in _words("states", given))
    unknown = [name for name in names if name not in STATES]
    if unknown:
        raise ArrayError(f"states: {unknown[0]!r} is not known; names are {' '.join(STATES)}", "states")
    if len(set(names)) < len(names):
        raise ArrayError(f"states: {' '.join(names)}: each state needs a name of its own", "states")
    if n is not None and len(names) != n:
        raise ArrayError(f"states: {len(names)} names ({' '.join(names)}) for {n} states", "states")
    return names


def _words(name: str, given: Mapping[str, NDArray[Any]]) -> list[str]:
    """The words of an array of text; one text may hold several, between spaces or commas."""
    array = np.asarray(given[name])
    if array.dtype.kind not in "SU":
        raise ArrayError(f"{name}: holds {array.dtype}, expected text", name)
    texts = np.char.decode(array, "ascii", "replace") if array.dtype.kind == "S" else array
    return " ".join(map(str, texts.ravel())).replace(",", " ").lower().split()
