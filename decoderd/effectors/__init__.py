"""Effectors: what the decoded kinematics move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from decoderd.arrays import Array
from decoderd.config import ComponentConfig
from decoderd.state import Command, Timing


class Effector(NamedTuple):
    """The contract of an effector kind. Arrays have any number of leading axes, the same in all: (..., 2), (..., 4).

    plan(config, timing) -> plan: constants worked out once; all the functions below get it. Raises ProtocolError
        where the tick does not suit the effector
    init(plan, place) -> state at rest, the cursor at place (..., 2) in m. Raises ArrayError for a place out of reach
    step(plan, state, command) -> state
    cursor(plan, state) -> (..., 4): position in m and velocity in m/s of what the subject sees

    Two adjoints, for learning by the exact gradient of the closed loop; None: the kind cannot be learned through.

    back(plan, state, command, gradient) -> (gradient of state, gradient of command.velocity): the vector-Jacobian
        product of `step` there, for a command without a correction; gradient has the structure of the state
    cursor_back(plan, state, gradient) -> gradient of state: the same of `cursor`; gradient (..., 4)
    """

    Config: type[ComponentConfig]
    plan: Callable[[Any, Timing], Any]
    init: Callable[[Any, Array], Any]
    step: Callable[[Any, Any, Command], Any]
    cursor: Callable[[Any, Any], Array]
    back: Callable[[Any, Any, Command, Any], tuple[Any, Array]] | None = None
    cursor_back: Callable[[Any, Any, Array], Any] | None = None
