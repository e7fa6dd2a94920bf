"""What counts can change through a decoder: units without weight, and velocities that no count moves."""

from __future__ import annotations

from typing import Any

import numpy as np

from decoderd.decoders import Decoder, layout
from decoderd.input_warning import InputWarning


def warnings(decoder: Decoder, parameters: Any) -> tuple[InputWarning, ...]:
    """A warning about a decoder whose velocity counts do not change, or about units that change nothing in it."""
    if decoder.linear is None or decoder.layout is None:
        return ()
    step = decoder.linear(parameters, decoder.init(parameters, 1))
    weights = step.H @ step.K  # of units in the velocity; for a state without a layout in all its entries
    still = _still(decoder, parameters)
    if still is not None:
        return (still,)
    if not weights.any():
        name = "decoder" if decoder.layout.observation is None else decoder.layout.observation[0]
        return (InputWarning(name, f"{name}: no unit has a weight, so that counts do not change the decoded velocity"),)
    unread = np.flatnonzero(~weights.any(axis=0))
    if not len(unread):
        return ()
    which = f"unit {unread[0]} has" if len(unread) == 1 else f"units {', '.join(map(str, unread))} have"
    message = f"decoder: {which} weight 0 (of {weights.shape[1]} units), as units that never fire or have no variance"
    return (InputWarning("decoder", message),)


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
