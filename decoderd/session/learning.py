"""Plasticity in a session: the trace of a trial's ticks, and the rule's change of the population when a trial ends.

A trace holds references to the states of each tick, so that it costs almost no time. In the tick in which the trial
ends, before the next one begins, it becomes a batch of one trial. Changed parameters hold from that tick on. A rule
that learns from bursts follows every tick besides, and may change parameters in it, which hold from the next tick on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.decoders import AffineStep, Decoder
from decoderd.errors import ProtocolError
from decoderd.plasticity import Activity, Plasticity
from decoderd.populations import COUNTS, Spikes
from decoderd.populations.burst_channels import BURSTS, EVENTS
from decoderd.protocol.protocol import Protocol
from decoderd.rollout.adjoint import NO_DERIVATIVES, Derivatives, Loop, Trajectory
from decoderd.rollout.gradients import trial_batch
from decoderd.schedule import Schedule, plastic_s
from decoderd.session.messages import Messages, plasticity_message
from decoderd.state import Command, Parameters, TrialLog

# Values of `learns_from` that need gradients through effector and decoder.
THROUGH_THE_LOOP = ("gradient", "expectation")


@stored("tick_trace")
class TickTrace(NamedTuple):
    """The data of one tick of a trial that plasticity needs."""

    population: Any  # stored part of the population's state after the tick
    before: Any  # state of the effector before the tick
    after: Any  # state of the effector after the tick
    decoded: Command
    carried_out: Command  # `decoded` after perturbations
    affine: AffineStep | None  # step of the decoder, at the end of a bin and if the rule needs gradients
    derivatives: Derivatives  # of the perturbations, if the rule needs gradients


class LearningRule(NamedTuple):
    """A rule of plasticity, and the closed loop in which the population learns."""

    kind: Plasticity
    config: Any
    loop: Loop
    decoder: Decoder
    fields: tuple[str, ...]  # the plastic parameters
    targets: int
    keep: Callable[[Any], Any]  # the part of the population's state that is stored for every tick


def learning_rule(kind: Plasticity, protocol: Protocol, loop: Loop, decoder: Decoder) -> LearningRule | None:
    """The rule of a session; None for a kind that does not learn.

    Raises ProtocolError where population, effector or decoder do not provide what the rule needs.
    """
    if kind.learns_from is None:
        return None
    config: Any = protocol.plasticity
    targets = getattr(protocol.task, "targets", 0)
    plastic = loop.population.plastic
    if plastic is None:
        raise ProtocolError(
            "plasticity: this population cannot learn; use population.kind = 'rnn' or 'linear'", "plasticity.kind"
        )
    if kind.learns_from == "teaching" and plastic.layered is None:
        raise ProtocolError(
            "plasticity: this population has no layers that bursts could teach; use population.kind = 'feedforward'",
            "plasticity.kind",
        )
    _check_parts(config.plastic, plastic.fields)
    if kind.learns_from == "bursts":
        _check_followed(loop, config, protocol.schedule)
    if kind.learns_from in THROUGH_THE_LOOP:
        _check_gradient(loop, decoder)
    if kind.learns_from == "expectation":
        if plastic.expected_loss is None:
            raise ProtocolError(
                "plasticity: the expected loss of this population is not known; use population.kind = 'linear'",
                "plasticity.kind",
            )
        if targets and config.trials_per_update % targets:
            raise ProtocolError(
                f"plasticity.trials_per_update = {config.trials_per_update}: the expected loss is over all of the "
                f"task's {targets} targets; give {targets}, or a multiple",
                "plasticity.trials_per_update",
            )
    fields = tuple(plastic.fields[part] for part in config.plastic)
    return LearningRule(kind, config, loop, decoder, fields, targets, plastic.keep)


def _check_followed(loop: Loop, config: Any, schedule: Schedule) -> None:
    """Raise ProtocolError unless events and bursts can be followed, and the burn-in ends on every day of learning."""
    plastic, channels = loop.population.plastic, set(loop.population.channels)
    if plastic is None or plastic.inputs is None or not {EVENTS, BURSTS} <= channels:
        raise ProtocolError(
            "plasticity: this population has no synapses whose events and bursts could be followed; use "
            "population.kind = 'burst_layer'",
            "plasticity.kind",
        )
    burn_in_s: float = getattr(config, "burn_in_s", 0.0)
    for day in range(1, min(schedule.days, 10_000) + 1):
        lasts = plastic_s(schedule, day)
        if lasts and lasts <= burn_in_s:
            raise ProtocolError(
                f"plasticity.burn_in_s = {burn_in_s:g}: must be shorter than the blocks with plasticity of every day; "
                f"those of day {day} last {lasts:g} s",
                "plasticity.burn_in_s",
            )


def _check_parts(parts: Iterable[str], fields: Mapping[str, str]) -> None:
    """Raise ProtocolError for plastic parts that the population does not have."""
    missing = [part for part in parts if part not in fields]
    if missing:
        raise ProtocolError(
            f"plasticity.plastic: this population has no {missing[0]!r} that could learn; it has {', '.join(fields)}",
            "plasticity.plastic",
        )


def _check_gradient(loop: Loop, decoder: Decoder) -> None:
    """Raise ProtocolError unless a gradient can pass back through effector, decoder and counts."""
    if loop.effector.back is None or loop.effector.cursor_back is None:
        raise ProtocolError("plasticity: no gradient passes back through this effector", "plasticity.kind")
    if decoder.linear is None:
        raise ProtocolError("plasticity: no gradient passes back through this decoder", "plasticity.kind")
    if loop.channel != COUNTS:
        raise ProtocolError(
            f"plasticity: no gradient passes back through the channel {loop.channel!r}; the decoder has to read "
            f"decoder.channel = {COUNTS!r}",
            "plasticity.kind",
        )


def values(rule: LearningRule, population: Any) -> dict[str, Array]:
    """The plastic arrays of a population's parameters."""
    return {field: getattr(population, field) for field in rule.fields}


def start_day(rule: LearningRule | None, population: Any) -> Any:
    """The rule's state at the start of a day."""
    if rule is None:
        return None
    return rule.kind.init(rule.config, values(rule, population), rule.targets, ())


def through_the_loop(rule: LearningRule) -> bool:
    """Whether the rule needs gradients through effector, decoder and perturbations."""
    return rule.kind.learns_from in THROUGH_THE_LOOP


def affine_step(rule: LearningRule, parameters: Parameters, readout: Any, state: Any) -> AffineStep | None:
    """The decoder's step from `state` as an affine map; None if the rule needs no gradients.

    `readout` are the decoder's parameters as perturbed. Columns of lost units are zero.
    """
    if not through_the_loop(rule) or rule.decoder.linear is None:
        return None
    step = rule.decoder.linear(readout, state)
    if parameters.lost is None:
        return step
    units = np.arange(step.K.shape[-1]) if parameters.readouts is None else parameters.readouts
    return step._replace(K=step.K * np.isin(units, parameters.lost, invert=True))


def follow(
    rule: LearningRule, parameters: Parameters, state: Any, population: Any, counts: Spikes
) -> tuple[Parameters, Any]:
    """Parameters and the rule's state after a tick with these counts {channel: (1, N)}, for a rule that follows ticks.

    `population` is the population's state after the tick.
    """
    plastic = rule.loop.population.plastic
    if rule.kind.follow is None or state is None or plastic is None or plastic.inputs is None:
        return parameters, state
    given = plastic.inputs(rule.loop.population_plan, population)
    inputs = {field: given[field][0] for field in rule.fields}
    activity = Activity(inputs, counts[EVENTS][0], counts[BURSTS][0], rule.loop.tick_s)
    before = values(rule, parameters.population)
    state, after = rule.kind.follow(rule.config, state, before, activity)
    if after is before:
        return parameters, state
    return parameters._replace(population=parameters.population._replace(**after)), state


def end_trial(
    rule: LearningRule,
    parameters: Parameters,
    state: Any,
    trace: tuple[TickTrace, ...],
    log: TrialLog,
    messages: Messages,
) -> tuple[Parameters, Any]:
    """Parameters and the rule's state after the trial of `log`; an update adds its message.

    If the population rejects an update, the rule stops: its state is None until the next day.
    """
    if state is None or log.place is None or not trace:  # the rule has stopped, or no target was shown
        return parameters, state
    loop = rule.loop._replace(readouts=slice(None) if parameters.readouts is None else parameters.readouts)
    trajectory = _trajectory(loop, trace, log.place)
    target = log.target if 0 <= log.target < rule.targets else -1  # an external task may send any number
    batch = trial_batch(
        loop,
        parameters.population,
        trajectory,
        rule.config.objective,
        rule.kind.learns_from,
        rule.fields,
        np.array([target]),
    )
    before = values(rule, parameters.population)
    following, after = rule.kind.learn(rule.config, state, before, batch)
    done = rule.kind.progress(following)
    if done.updates == rule.kind.progress(state).updates:
        return parameters, following
    population = parameters.population._replace(**after)
    plastic = loop.population.plastic
    reason = plastic.reject(population) if plastic is not None and plastic.reject is not None else ""
    if reason:
        messages.append(plasticity_message(done.updates, float(done.loss), 0.0, reason))
        return parameters, None
    since = rule.kind.progress(state).since or before
    change = float(np.sqrt(sum(np.sum((after[name] - since[name]) ** 2) for name in since)))
    messages.append(plasticity_message(done.updates, float(done.loss), change, ""))
    return parameters._replace(population=population), following


def _trajectory(loop: Loop, trace: tuple[TickTrace, ...], goal: Array) -> Trajectory:
    """The trajectory of one trial, from the trace of its ticks."""
    plastic = loop.population.plastic
    assert plastic is not None  # `learning_rule` has checked it
    effector = [trace[0].before, *(tick.after for tick in trace)]
    return Trajectory(
        trace=plastic.trace([tick.population for tick in trace]),
        effector=effector,
        cursors=np.stack([loop.effector.cursor(loop.effector_plan, state) for state in effector]),
        commands=[tick.carried_out for tick in trace],
        decoded=np.stack([tick.decoded.velocity for tick in trace]),
        steps={t: tick.affine for t, tick in enumerate(trace) if tick.affine is not None},
        derivatives={t: tick.derivatives for t, tick in enumerate(trace) if tick.derivatives is not NO_DERIVATIVES},
        goal=goal,
    )
