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
from decoderd.rng import generator


class SilenceConfig(PerturbationConfig):
    """Either the `units` themselves, or a `fraction` of all, drawn at random. Rates fall to 1 - envelope."""

    kind: Literal["silence"] = "silence"
    site: Literal["neural"] = "neural"
    units: UnitIndices | None = None
    fraction: Fraction | None = None

    @model_validator(mode="after")
    def _either(self) -> SilenceConfig:
        if (self.units is None) == (self.fraction is None):
            raise ValueError("say which units, or what fraction of them (one of the two)")
        return self


def begin(config: SilenceConfig, host: SessionInfo) -> NDArray[np.int64]:
    """The units meant."""
    if isinstance(config.envelope, Ramp) and not host.drawn:
        raise Refused("recorded counts can be left out but not thinned: use a step or a block", "envelope")
    if config.units is not None:
        return chosen(config.units, host.units)
    assert config.fraction is not None
    order = generator(host.seed, f"perturbations/{config.name}").permutation(host.units)
    return np.sort(order[: round(config.fraction * host.units)])


def neural(config: SilenceConfig, memory: NDArray[Any], amount: float, rates: Array, rows: Any) -> tuple[Any, Array]:
    """Lower the rates."""
    lowered = rates.copy()
    lowered[:, memory] *= 1.0 - amount
    return memory, lowered


SILENCE = Perturbation(SilenceConfig, begin, {"neural": neural})
