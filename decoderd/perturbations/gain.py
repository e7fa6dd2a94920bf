"""Gain of the cursor's movement, of the display, or of the firing rates of some or all units."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from decoderd.arrays import Array
from decoderd.config import UnitIndices
from decoderd.errors import Refused
from decoderd.perturbations import Perturbation, PerturbationConfig, PerturbationContext, SessionInfo, chosen
from decoderd.state import Command

Factor = Annotated[float, Field(strict=True, ge=-10, le=10)]


class GainConfig(PerturbationConfig):
    """Multiplies by `factor` at full envelope, by 1 at none; a pair is for x and y."""

    kind: Literal["gain"] = "gain"
    site: Literal["cursor", "feedback", "neural"]
    factor: Factor | tuple[Factor, Factor]
    units: UnitIndices | None = None


def begin(config: GainConfig, host: SessionInfo) -> Any:
    """The units meant, for rates."""
    if config.site != "neural":
        if config.units is not None:
            raise Refused(f"units: a gain of the {config.site} has no units; use site = 'neural'", "units")
        return None
    if not host.drawn:
        raise Refused("recorded counts have no rates to multiply; only silencing applies to them", "site")
    if isinstance(config.factor, tuple) or config.factor < 0:
        raise Refused(f"factor = {config.factor}: firing rates are multiplied by one factor of at least 0", "factor")
    return chosen(config.units, host.units)


def effective(config: GainConfig, amount: float) -> Array:
    """The factor under the envelope, scalar or (2,)."""
    return 1.0 + (np.array(config.factor) - 1.0) * amount


def cursor(
    config: GainConfig, memory: Any, amount: float, command: Command, context: PerturbationContext
) -> tuple[Any, Command]:
    """Scale the decoded movement."""
    factor = effective(config, amount)
    correction = None if command.correction is None else command.correction * factor
    return memory, Command(command.velocity * factor, correction)


def feedback(
    config: GainConfig, memory: Any, amount: float, seen: Array, context: PerturbationContext
) -> tuple[Any, Array]:
    """Scale the display about the centre."""
    factor = np.broadcast_to(effective(config, amount), 2)
    return memory, seen * np.tile(factor, 2)


def neural(config: GainConfig, memory: Any, amount: float, rates: Array, rows: Any) -> tuple[Any, Array]:
    """Scale firing rates."""
    scaled = rates.copy()
    scaled[:, memory] *= effective(config, amount)
    return memory, scaled


GAIN = Perturbation(GainConfig, begin, {"cursor": cursor, "feedback": feedback, "neural": neural})
