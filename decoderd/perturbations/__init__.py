"""Perturbations: a transform, at a site, under an envelope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decoderd.arrays import Array
from decoderd.config import ComponentConfig
from decoderd.errors import Refused
from decoderd.perturbations.envelope import Envelope, Step
from decoderd.rng import Spec
from decoderd.state import Timing


class PerturbationConfig(ComponentConfig):
    """What every perturbation has. Subclasses narrow `site` to where their transform makes sense."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    site: str
    envelope: Envelope = Step()


class SessionInfo(NamedTuple):
    """The session a perturbation is to act on."""

    units: int
    reads: int  # of them, those the decoder reads
    drawn: bool  # whether counts are drawn from rates
    decoder: Any  # the component
    decoder_parameters: Any
    timing: Timing
    seed: int
    signed: bool = False  # whether rates may be negative


class PerturbationContext(NamedTuple):
    """What a transform may look at besides what it transforms."""

    goal: Array | None  # (B, 2) m
    goal_radius_m: float
    cursor: Array  # (B, 4)


class Perturbation(NamedTuple):
    """The contract of a perturbation kind. `amount` is the envelope's value, 0..1.

    begin(config, host) -> memory: raises Refused, with the reason, where the session cannot be perturbed so
    sites: {site: apply}, with apply depending on the site
        cursor    apply(config, memory, amount, command, scene) -> (memory, command)
        feedback  apply(config, memory, amount, seen (B, 4), scene) -> (memory, seen)
        neural    apply(config, memory, amount, rates (B, N), rows) -> (memory, rates); rows as in `streams`
        readout   apply(config, memory, amount, decoder, parameters) -> parameters
    streams(config, units) -> {name: Spec}. None: it draws nothing while it is on.
    """

    Config: type[PerturbationConfig]
    begin: Callable[[Any, SessionInfo], Any]
    sites: Mapping[str, Callable[..., Any]]
    streams: Callable[[Any, int], dict[str, Spec]] | None = None


def chosen(units: tuple[int, ...] | None, there: int, noun: str = "units") -> NDArray[np.int64]:
    """Indices of the units meant, of as many as are `there`; all where None. Raises Refused for others."""
    if units is None:
        return np.arange(there)
    absent = [unit for unit in units if unit >= there]
    if absent:
        raise Refused(f"{noun} {absent} are not there: there are {noun} 0..{there - 1}", "units")
    return np.unique(np.array(units, dtype=np.int64))
