"""What counts can change through a decoder: units without weight, and velocities that no count moves."""

from __future__ import annotations

from typing import Any

import numpy as np

from decoderd.arrays import Array
from decoderd.decoders import Decoder, FileLayout, layout
from decoderd.input_warning import InputWarning


def warnings(decoder: Decoder, parameters: Any) -> tuple[InputWarning, ...]:
    """A warning about a decoder whose velocity counts do not change, or about units that change nothing in it."""
    if decoder.layout is None:
        return ()
    still = _still(decoder, parameters)
    if still is not None:
        return (still,)
    name, weights = _weights(decoder, decoder.layout, parameters)
    if weights is None:
        return ()
    if not weights.any():
        return (InputWarning(name, f"{name}: no unit has a weight, so that counts do not change the decoded velocity"),)
    unread = np.flatnonzero(~weights.any(axis=0))
    if not len(unread):
        return ()
    which = f"unit {unread[0]} has" if len(unread) == 1 else f"units {', '.join(map(str, unread))} have"
    message = f"decoder: {which} weight 0 (of {weights.shape[1]} units), as units that never fire or have no variance"
    return (InputWarning("decoder", message),)


def of_counts(decoder: Decoder, parameters: Any) -> Array | None:
    """(2, N) velocity that a count of each unit adds in the first bin; None where the step is not affine.

    (n, N) for a state of n entries without a known velocity: what a count adds to each of them.
    """
    if decoder.linear is None:
        return None
    step = decoder.linear(parameters, decoder.init(parameters, 1))
    found: Array = step.H @ step.K
    return found


def _weights(decoder: Decoder, file: FileLayout, parameters: Any) -> tuple[str, Array | None]:
    """The array that gives units their weight, and the weights (..., N); None where they cannot be read."""
    if (affine := of_counts(decoder, parameters)) is not None:
        return "decoder" if file.observation is None else file.observation[0], affine
    beta = decoder.arrays(parameters).get("beta")  # of log-linear counts, whose step is not affine
    where = None if beta is None else layout.known(beta.shape[1])
    if beta is None or where is None:
        return "decoder", None
    return "beta", np.concatenate([beta[:, block].T for block in where.blocks])


def _still(decoder: Decoder, parameters: Any) -> InputWarning | None:
    """A warning about a filter whose W gives velocity no noise: it goes by its prediction."""
    names = None if decoder.layout is None else decoder.layout.dynamics
    if names is None:
        return None
    W = decoder.arrays(parameters)[names[1]]
    where = layout.known(len(W))
    v = slice(None) if where is None else where.velocity
    if W[v, v].any():
        return None
    message = f"{names[1]}: gives velocity no noise, so that counts do not change it; give it the variance in a bin"
    return InputWarning(names[1], message)
