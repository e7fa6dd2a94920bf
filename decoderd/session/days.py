"""Blocks and days of a session: their start and end, and the changes overnight."""

from __future__ import annotations

from decoderd import schedule
from decoderd.errors import ArrayError, NumericalError, ProtocolError, Refused
from decoderd.preparation.parameters import refitted
from decoderd.protocol import overnight
from decoderd.rng import generator
from decoderd.session import learning, perturbing, trials, updating
from decoderd.session.assembly import Session
from decoderd.session.messages import Messages, counts_messages, day_message, decoder_message
from decoderd.state import EMPTY_BIN, Parameters, Progress, Readout, SessionState, TimeIndex, TrialLog, still
from decoderd.tasks.trial import CENTRE_POINT
from decoderd.wire import topics


def initial(session: Session, parameters: Parameters) -> SessionState:
    """The state before tick 0. Raises ProtocolError for a perturbation that this session cannot carry out."""
    perturbations = []
    for index, spec in enumerate(session.protocol.perturbations):
        try:
            perturbations.append(perturbing.begin(spec, session.info(parameters)))
        except Refused as refusal:
            field = f"perturbations.{index} ({spec.name})"
            raise ProtocolError(f"{field}: {refusal}", field) from None
    progress = schedule.first(session.protocol.schedule)
    state = start_day(session, parameters, progress, 0, 0)
    return state._replace(perturbations=tuple(perturbations), updater=updating.begin(session, parameters))


def start_day(session: Session, parameters: Parameters, progress: Progress, tick: int, trial: int) -> SessionState:
    """The state at the start of a day: components in their initial states, the cursor in the centre.

    `trial` is the number of the last trial that began on an earlier day.
    """
    effector = session.effector.init(session.effector_plan, CENTRE_POINT)
    cursor = session.effector.cursor(session.effector_plan, effector)
    return SessionState(
        tick=tick,
        progress=progress,
        parameters=parameters,
        task=session.task.init(session.task_plan, TimeIndex(tick, progress.day, 0, 0), trial),
        population=session.population.init(session.population_plan, parameters.population, cursor),
        decoder=session.decoder.init(parameters.decoder, 1),
        effector=effector,
        plasticity=learning.start_day(session.rule, parameters.population),
        trace=(),
        readout=Readout((), parameters.decoder),
        command=still(1),
        bin=EMPTY_BIN,
        perturbations=(),
        log=TrialLog(trial, -1, -1, -1, None, ()),
        sequences=dict.fromkeys(topics.NUMBERED, 0),
    )


def end_block(session: Session, state: SessionState, messages: Messages) -> SessionState:
    """End the block: begin the next one, or end the day."""
    if session.updates is not None:
        state = updating.end_block(session, state, messages)
    following = schedule.following(session.protocol.schedule, state.progress, state.tick)
    if following.day == state.progress.day and not following.done:
        messages.append(day_message(session.protocol, following, "block"))
        return state._replace(progress=following)
    return _end_day(session, state, messages)


def _end_day(session: Session, state: SessionState, messages: Messages) -> SessionState:
    """End the day, with an unfinished trial and an unfinished bin; begin the next day, if there is one."""
    if state.bin.ticks:
        messages += counts_messages(session.population.channels, state.bin.ticks)
    progress = state.progress
    if state.log.trial > progress.trials:  # an unfinished trial: the population does not learn from it
        progress = trials.end(None, trials.ongoing(state), "day_end", messages).progress
    messages.append(day_message(session.protocol, progress, "end"))
    following = schedule.following(session.protocol.schedule, progress, state.tick)
    if following.done:
        return state._replace(progress=following, bin=EMPTY_BIN)
    state = _overnight(session, state, progress.day, messages)
    messages.append(day_message(session.protocol, following, "block"))
    next_day = start_day(session, state.parameters, following, state.tick, state.log.trial)
    return next_day._replace(
        perturbations=perturbing.start_day(state.perturbations, session.info(state.parameters)),
        readout=state.readout._replace(known=None),  # units may be lost
        sequences=state.sequences,
        updater=updating.start_day(state.updater),
        clipped=state.clipped,
    )


def _overnight(session: Session, state: SessionState, day: int, messages: Messages) -> SessionState:
    """Change population, readouts and decoder after `day`, as the protocol says."""
    protocol, parameters = session.protocol, state.parameters
    draw = generator(protocol.seed, "population/overnight", day)
    population, remember = parameters.population, session.population.remember
    if remember is not None:
        population = remember(population, state.population)
    population = session.population.overnight(protocol.population, population, draw)
    parameters = parameters._replace(population=population)
    if not overnight.due(protocol.overnight, day):
        return state._replace(parameters=parameters)
    parameters = overnight.apply_overnight(protocol.overnight, parameters, session.units, protocol.seed, day)
    state = state._replace(parameters=parameters)
    read = None if parameters.readouts is None else parameters.readouts.tolist()
    if protocol.overnight.decoder == "carried":
        messages.append(decoder_message("overnight", "kept", "", {}, read))
        return state
    try:
        decoder = refitted(protocol, parameters, day + 1, protocol.overnight.decoder == "arbitrary")
        state = updating.exchange(session, state, decoder)
    except (ArrayError, NumericalError, Refused) as error:  # such as too few spikes: the old decoder is kept
        messages.append(decoder_message("overnight", "kept", str(error), {}, read))
        return state
    messages.append(decoder_message("overnight", "installed", "", session.decoder.arrays(decoder), read))
    return state
