"""Times of a twin's protocol: the ticks of its bin, the subject's lag, and the check of both in the text."""

from __future__ import annotations

import math
import tomllib

import numpy as np

from decoderd.arrays import Array
from decoderd.errors import ProtocolError
from decoderd.protocol import protocol

# Ticks in a bin, where a tick may be so long.
BIN_TICKS = 5
LONGEST_LAG_S = 1.0


def ticks_of(bin_s: float, asked: int | None = None) -> int:
    """Ticks in a bin: as `asked`, else BIN_TICKS or as many as are no shorter than a session's shortest tick.

    Raises ProtocolError for fewer than one.
    """
    if asked is None:
        return max((n for n in range(1, BIN_TICKS + 1) if bin_s / n >= protocol.SHORTEST_TICK_S), default=1)
    if asked < 1:
        raise ProtocolError(f"bin_ticks = {asked}: must be at least 1", "bin_ticks")
    return asked


def smoothing(keep: Array, bin_s: float) -> float:
    """Time constant, s, with which velocity follows counts where `keep` (2, 2) of it is kept in a bin; 0 for none."""
    kept = float(np.trace(keep)) / 2
    return -bin_s / math.log(kept) if 0 < kept < 1 else 0.0


def lag(smoothing_s: float, bin_s: float) -> float:
    """Lag, s, of a subject that knows the decoder's smoothing: at least a bin, and not more than a lag may be."""
    return min(max(smoothing_s, bin_s), LONGEST_LAG_S)


def check(text: str, bin_s: float, bin_ticks: int) -> None:
    """Raise ProtocolError unless the text is a protocol that a session can have; only its tick can be wrong."""
    try:
        protocol.parse(tomllib.loads(text))
    except ProtocolError as error:
        tick = f"{bin_s:g} s / {bin_ticks}"
        remedy = ""
        if bin_s < protocol.SHORTEST_TICK_S:
            remedy = "; sum the counts of neighbouring bins"
        elif bin_s / bin_ticks > protocol.LONGEST_TICK_S:
            remedy = "; is bin_s in milliseconds? Otherwise --bin-ticks makes shorter ticks"
        raise ProtocolError(f"{error}\n(tick_s is bin_s / bin_ticks, {tick}{remedy})", error.field) from None
