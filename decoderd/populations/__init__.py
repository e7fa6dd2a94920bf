"""Populations: task and feedback in, firing rates and spike counts out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.config import ComponentConfig
from decoderd.rng import Draws, Spec
from decoderd.state import Cue, Reaches, TimeIndex, Timing


class BatchRollout(Protocol):
    """A batch of trials, of which a population keeps what happens in arrays of its own.

    Between two calls only the cursors change. Results are those of `rates` and `counts` tick by tick, to rounding.
    """

    def counts(self, t: int, cursors: Array) -> NDArray[Any]:
        """(..., B, N) of tick t, asked for in turn; of the cursors (T + 1, ..., B, 4) those up to t are there."""

    def trace(self) -> Any:
        """What `Plastic.trace` makes of the states, after the last tick."""


# From amounts (..., B) to {field: array}, a sum over trials weighed by them.
WeightedSum = Callable[[Array], dict[str, Array]]


class Plastic(NamedTuple):
    """How a population that can learn takes part in it.

    Axes in front of B may be any, as many as its parameters have in front; T is the ticks of a trial.

    fields: {what may be plastic, as a protocol names it: the field of its parameters}
    at_start: streams of which a row is read in the first tick of a trial and in no other
    kept(state) -> what of the state after a tick is kept until the trial ends; `trace` makes the same of it
    trace(states) -> trace: of the states after each of a trial's ticks, what learning needs
    eligibility(plan, parameters, trace, amounts, fields) -> {field: array}: sum over trials of amounts (..., B) times
        how noise pushed each parameter's unit (Williams 1992); where what a unit does moves the cursor only through
        later ticks, without the last tick
    back(plan, parameters, trace, t, gradient, ahead) -> (behind, pushed): one tick of the adjoint. `gradient`
        (..., B, N) of the rates of tick t in Hz; `ahead` is what tick t + 1 handed back as `behind`, None after the
        last tick
    seen(plan, parameters, trace, first, pushed) -> (k, ..., B, 2): the gradient of the positions that reached the
        population in k ticks from `first` on, which were displayed `lag` ticks before, from what `back` gave as
        `pushed` at each, (..., k, B, N)
    gather(plan, parameters, trace, pushed, fields) -> {field: array}: the gradient, summed over trials, from what
        `back` gave as `pushed` at each tick, (..., T, B, N)

    Three that not every kind has:

    expected(plan, parameters, trace, Z, left, fields) -> (mean (..., B), gradient): what the squared length of `left`
        (..., B, 2) is on average over all noise, where `left` depends on what pushes each unit in tick t as Z
        (T, ..., B, 2, N) says; gradient(amounts) -> {field: array} is that of the sum over trials of amounts times the
        mean. None: there is no expectation to be known
    refuses(parameters) -> why these parameters, as a rule would have them, are not to be had; "" if they are. None: all
        may be had
    rehearse(plan, parameters, reaches, tables) -> rehearsal of the trials `reaches`, by random rows
        {name: (T, ..., B, width)}, of streams `at_start` the first one only; None: `rates` and `counts` are called for
        each tick
    """

    fields: dict[str, str]
    at_start: tuple[str, ...]
    kept: Callable[[Any], Any]
    trace: Callable[[Sequence[Any]], Any]
    eligibility: Callable[[Any, Any, Any, Array, tuple[str, ...]], dict[str, Array]]
    back: Callable[[Any, Any, Any, int, Array, Any], tuple[Any, Array]]
    seen: Callable[[Any, Any, Any, int, Array], Array]
    gather: Callable[[Any, Any, Any, Array, tuple[str, ...]], dict[str, Array]]
    expected: Callable[[Any, Any, Any, Array, Array, tuple[str, ...]], tuple[Array, WeightedSum]] | None = None
    refuses: Callable[[Any], str] | None = None
    rollout: Callable[[Any, Any, Reaches, Mapping[str, Array]], BatchRollout] | None = None


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
    counts(plan, rates, draws) -> (B, N) spike counts of this tick from the rates as perturbed, unsigned integers; or
        the counts to be expected, float64
    overnight(config, parameters, generator) -> parameters of the next day

    lag(plan) -> ticks from the cursor as displayed to the population; None: the population is not plastic, or does not
        see the cursor
    manual(plan, parameters) -> its plan under manual control, and the map (2, N) from counts to an arm's control

    targets(parameters) -> how many targets it knows; None: any
    signed: whether rates and counts may be negative

    A population whose counts are given rather than drawn from rates has `drawn = False`; rate perturbations that
    need a new draw are then refused.
    """

    Config: type[ComponentConfig]
    load: Callable[[Any, np.random.Generator, Mapping[str, NDArray[Any]]], Any]
    units: Callable[[Any], int]
    plan: Callable[[Any, Timing], Any]
    streams: Callable[[Any, Any], dict[str, Spec]]
    init: Callable[[Any, Any, Array], Any]
    rates: Callable[[Any, Any, Any, Cue, Array, TimeIndex, Draws], tuple[Any, Array, Array]]
    counts: Callable[[Any, Array, Draws], NDArray[Any]]
    overnight: Callable[[Any, Any, np.random.Generator], Any]
    drawn: bool = True
    plastic: Plastic | None = None
    lag: Callable[[Any], int] | None = None
    manual: Callable[[Any, Any], tuple[Any, Array]] | None = None
    targets: Callable[[Any], int] | None = None
    signed: bool = False
