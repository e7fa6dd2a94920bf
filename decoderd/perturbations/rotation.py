"""Rotation: of the decoded movement, of the display, or of the preferred directions that the decoder assumes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from decoderd.arrays import Array
from decoderd.config import Radians, UnitIndices
from decoderd.errors import ArrayError, NumericalError, Refused
from decoderd.perturbations import Perturbation, PerturbationConfig, PerturbationContext, SessionInfo, chosen
from decoderd.state import POSITION, VELOCITY, Command


class RotationConfig(PerturbationConfig):
    """Counter-clockwise by `angle_rad` times the envelope, of the given `units` only (Jarosiewicz et al. 2008)."""

    kind: Literal["rotation"] = "rotation"
    site: Literal["cursor", "feedback", "readout"]
    angle_rad: Radians
    units: UnitIndices | None = None


def begin(config: RotationConfig, session: SessionInfo) -> Any:
    """Indices of the units for site `readout`, None for other sites."""
    if config.site != "readout":
        if config.units is not None:
            raise Refused(f"units: a rotation of the {config.site} has no units; use site = 'readout'", "units")
        return None
    if session.decoder.rotate is None:
        raise Refused(f"a decoder of kind {_kind(session)!r} has no readout that can be rotated", "site")
    units = chosen(config.units, session.reads)
    try:  # now rather than at the onset
        session.decoder.rotate(session.decoder_parameters, config.angle_rad, units)
    except (ArrayError, NumericalError) as error:
        raise Refused(f"the decoder cannot be rotated: {error}", "site") from None
    return units


def _kind(session: SessionInfo) -> str:
    return str(session.decoder.Config.model_fields["kind"].default)


def rotation_matrix(angle: float) -> Array:
    """(2, 2) R such that row vectors v @ R are rotated counter-clockwise by `angle` rad."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s], [-s, c]])


def _rotated(vectors: Array, R: Array) -> Array:
    """Vectors (B, 2), each rotated alone: of several rows, BLAS may add in another order."""
    rotated: Array = (vectors[:, np.newaxis] @ R)[:, 0]
    return rotated


def cursor(
    config: RotationConfig, memory: Any, amount: float, command: Command, context: PerturbationContext
) -> tuple[Any, Command]:
    """The decoded movement, rotated."""
    R = rotation_matrix(config.angle_rad * amount)
    correction = None if command.correction is None else _rotated(command.correction, R)
    return memory, Command(_rotated(command.velocity, R), correction)


def feedback(
    config: RotationConfig, memory: Any, amount: float, seen: Array, context: PerturbationContext
) -> tuple[Any, Array]:
    """The display, rotated about the centre."""
    R = rotation_matrix(config.angle_rad * amount)
    return memory, np.hstack([_rotated(seen[:, POSITION], R), _rotated(seen[:, VELOCITY], R)])


def readout(config: RotationConfig, memory: Any, amount: float, decoder: Any, parameters: Any) -> Any:
    """The decoder with the preferred directions of the chosen units rotated."""
    return decoder.rotate(parameters, config.angle_rad * amount, memory)


ROTATION = Perturbation(
    RotationConfig, begin, {"cursor": cursor, "feedback": feedback, "readout": readout}, memoryless=True
)
