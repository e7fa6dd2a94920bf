"""The contract of a population kind: its callbacks, typed, and what a kind that learns adds.

B is the batch, N the units, T the ticks of a trial. `Any` stands for what a kind defines for itself: its configuration,
its constants (plan), its parameters and its state, the last two as NamedTuples registered by `checkpoint.stored`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.config import ComponentConfig
from decoderd.rng import Draws, Spec
from decoderd.state import Cue, Reaches, TimeIndex, Timing

# The channel that every population has: spike counts, or expected counts.
COUNTS = "counts"

# Counts of one tick by channel, (B, N) each.
Spikes = Mapping[str, NDArray[Any]]

# From amounts (..., B) to {field: array}, a sum over trials weighted by them.
WeightedSum = Callable[[Array], dict[str, Array]]


class Load(Protocol):
    """Parameters of one population: drawn with `generator`, or taken from the `arrays` of the config's `file`.

    `arrays` is {} for a config without a file. Raises ArrayError where the arrays do not fit.
    """

    def __call__(self, config: Any, generator: np.random.Generator, arrays: Mapping[str, NDArray[Any]], /) -> Any: ...


class Rates(Protocol):
    """One tick: state, rates (B, N) in Hz, and the velocity (B, 2) in m/s that the subject intends.

    `seen` (B, 4) is the cursor as displayed.
    """

    def __call__(
        self, plan: Any, parameters: Any, state: Any, cue: Cue, seen: Array, time: TimeIndex, draws: Draws, /
    ) -> tuple[Any, Array, Array]: ...


class DrawSpikes(Protocol):
    """State, and counts of this tick by channel, from rates (B, N) in Hz as perturbed.

    The channel `counts` holds unsigned integers, or float64 where the kind gives expected counts.
    """

    def __call__(self, plan: Any, parameters: Any, state: Any, rates: Array, draws: Draws, /) -> tuple[Any, Spikes]: ...


class Successive(Protocol):
    """Successive ticks of a bin: states, rates (T, N) in Hz, intents (T, 2) in m/s, and counts (T, N) by channel.

    The cue stays, rates are not perturbed, and `seen` (T, 4) has the displayed cursors; `time` and `draws` are those of
    the first tick. Results are those of `rates` and `spikes` tick by tick, to the bit.
    """

    def __call__(
        self, plan: Any, parameters: Any, state: Any, cue: Cue, seen: Array, time: TimeIndex, draws: Draws, /
    ) -> tuple[Sequence[Any], Array, Array, Spikes]: ...


class WithDecoder(Protocol):
    """Parameters of a population that knows the decoder.

    `weights` (2, N) is the velocity in m/s that a count of each unit adds in a bin; None for a decoder that has no such
    weights. Raises ArrayError where the population needs others; not for a decoder that differs from the first one in
    its numbers only.
    """

    def __call__(self, config: Any, parameters: Any, weights: Array | None, /) -> Any: ...


class Backward(Protocol):
    """One tick of the adjoint: gradients by the state before tick t, and by the input (..., B, N) of each unit in it.

    `gradient` (..., B, N) is that by the rates of tick t in Hz; `ahead` is what this function returned first for
    tick t + 1, None after the last tick.
    """

    def __call__(
        self, plan: Any, parameters: Any, trace: Any, t: int, gradient: Array, ahead: Any, /
    ) -> tuple[Any, Array]: ...


class Eligibility(Protocol):
    """{field: array}: the sum over trials of amounts (..., B) times the trial's eligibility (Williams 1992).

    Where activity moves the cursor through later ticks only, the last tick is left out.
    """

    def __call__(
        self, plan: Any, parameters: Any, trace: Any, amounts: Array, fields: tuple[str, ...], /
    ) -> dict[str, Array]: ...


class FeedbackGradient(Protocol):
    """Gradient (k, ..., B, 2) by the cursor positions that reached the population in k ticks from `first` on.

    They were displayed `lag` ticks before. `input_gradients` (..., k, B, N) are those that `backward` returned for
    these ticks.
    """

    def __call__(self, plan: Any, parameters: Any, trace: Any, first: int, input_gradients: Array, /) -> Array: ...


class ParameterGradient(Protocol):
    """{field: gradient}, summed over trials, from the input gradients (..., T, B, N) of all ticks."""

    def __call__(
        self, plan: Any, parameters: Any, trace: Any, input_gradients: Array, fields: tuple[str, ...], /
    ) -> dict[str, Array]: ...


class ExpectedLoss(Protocol):
    """Mean over all noise of the squared length of `error` (..., B, 2), shape (..., B), and its gradient.

    `error` depends on the input of each unit in tick t by `Z` (T, ..., B, 2, N). The gradient takes amounts (..., B)
    and returns {field: array} of the sum over trials of amount times mean.
    """

    def __call__(
        self, plan: Any, parameters: Any, trace: Any, Z: Array, error: Array, fields: tuple[str, ...], /
    ) -> tuple[Array, WeightedSum]: ...


class BatchRollout(Protocol):
    """A batch of trials that a population computes in arrays of its own.

    Between two calls only the cursors change. Results equal those of `rates` and `spikes` tick by tick, to rounding.
    """

    def spikes(self, t: int, cursors: Array) -> Spikes:
        """Counts (..., B, N) of tick t by channel; called for ticks 0, 1, 2 ... in order.

        Of the cursors (T + 1, ..., B, 4) rows 0..t are set.
        """

    def trace(self) -> Any:
        """What `Plastic.trace` makes of the states, after the last tick."""


class Layered(NamedTuple):
    """What a population of several layers adds, for a rule that learns from bursts in each of them.

    weights(parameters) -> {"W", "c", "B", "R": arrays by layer}, as `plasticity.burstprop.Network` has them
    fields(W, c, R) -> {field: array}, of arrays by layer
    taught(plan, parameters, trace) -> event rates (..., T', B, n) of the inputs and of each layer, in the ticks that
        were taught; what the output is to change by (..., T', B, N), between -1 and 1; burst probability without it
    """

    weights: Callable[[Any], dict[str, tuple[Array, ...]]]
    fields: Callable[[Sequence[Array], Sequence[Array], Sequence[Array]], dict[str, Array]]
    taught: Callable[[Any, Any, Any], tuple[list[Array], Array, float]]


class Plastic(NamedTuple):
    """What a population that learns adds to the contract.

    Axes in front of B may be any, as many as its parameters have in front.

    fields: {what may be plastic, as a protocol names it: the field of the parameters}
    at_start: streams of which a row is read in the first tick of a trial and in no other
    keep(state) -> the part of a tick's state that is stored until the trial ends; `trace` makes the same of it. Also of
        the states of many sessions, see `SideBySide`
    trace(states) -> trace: of the states after each of a trial's ticks, what learning needs
    expected_loss: None where the mean over all noise has no closed form
    reject(parameters) -> why these parameters cannot be run (an unstable network, say), "" if they can. None: all can
    rollout(plan, parameters, reaches, tables) -> the trials `reaches` with random rows {name: (T, ..., B, width)}, of
        streams `at_start` the first row only. None: `rates` and `spikes` are called for each tick
    memory(config) -> bytes at most that one tick of one trial takes, in a rollout with all gradients. None: not known
    inputs(plan, state) -> {field: presynaptic events (B, M)} of a tick, drawn or expected, for the fields that are
        weights (N, M) of synapses whose events can be followed. None: there are none
    layered: for a population of several layers that may be taught by bursts. None: it has none
    """

    fields: dict[str, str]
    at_start: tuple[str, ...]
    keep: Callable[[Any], Any]
    trace: Callable[[Sequence[Any]], Any]
    eligibility: Eligibility
    backward: Backward
    feedback_gradient: FeedbackGradient
    parameter_gradient: ParameterGradient
    expected_loss: ExpectedLoss | None = None
    reject: Callable[[Any], str] | None = None
    rollout: Callable[[Any, Any, Reaches, Mapping[str, Array]], BatchRollout] | None = None
    memory: Callable[[Any], int] | None = None
    inputs: Callable[[Any, Any], dict[str, Array]] | None = None
    layered: Layered | None = None


class RatesOfMany(Protocol):
    """A tick of S sessions, which is not the first of a day: states, and rates (S, N) in Hz.

    Parameters have an axis of sessions in front. `goal` (S, 2) in m is NaN where a session has none, `phase` (S,) that
    of its task, `seen` (S, 4) the cursor as displayed, `bin_tick` the tick of the bin; `draws` has rows (S, width).
    """

    def __call__(
        self,
        plan: Any,
        parameters: Any,
        state: Any,
        goal: Array,
        phase: NDArray[Any],
        seen: Array,
        bin_tick: int,
        draws: Draws,
        /,
    ) -> tuple[Any, Array]: ...


class SideBySide(NamedTuple):
    """A tick of many sessions at once, each with its own parameters; see `populations.side_by_side`.

    Each session's numbers are those of `rates` and `spikes` for it by itself, to the bit.

    state(state) -> arrays of one session, with an axis of length 1 in front; from_arrays is its inverse
    spikes: as `Population.spikes`, for rates (S, N)
    """

    state: Callable[[Any], Any]
    from_arrays: Callable[[Any], Any]
    rates: RatesOfMany
    spikes: DrawSpikes


class Population(NamedTuple):
    """The contract of a population kind.

    units(parameters) -> N
    plan(config, timing) -> constants, computed once; the functions below get them
    streams(plan, parameters) -> {name: Spec} of the random numbers of a tick
    init(plan, parameters, cursor (B, 4)) -> state at the start of a day
    overnight(config, parameters, generator) -> parameters of the next day

    channels: names of the channels that `spikes` returns, `counts` first
    drawn: False for a kind whose counts are given (a recording); rate perturbations that need a draw are then refused
    plastic: None for a kind that cannot learn
    lag(plan) -> ticks from the displayed cursor to the population; None: not plastic, or the cursor is not seen
    manual(plan, parameters) -> constants under manual control, and the map (2, N) from counts to an arm's control
    targets(parameters) -> number of targets the population has inputs for. None: any
    signed: whether rates and counts may be negative
    limit(config, timing) -> Hz above which spikes of a unit cannot be drawn: `spikes` takes higher rates as this one,
        or raises NumericalError. None: there is no limit
    memory(config, timing) -> bytes at most that the arrays of an individual take as it is drawn, trained, stepped and
        written to a checkpoint, which copies them four times. None: not known, and counted as nothing
    with_decoder: called when the first decoder is known, before the first day. None: the population has no use for it
    follows(config) -> whether with_decoder is called again whenever decoder or perturbations have changed what counts
        do to the displayed cursor. None: it is not
    take(state, intent) -> state with an intent from outside (wire.inputs.Intent). None: the kind takes no intents.
        Raises Refused for a subject that intends by itself
    side_by_side: ticks of many sessions at once. None: every session is computed by itself
    successive: None for a kind whose ticks are computed one by one
    remember(parameters, state) -> parameters with what the last state of a day (B = 1) has learnt, before `overnight`.
        None: states learn nothing
    """

    Config: type[ComponentConfig]
    load: Load
    units: Callable[[Any], int]
    plan: Callable[[Any, Timing], Any]
    streams: Callable[[Any, Any], dict[str, Spec]]
    init: Callable[[Any, Any, Array], Any]
    rates: Rates
    spikes: DrawSpikes
    overnight: Callable[[Any, Any, np.random.Generator], Any]
    channels: tuple[str, ...] = (COUNTS,)
    drawn: bool = True
    plastic: Plastic | None = None
    lag: Callable[[Any], int] | None = None
    manual: Callable[[Any, Any], tuple[Any, Array]] | None = None
    targets: Callable[[Any], int] | None = None
    signed: bool = False
    limit: Callable[[Any, Timing], float | None] | None = None
    memory: Callable[[Any, Timing], int] | None = None
    with_decoder: WithDecoder | None = None
    follows: Callable[[Any], bool] | None = None
    remember: Callable[[Any, Any], Any] | None = None
    take: Callable[[Any, Any], Any] | None = None
    side_by_side: SideBySide | None = None
    successive: Successive | None = None
