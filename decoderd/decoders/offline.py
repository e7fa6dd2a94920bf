"""Decoding a recording: one row of state for every bin of counts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd import registry
from decoderd.arrays import Array, check_array, load_npy, load_npz
from decoderd.errors import ArrayError

Watch = Callable[[int], None]


def decode(
    kind: str, arrays: dict[str, NDArray[Any]], counts: Any, initial: Any = None, watch: Watch = lambda bins: None
) -> Array:
    """States (bins, n) of a decoder of `kind` with `arrays`, on counts (bins, N).

    `initial` (n,) is the state before the first bin; by default the decoder's own. `watch` is told how many bins are
    done, now and then. Raises ArrayError or
    NumericalError, naming the array, for anything that does not fit.
    """
    decoder = registry.find("decoders", kind)
    if decoder.take is not None:
        raise ArrayError(f"a decoder of kind {kind!r} takes its kinematics from outside: there is nothing to decode")
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
            watch(t)
    return out


def decode_files(
    kind: str, decoder: Path, counts: Path, initial: Path | None, out: Path, watch: Watch = lambda bins: None
) -> Array:
    """`decode` from files to a file, which appears only when it is complete."""
    start = None if initial is None else load_npy(initial)
    rows = decode(kind, load_npz(decoder), load_npy(counts), start, watch)
    partial = out.with_name(f".{out.name}.partial.npy")
    try:
        np.save(partial, rows)
        os.replace(partial, out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ArrayError(f"{out}: cannot be written: {error.strerror}") from None
    return rows
