"""Offline decoding: one row of the decoder's state for every bin of recorded counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd import files, registry
from decoderd.arrays import Array, check_array, load_npy, load_npz
from decoderd.errors import ArrayError

Progress = Callable[[int], None]


def decode(
    kind: str,
    arrays: dict[str, NDArray[Any]],
    counts: Any,
    initial: Any = None,
    on_progress: Progress = lambda bins: None,
) -> Array:
    """States (bins, n) of a decoder of `kind` with `arrays`, on counts (bins, N).

    `initial` (n,) is the state before the first bin; by default the decoder's own. `on_progress(bins)` is called every
    1000 bins with the number decoded. Raises ArrayError or NumericalError, naming the array, for invalid arrays.
    """
    decoder = registry.find("decoders", kind)
    if decoder.take is not None:
        raise ArrayError(f"a decoder of kind {kind!r} receives its kinematics from outside: it cannot decode counts")
    parameters = decoder.load(arrays)
    observed = check_array("counts", counts, (None, decoder.units(parameters)))
    state = decoder.init(parameters, 1)
    if initial is not None:
        state = decoder.start(parameters, state, initial)
    out = np.empty((len(observed), decoder.row(state).shape[1]))
    for t in range(len(observed)):
        state, _ = decoder.step(parameters, state, observed[t : t + 1], None)
        out[t] = decoder.row(state)[0]
        if t % 1000 == 0:
            on_progress(t)
    return out


def decode_files(
    kind: str, decoder: Path, counts: Path, initial: Path | None, out: Path, on_progress: Progress = lambda bins: None
) -> Array:
    """`decode` arrays from files and write the states to `out`, which appears only when it is complete."""
    start = None if initial is None else load_npy(initial)
    rows = decode(kind, load_npz(decoder), load_npy(counts), start, on_progress)
    try:
        with files.replacing(out) as stream:
            np.save(stream, rows)
    except OSError as error:
        raise ArrayError(f"{out}: cannot be written: {error.strerror}") from None
    return rows
