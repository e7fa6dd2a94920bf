"""Learning in a session: what a trial leaves behind, and what a rule of plasticity makes of it when the trial ends.

A trial's ticks are kept as they happen, by reference, which costs the loop next to nothing. In the tick in which the
trial ends, before the next one begins, they become a lesson; the parameters that come of it hold from that tick on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.decoders import AffineStep, Decoder
from decoderd.errors import ProtocolError
from decoderd.plasticity import Plasticity
from decoderd.rollout.adjoint import NO_DERIVATIVES, Derivatives, Loop, Trajectory
from decoderd.rollout.credit import trial_batch
from decoderd.state import Command, Parameters, TrialLog

Messages = list[tuple[str, dict[str, Any]]]

# What a rule may learn by that has to go back through effector and decoder.
THROUGH_THE_LOOP = ("gradient", "expectation")


@stored("tick_trace")
class TickTrace(NamedTuple):
    """A tick of a trial."""

    population: Any  # what is kept of the state after the tick
    before: Any  # the effector's state before it
    after: Any  # and after
    decoded: Command
    carried_out: Command
    stepped: AffineStep | None  # the decoder's step, if it made one and gradients are asked for
    derivatives: Derivatives


class Learner(NamedTuple):
    """A rule at work on one population."""

    rule: Plasticity
    config: Any
    loop: Loop
    decoder: Decoder
    fields: tuple[str, ...]  # the plastic parameters
    targets: int
    kept: Callable[[Any], Any]  # what of the population's state is kept of a tick


def employ(rule: Plasticity, config: Any, loop: Loop, decoder: Decoder, targets: int) -> Learner | None:
    """A rule put to work; None for one that learns nothing.

    Raises ProtocolError where population, effector or decoder cannot be learned through.
    """
    if rule.learns_from is None:
        return None
    plastic = loop.population.plastic
    if plastic is None:
        raise ProtocolError(
            "plasticity: this population cannot learn; use population.kind = 'rnn' or 'linear'", "plasticity.kind"
        )
    if rule.learns_from in THROUGH_THE_LOOP:
        if loop.effector.back is None or loop.effector.cursor_back is None:
            raise ProtocolError("plasticity: no gradient goes back through this effector", "plasticity.kind")
        if decoder.linear is None:
            raise ProtocolError("plasticity: no gradient goes back through this decoder", "plasticity.kind")
    if rule.learns_from == "expectation":
        if plastic.expected is None:
            raise ProtocolError(
                "plasticity: what is to be expected of this population is not known; use population.kind = 'linear'",
                "plasticity.kind",
            )
        if targets and config.trials_per_update % targets:
            raise ProtocolError(
                f"plasticity.trials_per_update = {config.trials_per_update}: the expected loss is over all of the "
                f"task's {targets} targets; give {targets}, or a multiple",
                "plasticity.trials_per_update",
            )
    fields = tuple(plastic.fields[part] for part in config.plastic)
    return Learner(rule, config, loop, decoder, fields, targets, plastic.kept)


def values(learner: Learner, population: Any) -> dict[str, Array]:
    """The plastic arrays of a population's parameters."""
    return {field: getattr(population, field) for field in learner.fields}


def rested(learner: Learner | None, population: Any) -> Any:
    """The rule's state in the morning."""
    if learner is None:
        return None
    return learner.rule.init(learner.config, values(learner, population), learner.targets, ())


def stepped(learner: Learner, parameters: Parameters, read: Any, state: Any) -> AffineStep | None:
    """The step that the decoder is about to make from `state`, where a gradient will have to go back through it.

    `read` are its parameters as perturbed. Units that are lost say nothing to it.
    """
    if learner.rule.learns_from not in THROUGH_THE_LOOP or learner.decoder.linear is None:
        return None
    step = learner.decoder.linear(read, state)
    if parameters.lost is None:
        return step
    units = np.arange(step.K.shape[-1]) if parameters.readouts is None else parameters.readouts
    return step._replace(K=step.K * np.isin(units, parameters.lost, invert=True))


def ended(
    learner: Learner,
    parameters: Parameters,
    state: Any,
    trajectory: tuple[TickTrace, ...],
    log: TrialLog,
    news: Messages,
) -> tuple[Parameters, Any]:
    """Parameters and the rule's state after the trial of `log` has ended; an update is told in `news`.

    A rule whose update the population refuses stops for the day: its state is None until the next morning.
    """
    if state is None or log.place is None or not trajectory:  # stopped, or the target was never shown
        return parameters, state
    loop = _loop(learner, parameters)
    happened = _passage(loop, trajectory, log.place)
    objective, credit = learner.config.objective, learner.rule.learns_from
    target = log.target if 0 <= log.target < learner.targets else -1  # from outside comes any number
    given = trial_batch(loop, parameters.population, happened, objective, credit, learner.fields, np.array([target]))
    before = values(learner, parameters.population)
    following, after = learner.rule.learn(learner.config, state, before, given)
    done = learner.rule.progress(following)
    if done.updates == learner.rule.progress(state).updates:
        return parameters, following
    told, population = {"n": done.updates, "l": float(done.loss)}, parameters.population._replace(**after)
    plastic = loop.population.plastic
    why = plastic.refuses(population) if plastic is not None and plastic.refuses is not None else ""
    if why:
        news.append(("plasticity", {**told, "z": 0.0, "m": why}))
        return parameters, None
    change = float(np.sqrt(sum(np.sum((after[name] - before[name]) ** 2) for name in before)))
    news.append(("plasticity", {**told, "z": change, "m": ""}))
    return parameters._replace(population=population), following


def _loop(learner: Learner, parameters: Parameters) -> Loop:
    """The loop as the decoder reads it now."""
    return learner.loop._replace(readouts=slice(None) if parameters.readouts is None else parameters.readouts)


def _passage(loop: Loop, tick_traces: tuple[TickTrace, ...], goal: Array) -> Trajectory:
    plastic = loop.population.plastic
    assert plastic is not None  # the rule was put to work
    bodies = [tick_traces[0].before, *(tick_trace.after for tick_trace in tick_traces)]
    return Trajectory(
        plastic.trace([tick_trace.population for tick_trace in tick_traces]),
        bodies,
        np.stack([loop.effector.cursor(loop.effector_plan, each) for each in bodies]),
        [tick_trace.carried_out for tick_trace in tick_traces],
        np.stack([tick_trace.decoded.velocity for tick_trace in tick_traces]),
        {t: tick_trace.stepped for t, tick_trace in enumerate(tick_traces) if tick_trace.stepped is not None},
        {
            t: tick_trace.derivatives
            for t, tick_trace in enumerate(tick_traces)
            if tick_trace.derivatives is not NO_DERIVATIVES
        },
        goal,
    )
