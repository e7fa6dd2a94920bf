"""The one path: a session is a fold of `step` over its ticks.

    step(session, state, inputs) -> (state, messages)

is pure. It asks no clock, opens no socket or file, and writes nothing in place; random numbers are rows of named
streams, looked up by day and tick. Real time, faster than time, a replay, a resume: all are this function, called by
another loop (see `decoderd.run.loop`).

    inputs due at this tick
    task        sees the cursor, shows a cue -> perturbations on and off
    feedback    what the subject sees of the cursor                          perturbed: rotation, gain, delay
    population  intention -> rates -> spike counts                           perturbed: gain, silence, noise
    decoder     at the end of a bin: counts -> kinematics                    perturbed: rotation, permutation
    effector    kinematics -> cursor                                         perturbed: rotation, gain, delay, assist
    updater     at the end of a bin: counts, intention -> another decoder, now and then
    plasticity  at the end of a trial: what happened in it -> another population, now and then
    end of trial, block and day -> bookkeeping, overnight changes
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from decoderd import schedule
from decoderd.errors import ArrayError, NumericalError, ProtocolError, Refused
from decoderd.perturbations import PerturbationContext
from decoderd.preparation.parameters import refitted
from decoderd.protocol import overnight
from decoderd.rng import Draws, generator
from decoderd.rollout.adjoint import NO_DERIVATIVES
from decoderd.session import learning, messages, perturbing, updating
from decoderd.session.assembly import Session
from decoderd.session.inputs import take
from decoderd.session.learning import TickTrace
from decoderd.session.messages import NUMBERED, Messages, plain
from decoderd.state import (
    EMPTY_BIN,
    POSITION,
    BinCounts,
    Command,
    Event,
    Parameters,
    Progress,
    Readout,
    SessionState,
    TimeIndex,
    TrialLog,
    still,
)
from decoderd.tasks.trial import CENTRE_POINT, REST
from decoderd.updaters import DecodedBin


def initial(session: Session, parameters: Parameters) -> SessionState:
    """The state before tick 0. Raises ProtocolError for a perturbation that this session cannot carry out."""
    waiting = []
    for index, spec in enumerate(session.protocol.perturbations):
        try:
            waiting.append(perturbing.begin(spec, session.host(parameters)))
        except Refused as refusal:
            where = f"perturbations.{index} ({spec.name})"
            raise ProtocolError(f"{where}: {refusal}", where) from None
    progress = schedule.first(session.protocol.schedule)
    state = _morning(session, parameters, progress, 0, 0)
    return state._replace(perturbations=tuple(waiting), updater=updating.begin(session, parameters))


def _morning(session: Session, parameters: Parameters, progress: Progress, tick: int, trials: int) -> SessionState:
    """Everybody rested, the cursor in the centre, `trials` begun on earlier days."""
    effector = session.effector.init(session.effector_plan, CENTRE_POINT)
    cursor = session.effector.cursor(session.effector_plan, effector)
    return SessionState(
        tick=tick,
        progress=progress,
        parameters=parameters,
        task=session.task.init(session.task_plan, TimeIndex(tick, progress.day, 0, 0), trials),
        population=session.population.init(session.population_plan, parameters.population, cursor),
        decoder=session.decoder.init(parameters.decoder, 1),
        effector=effector,
        plasticity=learning.rested(session.learner, parameters.population),
        trajectory=(),
        readout=Readout((), parameters.decoder),
        command=still(1),
        bin=EMPTY_BIN,
        perturbations=(),
        log=TrialLog(trials, -1, -1, -1, None, ()),
        sequences=dict.fromkeys(NUMBERED, 0),
    )


def step(session: Session, state: SessionState, inputs: Iterable[Any] = ()) -> tuple[SessionState, Messages]:
    """One tick. `inputs` are those due now (wire.inputs); returns the next state and the messages, the tick's first.

    Raises Refused, with nothing changed, for an input that cannot be carried out and for a session that is over.
    """
    tick, progress = state.tick, state.progress
    if progress.done:
        raise Refused(f"session {session.name} is over since tick {tick}")
    moment = TimeIndex(tick, progress.day, tick - progress.day_tick, len(state.bin.ticks))
    news: Messages = [] if tick else [messages.day_message(session.protocol, progress, "block")]

    for given in inputs:
        state = take(session, state, given, moment, news)
    effector, decoder, command = state.effector, state.decoder, state.command
    cursor = session.effector.cursor(session.effector_plan, effector)
    x, y, _, _ = cursor[0].tolist()
    task, cue = session.task.step(session.task_plan, state.task, (x, y), moment, session.task_streams)
    parameters, plasticity, trajectory = state.parameters, state.plasticity, state.trajectory
    learner = session.learner if session.protocol.schedule.blocks[progress.block].plasticity else None
    if any(event.outcome is not None for event in cue.events):  # with the tick before
        if learner is not None:
            parameters, plasticity = learning.ended(learner, parameters, plasticity, trajectory, state.log, news)
        trajectory = ()
    if cue.start is not None:
        effector = session.effector.init(session.effector_plan, cue.start)
        cursor = session.effector.cursor(session.effector_plan, effector)
        decoder, command = session.decoder.init(state.readout.parameters, 1), still(1)

    perturbations = state.perturbations
    on: tuple[perturbing.On, ...] = ()
    memories: dict[str, Any] = {}
    if perturbations:
        perturbations = perturbing.switched(perturbations, moment, cue.trial, progress.day_trial, news)
        on = perturbing.those_on(perturbations, session, tick)
    scene = PerturbationContext(cue.goal, cue.radius_m, cursor) if on else None
    seen = perturbing.through("feedback", on, memories, cursor, scene) if on else cursor

    draws = Draws(session.population_streams, moment.day, moment.day_tick)
    population, rates, intent = session.population.rates(
        session.population_plan, parameters.population, state.population, cue, seen, moment, draws
    )
    fired = perturbing.through("neural", on, memories, rates, moment) if on else rates
    counts = session.population.counts(session.population_plan, fired, draws)
    if parameters.lost is not None:
        counts = np.array(counts)
        counts[:, parameters.lost] = 0

    readout, stepped, heard = state.readout, None, None
    collected = BinCounts((*state.bin.ticks, counts), state.bin.total + counts)
    if len(collected.ticks) == session.timing.bin_ticks:
        readout = perturbing.readout(readout, on, session.decoder, parameters.decoder)
        news.append(messages.counts_message(tick, collected.ticks))
        stepped = None if learner is None else learning.stepped(learner, parameters, readout.parameters, decoder)
        read = collected.total if parameters.readouts is None else collected.total[:, parameters.readouts]
        decoder, command = session.decoder.step(readout.parameters, decoder, read, cursor[:, POSITION])
        collected = EMPTY_BIN
        if session.updates is not None:
            heard = DecodedBin(command.velocity, cursor[:, POSITION], cue.goal, cue.radius_m, cue.phase)

    carried_out = perturbing.through("cursor", on, memories, command, scene) if on else command
    before, effector = effector, session.effector.step(session.effector_plan, effector, carried_out)
    moved = session.effector.cursor(session.effector_plan, effector)[0].tolist()
    if learner is not None and cue.goal is not None:
        derivatives = perturbing.derivatives(on, cursor, rates, command, scene, moment) if on else NO_DERIVATIVES
        tick_trace = TickTrace(learner.kept(population), before, effector, command, carried_out, stepped, derivatives)
        trajectory = (*trajectory, tick_trace)

    log, outcome = state.log, None
    if session.task.outcome is not None:
        outcome = session.task.outcome(session.task_plan, task, (moved[0], moved[1]), moment)
        if outcome is not None:
            cue = cue._replace(events=(*cue.events, Event(REST, outcome)))
    if cue.events or cue.trial != log.trial or on:
        log, progress = messages.follow_trial(state, cue, tuple(p.name for p in on), tick, news)
    if outcome is not None:
        if learner is not None:
            parameters, plasticity = learning.ended(learner, parameters, plasticity, trajectory, log, news)
        trajectory = ()

    record = {
        "s": session.name,
        "q": tick,
        "k": tick,
        "d": moment.day,
        "b": state.progress.block + 1,
        "r": cue.trial,
        "p": cue.phase,
        "t": plain(cue.goal),
        "c": moved,
        "v": command.velocity[0].tolist(),
        "i": intent[0].tolist(),
    }
    state = SessionState(
        tick=tick + 1,
        progress=progress,
        parameters=parameters,
        task=task,
        population=population,
        decoder=decoder,
        effector=effector,
        plasticity=plasticity,
        trajectory=trajectory,
        readout=readout,
        command=command if command.correction is None else Command(command.velocity, None),
        bin=collected,
        perturbations=perturbing.remembered(perturbations, memories),
        log=log,
        sequences=state.sequences,
        updater=state.updater,
    )
    if heard is not None:
        state = updating.follow(session, state, read, heard, news)
    if schedule.block_over(session.protocol.schedule, progress, tick + 1, session.timing.tick_s):
        state = _next_block(session, state, news)
    if news:
        sequences, news = messages.numbered(session.name, state.sequences, news, tick)
        state = state._replace(sequences=sequences)
    return state, [("tick", record), *news]


def _night(session: Session, state: SessionState, day: int, news: Messages) -> SessionState:
    """What the night after `day` makes of population, readouts and decoder."""
    protocol, parameters = session.protocol, state.parameters
    draw = generator(protocol.seed, "population/overnight", day)
    population = session.population.overnight(protocol.population, parameters.population, draw)
    parameters = parameters._replace(population=population)
    if not overnight.due(protocol.overnight, day):
        return state._replace(parameters=parameters)
    parameters = overnight.slept(protocol.overnight, parameters, session.units, protocol.seed, day)
    state = state._replace(parameters=parameters)
    read = None if parameters.readouts is None else parameters.readouts.tolist()
    if protocol.overnight.decoder == "carried":
        news.append(messages.decoder_message("overnight", "kept", "", {}, read))
        return state
    try:
        decoder = refitted(protocol, parameters, day + 1, protocol.overnight.decoder == "arbitrary")
        state = updating.exchanged(session, state, decoder)
    except (ArrayError, NumericalError, Refused) as why:  # too little fires, say: the old one is better than none
        news.append(messages.decoder_message("overnight", "kept", str(why), {}, read))
        return state
    news.append(messages.decoder_message("overnight", "installed", "", session.decoder.arrays(decoder), read))
    return state


def _next_block(session: Session, state: SessionState, news: Messages) -> SessionState:
    """Go on to the next block or, over night, to the next day."""
    if session.updates is not None:
        state = updating.block_over(session, state, news)
    protocol, progress = session.protocol, state.progress
    following = schedule.following(protocol.schedule, progress, state.tick)
    if following.day == progress.day and not following.done:
        news.append(messages.day_message(protocol, following, "block"))
        return state._replace(progress=following)
    if state.bin.ticks:
        news.append(messages.counts_message(state.tick - 1, state.bin.ticks))
    if state.log.trial > progress.trials:  # a trial under way ends with the day
        news.append(messages.trial_message(progress, state.log, "day_end"))
        progress = progress._replace(trials=progress.trials + 1)
        following = schedule.following(protocol.schedule, progress, state.tick)
    news.append(messages.day_message(protocol, progress, "end"))
    if following.done:
        return state._replace(progress=following, bin=EMPTY_BIN)
    state = _night(session, state, progress.day, news)
    parameters = state.parameters
    news.append(messages.day_message(protocol, following, "block"))
    fresh = _morning(session, parameters, following, state.tick, state.log.trial)
    perturbations = perturbing.rested(state.perturbations, session.host(parameters))
    return fresh._replace(
        perturbations=perturbations,
        readout=state.readout,
        sequences=state.sequences,
        updater=updating.rested(state.updater),
    )
