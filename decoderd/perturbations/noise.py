"""Noise: Gaussian noise, independent in each unit and tick, is added to the firing rates of some or all units."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import UnitIndices
from decoderd.errors import Refused
from decoderd.perturbations import Perturbation, PerturbationConfig, SessionInfo, chosen
from decoderd.rng import Draws, Spec


class NoiseConfig(PerturbationConfig):
    """Gaussian noise whose mean over 100 ms has the SD `sd_hz` times the envelope. Rates stay at or above 0 Hz.

    Only a population whose rates may be negative keeps negative ones.
    """

    kind: Literal["noise"] = "noise"
    site: Literal["neural"] = "neural"
    sd_hz: Annotated[float, Field(strict=True, gt=0, le=500)]
    units: UnitIndices | None = None


@stored("perturbations.noise.memory")
class Memory(NamedTuple):
    """Constants of the perturbation in this session."""

    units: NDArray[np.int64]
    sd_hz: float  # SD of the noise of one tick
    least_hz: float  # lowest rate allowed


def begin(config: NoiseConfig, session: SessionInfo) -> Memory:
    """The chosen units and the SD of one tick."""
    if not session.drawn:
        raise Refused("recorded counts have no rates to add noise to; only silencing applies to them", "site")
    sd_hz = config.sd_hz * float(np.sqrt(0.1 / session.timing.tick_s))
    return Memory(chosen(config.units, session.units), sd_hz, -np.inf if session.signed else 0.0)


def streams(config: NoiseConfig, units: int) -> dict[str, Spec]:
    """A number for every unit and tick, used or not, so that the numbers of a unit do not depend on those chosen."""
    return {"rates": Spec("normal", units)}


def neural(config: NoiseConfig, memory: Memory, amount: float, rates: Array, draws: Draws) -> tuple[Memory, Array]:
    """Rates with noise added."""
    disturbed = rates.copy()
    added = memory.sd_hz * amount * draws.row("rates")[:, memory.units]
    disturbed[:, memory.units] = np.maximum(rates[:, memory.units] + added, memory.least_hz)
    return memory, disturbed


NOISE = Perturbation(NoiseConfig, begin, {"neural": neural}, streams)
