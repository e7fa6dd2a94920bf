"""Readouts: the units that the decoder reads. The other units are recorded, but not decoded."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from decoderd.arrays import Array
from decoderd.config import Config, Count, UnitIndices
from decoderd.errors import ProtocolError

Index = NDArray[np.int64]


class Readouts(Config):
    """Choice of the readouts: `units`, or the first `count` with a mean above `least_mean` in the calibration."""

    units: Annotated[UnitIndices | None, Field(description="indices of the readouts; absent: chosen by `count`")] = None
    count: Annotated[Count | None, Field(description="number of readouts; absent: all units are read")] = None
    least_mean: Annotated[float, Field(strict=True, ge=0, le=1e6, description="counts per bin")] = 0.0

    @model_validator(mode="after")
    def _one(self) -> Readouts:
        if self.units is not None and self.count is not None:
            raise ValueError("give units or count, not both")
        if self.units is not None and len(set(self.units)) < len(self.units):
            raise ValueError(f"units = {list(self.units)}: a unit is named twice")
        return self

    @property
    def chosen(self) -> bool:
        """Whether the readouts are chosen by a calibration."""
        return self.count is not None


def given(config: Readouts, units: int) -> Index | None:
    """The readouts named in the protocol; None: all `units`. Raises ProtocolError for a unit that does not exist."""
    if config.units is None:
        return None
    beyond = [unit for unit in config.units if unit >= units]
    if beyond:
        raise ProtocolError(
            f"readouts.units: there is no unit {beyond[0]}; the population has 0..{units - 1}", "readouts.units"
        )
    return np.array(config.units)


def choose(config: Readouts, counts: Array) -> Index | None:
    """The readouts chosen by counts (T, N) of a calibration. Raises ProtocolError if too few units fire enough."""
    if config.count is None:
        return given(config, counts.shape[1])
    firing = np.flatnonzero(counts.mean(axis=0) > config.least_mean)
    if len(firing) < config.count:
        raise ProtocolError(
            f"readouts.count = {config.count}: only {len(firing)} of {counts.shape[1]} units fire more than "
            f"{config.least_mean:g} counts a bin in the calibration; lower count or least_mean",
            "readouts.count",
        )
    return firing[: config.count]
