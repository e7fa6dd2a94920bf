"""Offline decoding: one row of the decoder's state for every bin of recorded counts."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd import files, registry
from decoderd.arrays import Array, check_array, load_npy, load_npz
from decoderd.decoders import Decoder, influence
from decoderd.decoders import files as decoder_files
from decoderd.errors import ArrayError
from decoderd.input_warning import InputWarning

Progress = Callable[[int], None]

# Decoders of bins in which some counts are missing that are kept: units are often missing for many bins.
KEPT = 64
# Of fewer different counts, all may be multiples of one by chance; and rates may have been kept in single precision.
FEWEST_VALUES = 3
ROUNDING = 1e-6


class Decoded(NamedTuple):
    """Decoded states."""

    rows: Array  # (bins, n)
    states: tuple[str, ...] | None  # names of the entries of a row; None where they are not known
    warnings: tuple[InputWarning, ...]


def decode(
    kind: str,
    arrays: dict[str, NDArray[Any]],
    counts: Any,
    initial: Any = None,
    on_progress: Progress = lambda bins: None,
) -> Array:
    """The rows of `decoded`."""
    return decoded(kind, arrays, counts, initial, on_progress).rows


def decoded(
    kind: str,
    arrays: dict[str, NDArray[Any]],
    counts: Any,
    initial: Any = None,
    on_progress: Progress = lambda bins: None,
) -> Decoded:
    """States (bins, n) of a decoder of `kind` with `arrays`, those of a file, on counts (bins, N).

    NaN are missing counts: a bin without any only predicts, one without those of some units reads the others.
    `initial` (n,) is the state before the first bin; by default the decoder's own. `on_progress(bins)` is called every
    1000 bins with the number decoded. Raises ArrayError or NumericalError, naming the array, for invalid arrays.
    """
    decoder = registry.find("decoders", kind)
    if decoder.take is not None:
        raise ArrayError(f"a decoder of kind {kind!r} receives its kinematics from outside: it cannot decode counts")
    file = decoder_files.parse(decoder, arrays)
    parameters = decoder.load(file.arrays)
    missing, observed = _missing(decoder, kind, counts, decoder.units(parameters))
    state = decoder.init(parameters, 1)
    if initial is not None:
        state = decoder.start(parameters, state, initial)

    @lru_cache(KEPT)
    def reading(recorded: bytes) -> tuple[Any, NDArray[np.intp]]:
        units = np.flatnonzero(np.frombuffer(recorded, dtype=bool))
        return decoder.partial(parameters, units), units

    out = np.empty((len(observed), decoder.row(state).shape[1]))
    some = missing.sum(axis=1) > 0
    for t in range(len(observed)):
        if some[t]:
            only, units = reading((~missing[t]).tobytes())
            state, _ = decoder.step(only, state, observed[t : t + 1, units], None)
        else:
            state, _ = decoder.step(parameters, state, observed[t : t + 1], None)
        out[t] = decoder.row(state)[0]
        if t % 1000 == 0:
            on_progress(t)
    doubts = (*influence.warnings(decoder, parameters), *_of_missing(decoder, missing), *_of_rates(observed))
    return Decoded(out, file.states, doubts)


def _missing(decoder: Decoder, kind: str, counts: Any, units: int | None) -> tuple[NDArray[np.bool_], Array]:
    """Where counts are missing, (bins, N), and the counts with zeros there."""
    given = np.asarray(counts)
    if given.dtype.kind != "f" or not np.isnan(given).any():
        observed = check_array("counts", counts, (None, units))
        return np.zeros(observed.shape, dtype=bool), observed
    if decoder.partial is None:
        raise ArrayError(f"counts: some are missing (NaN), which a decoder of kind {kind!r} cannot decode", "counts")
    missing = np.isnan(given)
    return missing, check_array("counts", np.where(missing, 0.0, given), (None, units))


def _of_missing(decoder: Decoder, missing: NDArray[np.bool_]) -> list[InputWarning]:
    """A warning that says how many counts are missing, and what was done."""
    if decoder.partial is None or not missing.any():
        return []
    whole, some = int(missing.all(axis=1).sum()), int(missing.any(axis=1).sum())
    message = (
        f"counts: {some} of {len(missing)} bins have missing counts (NaN), {whole} of them no count at all, in which "
        f"the decoder predicts; {decoder.approximation or 'elsewhere missing units are left out'}"
    )
    return [InputWarning("counts", message)]


def _of_rates(observed: Array) -> list[InputWarning]:
    """A warning about counts that are all multiples of a number above 1, as rates are of one spike a bin."""
    values = np.unique(observed[observed > 0])
    if len(values) < FEWEST_VALUES or values[0] <= 1 + ROUNDING:
        return []
    times = values / values[0]
    if np.abs(times - np.round(times)).max() > ROUNDING * times.max():
        return []
    message = (
        f"counts: all are multiples of {values[0]:g}, as rates in Hz of bins of {1e3 / values[0]:.3g} ms would be; a "
        f"decoder takes spikes in a bin: if these are rates, multiply them by the bin"
    )
    return [InputWarning("counts", message)]


def decode_files(
    kind: str, decoder: Path, counts: Path, initial: Path | None, out: Path, on_progress: Progress = lambda bins: None
) -> Decoded:
    """`decoded` of arrays from files; the rows are written to `out`, which appears only when it is complete."""
    start = None if initial is None else load_npy(initial)
    found = decoded(kind, load_npz(decoder), load_npy(counts), start, on_progress)
    try:
        with files.replacing(out) as stream:
            np.save(stream, found.rows)
    except OSError as error:
        raise ArrayError(f"{out}: cannot be written: {error.strerror}") from None
    return found
