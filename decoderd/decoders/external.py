"""External decoder: kinematics arrive as inputs from another program, and hold until the next ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_vector
from decoderd.checkpoint import stored
from decoderd.config import ComponentConfig
from decoderd.decoders import Decoder
from decoderd.state import Command


class ExternalConfig(ComponentConfig):
    """No settings."""

    kind: Literal["external"] = "external"


@stored("decoders.external.parameters")
class Parameters(NamedTuple):
    """There are no parameters."""


@stored("decoders.external.state")
class State(NamedTuple):
    """The last kinematics received."""

    velocity: Array  # (B, 2) m/s
    position: Array | None  # (1, 2) m, if given and not yet passed on


def load(arrays: Mapping[str, NDArray[Any]]) -> Parameters:
    """The parameters, of which there are none. Arrays are ignored."""
    return Parameters()


def arrays(parameters: Parameters) -> dict[str, NDArray[Any]]:
    """No arrays."""
    return {}


def units(parameters: Parameters) -> None:
    """None: any number of units will do, since none is read."""
    return None


def init(parameters: Parameters, batch: int) -> State:
    """At rest until kinematics are received."""
    return State(np.zeros((batch, 2)), None)


def take(state: State, kinematics: Any) -> State:
    """Consume kinematics: a velocity (m/s), and a position (m) or None; both take effect at the end of the bin."""
    velocity = np.repeat(np.array([kinematics.velocity], dtype=np.float64), len(state.velocity), axis=0)
    position = None if kinematics.position is None else np.array([kinematics.position], dtype=np.float64)
    return State(velocity, position)


def step(parameters: Parameters, state: State, counts: Array, position: Array | None) -> tuple[State, Command]:
    """The kinematics received last; a position becomes a correction once."""
    if state.position is None or position is None:
        return state, Command(state.velocity, None)
    return State(state.velocity, None), Command(state.velocity, state.position - position)


def row(state: State) -> Array:
    """(B, 2): the velocity."""
    return state.velocity


def start(parameters: Parameters, state: State, initial: NDArray[Any]) -> State:
    """Begin from velocity `initial` (2,)."""
    first = check_vector("initial", initial, 2)
    return state._replace(velocity=np.repeat(first[np.newaxis], len(state.velocity), axis=0))


EXTERNAL = Decoder(ExternalConfig, load, arrays, units, init, step, row, start, take=take)
