"""Changes between days that a protocol asks for: lost units, swapped readouts, another decoder.

The population's own overnight change, such as the drift of `tuned`, is part of its kind.
"""

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

_Units = Annotated[int, Field(strict=True, ge=0, le=20_000)]


class Overnight(Config):
    """Changes after a day: numbers of units lost and of readouts swapped, and the decoder of the next day.

    Units are chosen at random among those not lost yet. The counts of a lost unit are 0. A lost readout stays a readout
    unless the random choice swaps it.
    """

    lose: Annotated[_Units, Field(description="units lost")] = 0
    swap: Annotated[_Units, Field(description="readouts replaced by nonreadouts in the decoder")] = 0
    decoder: Annotated[
        Literal["carried", "refitted", "arbitrary"],
        Field(description="unchanged; fitted to a new calibration; the fitted one with arbitrary directions"),
    ] = "carried"
    after_days: Annotated[
        tuple[Count, ...] | None, Field(min_length=1, description="days after which this happens; absent: every day")
    ] = None

    @property
    def changes(self) -> bool:
        """Whether these settings change anything."""
        return bool(self.lose or self.swap or self.decoder != "carried")


def due(config: Overnight, day: int) -> bool:
    """Whether these settings change something after `day`."""
    return config.changes and (config.after_days is None or day in config.after_days)


def check(config: Overnight, days: int, units: int, readouts: Index | None) -> None:
    """Raise ProtocolError if there are too few units for the changes of all nights between `days` days."""
    nights = sum(due(config, day) for day in range(1, days))
    if not nights:
        return
    lost = nights * config.lose
    if lost >= units:
        raise ProtocolError(
            f"overnight.lose = {config.lose}: {nights} nights would leave none of {units} units; lose fewer",
            "overnight.lose",
        )
    if config.swap and readouts is None:
        raise ProtocolError(
            "overnight.swap: every unit is a readout; give readouts.count, less than the number of units",
            "overnight.swap",
        )
    if readouts is not None and config.swap > min(len(readouts), units - len(readouts) - lost):
        raise ProtocolError(
            f"overnight.swap = {config.swap}: there are {len(readouts)} readouts and {units - len(readouts)} others, "
            f"{lost} of which may be lost by then; swap fewer",
            "overnight.swap",
        )


def apply_overnight(config: Overnight, parameters: Parameters, units: int, seed: int, day: int) -> Parameters:
    """Parameters with units lost and readouts swapped after `day`; the decoder is unchanged."""
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
