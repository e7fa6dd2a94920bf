"""No updater: the decoder does not change."""

from __future__ import annotations

from typing import Any, Literal

from decoderd.arrays import Array
from decoderd.config import ComponentConfig
from decoderd.state import Observation, Timing
from decoderd.updaters import DecodedBin, Updater


class NoneConfig(ComponentConfig):
    """No settings."""

    kind: Literal["none"] = "none"


def plan(config: NoneConfig, timing: Timing) -> tuple[()]:
    """No constants."""
    return ()


def init(plan: tuple[()], observation: Observation) -> tuple[()]:
    """No state."""
    return ()


def intend(plan: tuple[()], bin: DecodedBin) -> None:
    """No estimate is needed."""
    return None


def observe(plan: tuple[()], state: tuple[()], x: Array, y: Array) -> tuple[()]:
    """Ignore a bin: nothing is estimated, and the state stays empty."""
    return ()


def due(plan: tuple[()], state: tuple[()], block_over: bool) -> bool:
    """Never due."""
    return False


def update(plan: tuple[()], state: tuple[()], observation: Observation) -> tuple[Any, Observation]:
    """The model, unchanged."""
    return state, observation


NONE = Updater(NoneConfig, plan, init, intend, observe, due, update)
