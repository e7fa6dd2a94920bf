"""What a night changes, besides what the population does of itself: units are lost, readouts swapped for nonreadouts,
and the decoder is carried into the next day, fitted anew, or seeded arbitrarily."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decoderd.config import Config, Count
from decoderd.errors import ProtocolError
from decoderd.rng import generator
from decoderd.state import Parameters

Index = NDArray[np.int64]
_NONE: Index = np.empty(0, dtype=np.int64)

Several = Annotated[int, Field(strict=True, ge=0, le=20_000)]


class Overnight(Config):
    """How many units, chosen at random among those that are left. A lost unit fires no more, as far as is recorded; a
    lost readout is swapped like any other only if it happens to be chosen."""

    lose: Annotated[Several, Field(description="units lost")] = 0
    swap: Annotated[Several, Field(description="readouts that give their place in the decoder to a nonreadout")] = 0
    decoder: Annotated[
        Literal["carried", "refitted", "arbitrary"],
        Field(description="as it was; fitted to a calibration of the morning; that one with arbitrary directions"),
    ] = "carried"
    after_days: Annotated[
        tuple[Count, ...] | None, Field(min_length=1, description="days that such a night follows; absent: every day")
    ] = None

    @property
    def changes(self) -> bool:
        """Whether anything is changed at all."""
        return bool(self.lose or self.swap or self.decoder != "carried")


def due(config: Overnight, day: int) -> bool:
    """Whether the night after `day` changes something."""
    return config.changes and (config.after_days is None or day in config.after_days)


def check(config: Overnight, days: int, units: int, readouts: Index | None) -> None:
    """Raise ProtocolError if there are not units enough for all nights between `days` days."""
    nights = sum(due(config, day) for day in range(1, days))
    if not nights:
        return
    lost = nights * config.lose
    if lost >= units:
        raise ProtocolError(
            f"overnight.lose = {config.lose}: {nights} nights would leave none of {units} units", "overnight.lose"
        )
    if config.swap and readouts is None:
        raise ProtocolError(
            "overnight.swap: every unit is a readout; say in readouts.count how many are", "overnight.swap"
        )
    if readouts is not None and config.swap > min(len(readouts), units - len(readouts) - lost):
        raise ProtocolError(
            f"overnight.swap = {config.swap}: there are {len(readouts)} readouts and {units - len(readouts)} others, "
            f"{lost} of which may be lost by then",
            "overnight.swap",
        )


def apply_overnight(config: Overnight, parameters: Parameters, units: int, seed: int, day: int) -> Parameters:
    """Parameters with units lost and readouts swapped in the night after `day`; the decoder as it was."""
    draw = generator(seed, "overnight", day)
    lost, readouts = parameters.lost, parameters.readouts
    if config.lose:
        before = _NONE if lost is None else lost
        gone = draw.choice(np.setdiff1d(np.arange(units), before), config.lose, replace=False)
        lost = np.sort(np.concatenate([before, gone]))
    if config.swap and readouts is not None:
        spare = np.setdiff1d(np.arange(units), readouts if lost is None else np.concatenate([readouts, lost]))
        places = draw.choice(len(readouts), config.swap, replace=False)
        readouts = readouts.copy()
        readouts[places] = draw.choice(spare, config.swap, replace=False)
    return parameters._replace(lost=lost, readouts=readouts)
