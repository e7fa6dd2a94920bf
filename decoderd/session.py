"""The one path: a session is a fold of `step` over its ticks.

    step(session, state, inputs) -> (state, messages)

is pure. It asks no clock, opens no socket or file, and writes nothing in place; random numbers are rows of named
streams, looked up by day and tick. Real time, faster than time, a replay, a resume: all are this function, called by
another loop (see `decoderd.loop`).

    inputs due at this tick
    task        sees the cursor, shows a cue -> perturbations on and off
    feedback    what the subject sees of the cursor                          perturbed: rotation, gain, delay
    population  intention -> rates -> spike counts                           perturbed: gain, silence, noise
    decoder     at the end of a bin: counts -> kinematics                    perturbed: rotation, permutation
    effector    kinematics -> cursor                                         perturbed: rotation, gain, delay, assist
    end of trial, block and day -> bookkeeping, overnight changes
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from decoderd import admission, chronicle, perturbing, schedule
from decoderd.assembly import Session
from decoderd.chronicle import NUMBERED, Messages, plain
from decoderd.errors import ProtocolError, Refused
from decoderd.perturbations import Scene
from decoderd.rng import Draws, generator
from decoderd.state import (
    POSITION,
    Command,
    Event,
    Moment,
    Parameters,
    Progress,
    Readout,
    SessionState,
    TrialLog,
    still,
)
from decoderd.tasks.trial import CENTRE_POINT, REST


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
    return _morning(session, parameters, progress, 0, 0)._replace(perturbations=tuple(waiting))


def _morning(session: Session, parameters: Parameters, progress: Progress, tick: int, trials: int) -> SessionState:
    """Everybody rested, the cursor in the centre, `trials` begun on earlier days."""
    effector = session.effector.init(session.effector_plan, CENTRE_POINT)
    cursor = session.effector.cursor(session.effector_plan, effector)
    return SessionState(
        tick=tick,
        progress=progress,
        parameters=parameters,
        task=session.task.init(session.task_plan, Moment(tick, progress.day, 0, 0), trials),
        population=session.population.init(session.population_plan, parameters.population, cursor),
        decoder=session.decoder.init(parameters.decoder, 1),
        effector=effector,
        readout=Readout((), parameters.decoder),
        command=still(1),
        bin=(),
        perturbations=(),
        log=TrialLog(trials, -1, -1, -1, None, ()),
        sequences=(0,) * len(NUMBERED),
    )


def step(session: Session, state: SessionState, inputs: Iterable[Any] = ()) -> tuple[SessionState, Messages]:
    """One tick. `inputs` are those due now (wire.inputs); returns the next state and the messages, the tick's first.

    Raises Refused, with nothing changed, for an input that cannot be carried out and for a session that is over.
    """
    tick, progress = state.tick, state.progress
    if progress.done:
        raise Refused(f"session {session.name} is over since tick {tick}")
    moment = Moment(tick, progress.day, tick - progress.day_tick, len(state.bin))
    news: Messages = [] if tick else [chronicle.day_message(session.protocol, progress, "block")]

    for given in inputs:
        state = admission.take(session, state, given, moment, news)
    effector, decoder, command = state.effector, state.decoder, state.command
    cursor = session.effector.cursor(session.effector_plan, effector)
    x, y, _, _ = cursor[0].tolist()
    task, cue = session.task.step(session.task_plan, state.task, (x, y), moment, session.task_streams)
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
    scene = Scene(cue.goal, cue.radius_m, cursor) if on else None
    seen = perturbing.through("feedback", on, memories, cursor, scene) if on else cursor

    draws = Draws(session.population_streams, moment.day, moment.day_tick)
    population, rates, intent = session.population.rates(
        session.population_plan, state.parameters.population, state.population, cue, seen, moment, draws
    )
    if on:
        rates = perturbing.through("neural", on, memories, rates, moment)
    counts = session.population.counts(session.population_plan, rates, draws)

    readout, collected = state.readout, (*state.bin, counts)
    if len(collected) == session.timing.bin_ticks:
        readout = perturbing.readout(readout, on, session.decoder, state.parameters.decoder)
        summed, message = chronicle.bin_of(tick, collected)
        news.append(message)
        decoder, command = session.decoder.step(readout.parameters, decoder, summed, cursor[:, POSITION])
        collected = ()

    carried_out = perturbing.through("cursor", on, memories, command, scene) if on else command
    effector = session.effector.step(session.effector_plan, effector, carried_out)
    moved = session.effector.cursor(session.effector_plan, effector)[0].tolist()

    if session.task.outcome is not None:
        outcome = session.task.outcome(session.task_plan, task, (moved[0], moved[1]), moment)
        if outcome is not None:
            cue = cue._replace(events=(*cue.events, Event(REST, outcome)))
    log = state.log
    if cue.events or cue.trial != log.trial or on:
        log, progress = chronicle.follow_trial(state, cue, tuple(p.name for p in on), tick, news)

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
        tick + 1,
        progress,
        state.parameters,
        task,
        population,
        decoder,
        effector,
        readout,
        command if command.correction is None else Command(command.velocity, None),
        collected,
        perturbing.remembered(perturbations, memories),
        log,
        state.sequences,
    )
    if schedule.block_over(session.protocol.schedule, progress, tick + 1, session.timing.tick_s):
        state = _next_block(session, state, news)
    if news:
        sequences, news = chronicle.numbered(session.name, state.sequences, news, tick)
        state = state._replace(sequences=sequences)
    return state, [("tick", record), *news]


def _next_block(session: Session, state: SessionState, news: Messages) -> SessionState:
    """Go on to the next block or, over night, to the next day."""
    protocol, progress = session.protocol, state.progress
    following = schedule.following(protocol.schedule, progress, state.tick)
    if following.day == progress.day and not following.done:
        news.append(chronicle.day_message(protocol, following, "block"))
        return state._replace(progress=following)
    if state.bin:
        news.append(chronicle.bin_of(state.tick - 1, state.bin)[1])
    if state.log.trial > progress.trials:  # a trial under way ends with the day
        news.append(chronicle.trial_message(progress, state.log, "day_end"))
        progress = progress._replace(trials=progress.trials + 1)
        following = schedule.following(protocol.schedule, progress, state.tick)
    news.append(chronicle.day_message(protocol, progress, "end"))
    if following.done:
        return state._replace(progress=following, bin=())
    night = generator(protocol.seed, "population/overnight", progress.day)
    parameters = state.parameters._replace(
        population=session.population.overnight(protocol.population, state.parameters.population, night)
    )
    news.append(chronicle.day_message(protocol, following, "block"))
    fresh = _morning(session, parameters, following, state.tick, state.log.trial)
    perturbations = perturbing.rested(state.perturbations, session.host(parameters))
    return fresh._replace(perturbations=perturbations, readout=state.readout, sequences=state.sequences)
