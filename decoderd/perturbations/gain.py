"""Gain: the cursor's movement, the display, or the firing rates of some or all units are multiplied by a factor."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from decoderd.arrays import Array
from decoderd.config import UnitIndices
from decoderd.errors import Refused
from decoderd.perturbations import Perturbation, PerturbationConfig, PerturbationContext, SessionInfo, chosen
from decoderd.rng import Draws
from decoderd.state import Command

Factor = Annotated[float, Field(strict=True, ge=-10, le=10)]


class GainConfig(PerturbationConfig):
    """Multiplies by `factor` where the envelope is 1, by 1 where it is 0. A pair of factors is for x and y."""

    kind: Literal["gain"] = "gain"
    site: Literal["cursor", "feedback", "neural"]
    factor: Factor | tuple[Factor, Factor]
    units: UnitIndices | None = None


def begin(config: GainConfig, session: SessionInfo) -> Any:
    """Indices of the units for site `neural`, None for other sites."""
    if config.site != "neural":
        if config.units is not None:
            raise Refused(f"units: a gain of the {config.site} has no units; use site = 'neural'", "units")
        return None
    if not session.drawn:
        raise Refused("recorded counts have no rates to multiply; only silencing applies to them", "site")
    if isinstance(config.factor, tuple) or config.factor < 0:
        raise Refused(f"factor = {config.factor}: firing rates are multiplied by one factor of at least 0", "factor")
    return chosen(config.units, session.units)


def effective(config: GainConfig, amount: float) -> Array:
    """The factor at this amount of the envelope, scalar or (2,)."""
    return 1.0 + (np.array(config.factor) - 1.0) * amount


def cursor(
    config: GainConfig, memory: Any, amount: float, command: Command, context: PerturbationContext
) -> tuple[Any, Command]:
    """The decoded movement times the factor."""
    factor = effective(config, amount)
    correction = None if command.correction is None else command.correction * factor
    return memory, Command(command.velocity * factor, correction)


def feedback(
    config: GainConfig, memory: Any, amount: float, seen: Array, context: PerturbationContext
) -> tuple[Any, Array]:
    """The display scaled about the centre."""
    factor = np.broadcast_to(effective(config, amount), 2)
    return memory, seen * np.tile(factor, 2)


def neural(config: GainConfig, memory: Any, amount: float, rates: Array, draws: Draws) -> tuple[Any, Array]:
    """The rates of the chosen units times the factor."""
    scaled = rates.copy()
    scaled[:, memory] *= effective(config, amount)
    return memory, scaled


GAIN = Perturbation(GainConfig, begin, {"cursor": cursor, "feedback": feedback, "neural": neural}, memoryless=True)
