"""Populations: task and feedback in, firing rates and spike counts out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.config import ComponentConfig
from decoderd.rng import Draws, Spec
from decoderd.state import Cue, Moment, Timing


class Population(NamedTuple):
    """The contract of a population kind. B is the batch, N the units.

    load(config, generator, arrays) -> parameters: `generator` draws what is random about an individual, `arrays`
        are those of the config's `file` ({} without one). Raises ArrayError where they do not fit.
    units(parameters) -> N
    plan(config, timing) -> plan: constants worked out once; all the functions below get it
    streams(config, parameters) -> {name: Spec}
    init(plan, parameters, cursor) -> state; cursor (B, 4)
    rates(plan, parameters, state, cue, seen, moment, draws) -> (state, rates (B, N) Hz, intent (B, 2) m/s);
        `seen` (B, 4) is the cursor as displayed, `intent` the velocity the subject means to make
    counts(plan, rates, draws) -> (B, N) spike counts of this tick, from the rates as perturbed
    overnight(config, parameters, generator) -> parameters of the next day

    A population whose counts are given rather than drawn from rates has `drawn = False`; rate perturbations that
    need a new draw are then refused.
    """

    Config: type[ComponentConfig]
    load: Callable[[Any, np.random.Generator, Mapping[str, NDArray[Any]]], Any]
    units: Callable[[Any], int]
    plan: Callable[[Any, Timing], Any]
    streams: Callable[[Any, Any], dict[str, Spec]]
    init: Callable[[Any, Any, Array], Any]
    rates: Callable[[Any, Any, Any, Cue, Array, Moment, Draws], tuple[Any, Array, Array]]
    counts: Callable[[Any, Array, Draws], NDArray[Any]]
    overnight: Callable[[Any, Any, np.random.Generator], Any]
    drawn: bool = True
