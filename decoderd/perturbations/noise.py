"""Noise: firing rates of some or all units are disturbed, independently and anew at every tick."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import UnitIndices
from decoderd.errors import Refused
from decoderd.perturbations import Perturbation, PerturbationConfig, SessionInfo, chosen
from decoderd.rng import Spec


class NoiseConfig(PerturbationConfig):
    """Gaussian, of SD `sd_hz` averaged over 100 ms, times the envelope; rates that are never negative stay so."""

    kind: Literal["noise"] = "noise"
    site: Literal["neural"] = "neural"
    sd_hz: Annotated[float, Field(strict=True, gt=0, le=500)]
    units: UnitIndices | None = None


@stored("perturbations.noise.memory")
class Memory(NamedTuple):
    """What does not change."""

    units: NDArray[np.int64]
    sd_hz: float  # a tick
    least_hz: float


def begin(config: NoiseConfig, host: SessionInfo) -> Memory:
    """The units meant."""
    if not host.drawn:
        raise Refused("recorded counts have no rates to disturb; only silencing applies to them", "site")
    sd_hz = config.sd_hz * float(np.sqrt(0.1 / host.timing.tick_s))
    return Memory(chosen(config.units, host.units), sd_hz, -np.inf if host.signed else 0.0)


def streams(config: NoiseConfig, units: int) -> dict[str, Spec]:
    """One number a unit and tick, used or not, so that the choice of units shifts nothing."""
    return {"rates": Spec("normal", units)}


def neural(config: NoiseConfig, memory: Memory, amount: float, rates: Array, rows: Any) -> tuple[Memory, Array]:
    """Disturb."""
    disturbed = rates.copy()
    added = memory.sd_hz * amount * rows.row("rates")[:, memory.units]
    disturbed[:, memory.units] = np.maximum(rates[:, memory.units] + added, memory.least_hz)
    return memory, disturbed


NOISE = Perturbation(NoiseConfig, begin, {"neural": neural}, streams)
