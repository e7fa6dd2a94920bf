"""Effectors: what the decoded kinematics move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from decoderd.arrays import Array
from decoderd.config import ComponentConfig
from decoderd.state import Command, Timing


class Effector(NamedTuple):
    """The contract of an effector kind. B is the batch.

    plan(config, timing) -> plan: constants worked out once; all the functions below get it
    init(plan, batch) -> state at the centre, at rest
    step(plan, state, command) -> state
    cursor(plan, state) -> (B, 4): position in m and velocity in m/s of what the subject sees
    """

    Config: type[ComponentConfig]
    plan: Callable[[Any, Timing], Any]
    init: Callable[[Any, int], Any]
    step: Callable[[Any, Any, Command], Any]
    cursor: Callable[[Any, Any], Array]
