"""No updater: the decoder stays as it is."""

from __future__ import annotations

from typing import Any, Literal

from decoderd.arrays import Array
from decoderd.config import ComponentConfig
from decoderd.state import Observation, Timing
from decoderd.updaters import DecodedBin, Updater


class NoneConfig(ComponentConfig):
    """Nothing to set."""

    kind: Literal["none"] = "none"


def plan(config: NoneConfig, timing: Timing) -> tuple[()]:
    """Nothing to plan."""
    return ()


def init(plan: tuple[()], observation: Observation) -> tuple[()]:
    """Nothing is gathered."""
    return ()


def intend(plan: tuple[()], bin: DecodedBin) -> None:
    """Nothing is asked."""
    return None


def observe(plan: tuple[()], state: tuple[()], x: Array, y: Array) -> tuple[()]:
    """Nothing is gathered."""
    return ()


def due(plan: tuple[()], state: tuple[()], block_over: bool) -> bool:
    """Never."""
    return False


def update(plan: tuple[()], state: tuple[()], observation: Observation) -> tuple[Any, Observation]:
    """The model as it is."""
    return state, observation


NONE = Updater(NoneConfig, plan, init, intend, observe, due, update)
