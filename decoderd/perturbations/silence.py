"""Silence: some units stop firing, as when an electrode or a cell is lost."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from decoderd.arrays import Array
from decoderd.config import Fraction, UnitIndices
from decoderd.errors import Refused
from decoderd.perturbations import Perturbation, PerturbationConfig, SessionInfo, chosen
from decoderd.perturbations.envelope import Ramp
from decoderd.rng import Draws, generator


class SilenceConfig(PerturbationConfig):
    """Silences the `units`, or a `fraction` of all units drawn at random. Rates are multiplied by 1 - envelope."""

    kind: Literal["silence"] = "silence"
    site: Literal["neural"] = "neural"
    units: UnitIndices | None = None
    fraction: Fraction | None = None

    @model_validator(mode="after")
    def _either(self) -> SilenceConfig:
        if (self.units is None) == (self.fraction is None):
            raise ValueError("give either units or fraction, not both and not neither")
        return self


def begin(config: SilenceConfig, session: SessionInfo) -> NDArray[np.int64]:
    """Indices of the units to silence."""
    if isinstance(config.envelope, Ramp) and not session.drawn:
        raise Refused("recorded counts can be left out but not thinned: use a step or a block", "envelope")
    if config.units is not None:
        return chosen(config.units, session.units)
    assert config.fraction is not None
    order = generator(session.seed, f"perturbations/{config.name}").permutation(session.units)
    return np.sort(order[: round(config.fraction * session.units)])


def neural(config: SilenceConfig, memory: NDArray[Any], amount: float, rates: Array, draws: Draws) -> tuple[Any, Array]:
    """Rates with those of the chosen units multiplied by 1 - amount."""
    lowered = rates.copy()
    lowered[:, memory] *= 1.0 - amount
    return memory, lowered


SILENCE = Perturbation(SilenceConfig, begin, {"neural": neural}, memoryless=True)
