"""One tick of a session: `step(session, state, inputs) -> (state, messages)`.

`step` is pure. It reads no clock, opens no socket or file, and writes nothing in place. Random numbers are rows of
named streams, looked up by day and tick. Real time, faster than real time, replay and resume are loops that call this
function (see `decoderd.run.loop`). `begin`, `drive` and `move` read as the table of contents of a tick:

    inputs due at this tick            `inputs.consume`, in their order
    task         cursor -> cue         perturbations turn on and off; trials begin and end
    feedback     cursor -> seen        perturbed: rotation, gain, delay
    population   rates, then spikes    perturbed: gain, silence, noise
    decoder      at the end of a bin   perturbed: rotation, permutation
    effector     command -> cursor     perturbed: rotation, gain, delay, assist
    events and bursts -> plasticity that follows ticks
    end of trial -> plasticity; end of bin -> updater; end of block and day -> overnight changes
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.decoders import AffineStep
from decoderd.errors import NumericalError, Refused
from decoderd.perturbations.sites import ActivePerturbation, PerturbationContext, passed
from decoderd.populations import COUNTS, Spikes
from decoderd.rng import Draws
from decoderd.schedule import block_over
from decoderd.session import clipping, days, learning, mapping, perturbing, trials, updating
from decoderd.session.assembly import Session
from decoderd.session.clipping import Drive
from decoderd.session.inputs import consume
from decoderd.session.learning import TickTrace
from decoderd.session.messages import Message, Messages, counts_messages, day_message, numbered, plain, tick_message
from decoderd.state import (
    EMPTY_BIN,
    POSITION,
    BinCounts,
    Clipped,
    Command,
    Cue,
    Perturbing,
    Readout,
    SessionState,
    TimeIndex,
    still,
    time_index,
)
from decoderd.updaters import DecodedBin

initial = days.initial


def step(session: Session, state: SessionState, inputs: Iterable[Any] = ()) -> tuple[SessionState, Messages]:
    """Compute one tick: the next state, and its messages, of which the tick's own is the first.

    `inputs` are those due at this tick (wire.inputs). Raises Refused for an input that cannot be carried out, and for a
    session that is over.
    """
    earlier: Messages = []
    for given in inputs:
        state, messages = consume(session, state, given)
        earlier += messages
    return advance(session, state, earlier)


class Begun(NamedTuple):
    """A tick up to its events: what the task shows, which perturbations are on, and what happened to trials."""

    state: SessionState  # before the tick, with the mapping that the population follows
    time: TimeIndex
    messages: Messages
    rule: learning.LearningRule | None  # None in blocks without plasticity
    task: Any
    cue: Cue
    effector: Any
    cursor: Array  # (1, 4)
    decoder: Any
    command: Command  # of the last bin
    perturbations: tuple[Perturbing, ...]
    active: tuple[ActivePerturbation, ...]
    trial: trials.Ongoing


class Driven(NamedTuple):
    """A tick up to its spikes: what subject and population did after its events, before decoder and effector."""

    begun: Begun
    context: PerturbationContext | None
    population: Any
    rates: Array  # (1, N) Hz, before perturbation
    intent: Array  # (1, 2) m/s
    counts: Spikes  # (1, N) by channel
    memories: tuple[dict[str, Any], dict[str, Any]]  # of the perturbations of the feedback and of rates
    clipped: Clipped


def advance(session: Session, state: SessionState, earlier: Sequence[Message] = ()) -> tuple[SessionState, Messages]:
    """Compute one tick after its inputs, whose messages are `earlier`. Raises Refused if the session is over."""
    return move(session, drive(session, state, earlier))


def begin(session: Session, state: SessionState, earlier: Sequence[Message] = ()) -> Begun:
    """Compute the events of a tick: task, perturbations, trials. Raises Refused if the session is over."""
    progress, time = state.progress, time_index(state)
    if progress.done:
        raise Refused(f"session {session.name} is over since tick {state.tick}")
    messages: Messages = [*earlier] if state.tick else [day_message(session.protocol, progress, "block"), *earlier]
    rule = session.rule if session.protocol.schedule.blocks[progress.block].plasticity else None

    task, cue, effector, cursor, decoder, command = show(session, state, time)
    perturbations, active = perturbing.switch(session, state, time, cue.trial, messages)
    state = mapping.follow(session, state, time.bin_tick, active)
    trial = trials.ongoing(state)
    if cue.events or cue.trial != state.log.trial or active:
        trial = trials.follow(rule, trial, cue, cue.events, active, time.tick, messages)
    return Begun(
        state, time, messages, rule, task, cue, effector, cursor, decoder, command, perturbations, active, trial
    )


def drive(session: Session, state: SessionState, earlier: Sequence[Message] = ()) -> Driven:
    """Compute the first half of a tick: events, subject and population. Raises Refused if the session is over."""
    begun = begin(session, state, earlier)
    cue, cursor, active = begun.cue, begun.cursor, begun.active
    context = PerturbationContext(cue.goal, cue.radius_m, cursor) if active else None
    seen, of_feedback = passed("feedback", active, cursor, context)
    population, rates, intent, counts, of_rates, clipped = fire(session, begun, seen)
    return Driven(begun, context, population, rates, intent, counts, (of_feedback, of_rates), clipped)


def move(session: Session, driven: Driven) -> tuple[SessionState, Messages]:
    """Compute the second half of a tick, from its first: decoder and effector, ends of bin, trial, block and day."""
    begun, context, population, rates, intent, counts, (of_feedback, of_rates), clipped = driven
    state, time, messages, rule, task, cue, before, cursor, _, _, perturbations, active, trial = begun
    messages = [*messages]
    trial = trials.learn(rule, trial, population, counts)
    readout, decoder, command, bin, read, affine = decode(session, begun, counts, messages)
    carried_out, of_cursor = passed("cursor", active, command, context)
    effector = session.effector.step(session.effector_plan, before, carried_out)
    moved = session.effector.cursor(session.effector_plan, effector).tolist()[0]
    if rule is not None and cue.goal is not None:
        differentiated = active if learning.through_the_loop(rule) else ()
        slopes = perturbing.derivatives(differentiated, rates, command, context, time)
        tick = TickTrace(rule.keep(population), before, effector, command, carried_out, affine, slopes)
        trial = trial._replace(trace=(*trial.trace, tick))
    if (outcome := task_outcome(session, task, moved, time)) is not None:
        trial = trials.follow(rule, trial, cue, trials.ended_with(outcome), active, time.tick, messages)
    following = SessionState(
        tick=state.tick + 1,
        progress=trial.progress,
        parameters=trial.parameters,
        task=task,
        population=population,
        decoder=decoder,
        effector=effector,
        plasticity=trial.plasticity,
        trace=trial.trace,
        readout=readout,
        command=command if command.correction is None else Command(command.velocity, None),
        bin=bin,
        perturbations=perturbing.with_memories(perturbations, of_feedback, of_rates, of_cursor),
        log=trial.log,
        sequences=state.sequences,
        updater=state.updater,
        clipped=clipped,
    )
    if read is not None and session.updates is not None:
        observed = DecodedBin(command.velocity, cursor[:, POSITION], cue.goal, cue.radius_m, cue.phase)
        following = updating.observe(session, following, read, observed, messages)
    if block_over(session.blocks[state.progress.block], trial.progress, following.tick):
        following = days.end_block(session, following, messages)
    if messages:
        sequences, messages = numbered(session.name, state.sequences, messages, time.tick)
        following = following._replace(sequences=sequences)
    shown = (plain(cue.goal), moved, plain(command.velocity), plain(intent))
    return following, [tick_message(session.name, state, cue, *shown), *messages]


def task_outcome(session: Session, task: Any, cursor: list[float], time: TimeIndex) -> str | None:
    """The outcome of a trial that the task ends after the movement of this tick; None if it ends none."""
    if session.task.outcome is None:
        return None
    return session.task.outcome(session.task_plan, task, (cursor[0], cursor[1]), time)


def show(session: Session, state: SessionState, time: TimeIndex) -> tuple[Any, Cue, Any, Array, Any, Command]:
    """The task gets the cursor and shows a cue. A trial with a start puts the effector there, at rest.

    Returns task, cue, effector, cursor (1, 4), decoder and command.
    """
    effector, decoder, command = state.effector, state.decoder, state.command
    cursor = session.effector.cursor(session.effector_plan, effector)
    x, y, _, _ = cursor.tolist()[0]
    task, cue = session.task.step(session.task_plan, state.task, (x, y), time, session.task_streams)
    if cue.start is not None:
        effector = session.effector.init(session.effector_plan, cue.start)
        cursor = session.effector.cursor(session.effector_plan, effector)
        decoder, command = session.decoder.init(state.readout.parameters, 1), still(1)
    return task, cue, effector, cursor, decoder, command


def fire(session: Session, begun: Begun, seen: Array) -> tuple[Any, Array, Array, Spikes, dict[str, Any], Clipped]:
    """The population computes rates, and counts from the perturbed rates. Counts of lost units are zero.

    Returns its state, rates (1, N) in Hz before perturbation, the intent (1, 2) in m/s, counts {channel: (1, N)}, the
    memories of the perturbations of rates, and the rates clipped so far. Raises NumericalError for rates that are not
    finite, and for those above the limit of a population that does not clip.
    """
    state, time, active, parameters = begun.state, begun.time, begun.active, begun.trial.parameters
    plan, draws = session.population_plan, Draws(session.population_streams, time.day, time.day_tick)
    population, rates, intent = session.population.rates(
        plan, parameters.population, state.population, begun.cue, seen, time, draws
    )
    perturbed, memories = passed("neural", active, rates, time)
    try:
        population, counts = session.population.spikes(plan, parameters.population, population, perturbed, draws)
    except NumericalError as error:
        raise clipping.explained(error, Drive(time, rates, perturbed, intent, seen, active)) from error
    clipped = state.clipped
    if counts[COUNTS].itemsize > 1 or clipped.unit_ticks:  # counts of one byte are below any limit
        clipped = clipping.count(session, clipped, Drive(time, rates, perturbed, intent, seen, active))
    if parameters.lost is not None:
        counts = {channel: silenced(array, parameters.lost) for channel, array in counts.items()}
    return population, rates, intent, counts, memories, clipped


def silenced(counts: Array, units: Any) -> Array:
    """A copy of counts (1, N) with those of `units` set to zero."""
    counts = np.array(counts)
    counts[:, units] = 0
    return counts


def decode(
    session: Session, begun: Begun, counts: Spikes, messages: Messages
) -> tuple[Readout, Any, Command, BinCounts, Array | None, AffineStep | None]:
    """Collect counts; at the end of a bin the perturbed decoder computes a command from those that it reads.

    Returns its parameters as perturbed, its state, the command, the counts of the current bin and, at the end of a bin,
    the counts (1, N) that were read, and the step as an affine map where plasticity needs it. Raises NumericalError,
    naming the tick, where the decoder cannot step.
    """
    state, rule, decoder, parameters = begun.state, begun.rule, begun.decoder, begun.trial.parameters
    bin = BinCounts((*state.bin.ticks, counts), state.bin.total + counts[session.channel])
    if len(bin.ticks) < session.timing.bin_ticks:
        return state.readout, decoder, begun.command, bin, None, None
    readout = perturbing.readout(state.readout, begun.active, session.decoder, parameters.decoder)
    messages += counts_messages(session.population.channels, bin.ticks)
    affine = None if rule is None else learning.affine_step(rule, parameters, readout.parameters, decoder)
    read = bin.total if parameters.readouts is None else bin.total[:, parameters.readouts]
    try:
        decoder, command = session.decoder.step(readout.parameters, decoder, read, begun.cursor[:, POSITION])
    except NumericalError as error:
        raise NumericalError(f"decoder: tick {state.tick} (day {state.progress.day}): {error}", "decoder") from error
    return readout, decoder, command, EMPTY_BIN, read, affine
