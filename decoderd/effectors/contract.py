"""The contract of effectors: the functions that a kind consists of.

Arrays have any number of leading axes, the same in all: (..., 2), (..., 4).
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from decoderd.arrays import Array
from decoderd.config import ComponentConfig
from decoderd.state import Command, Timing


class Plan(Protocol):
    """Work out an effector's constants, once in a session."""

    def __call__(self, config: Any, timing: Timing, /) -> Any:
        """The plan, which all the other functions get. Raises ProtocolError for a tick that does not suit it."""


class Init(Protocol):
    """Put an effector at rest somewhere."""

    def __call__(self, plan: Any, place: Array, /) -> Any:
        """The state with the cursor at `place` (..., 2) in m. Raises ArrayError for a place out of reach."""


class Step(Protocol):
    """Move an effector for one tick."""

    def __call__(self, plan: Any, state: Any, command: Command, /) -> Any:
        """The state after the tick."""


class Successive(Protocol):
    """Move an effector for some ticks with one command."""

    def __call__(self, plan: Any, state: Any, velocity: Array, ticks: int, /) -> Array:
        """The states (ticks + 1, n) before the ticks and after each, from a state (1, n) and a velocity (1, 2) in m/s.

        They are those of `step`, and `cursor` of all of them is that of each, to the bit.
        """


class Cursor(Protocol):
    """Read the cursor, which the subject sees, from the state."""

    def __call__(self, plan: Any, state: Any, /) -> Array:
        """(..., 4): position in m and velocity in m/s."""


class Back(Protocol):
    """The adjoint of `Step`, for learning by the exact gradient of the closed loop."""

    def __call__(self, plan: Any, state: Any, command: Command, gradient: Any, /) -> tuple[Any, Array]:
        """(gradient by the state, gradient by command.velocity) from the gradient by the state after the tick.

        This is the vector-Jacobian product of `step` there, for a command without a correction. Gradients by a state
        have the structure of the state.
        """


class CursorBack(Protocol):
    """The adjoint of `Cursor`."""

    def __call__(self, plan: Any, state: Any, gradient: Array, /) -> Any:
        """The gradient by the state from the gradient (..., 4) by the cursor."""


class Effector(NamedTuple):
    """An effector kind: its configuration and its functions."""

    Config: type[ComponentConfig]
    plan: Plan
    init: Init
    step: Step
    cursor: Cursor
    back: Back | None = None  # None: a population cannot learn through it by gradients
    cursor_back: CursorBack | None = None
    successive: Successive | None = None  # None: it is moved tick by tick
