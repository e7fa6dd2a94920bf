"""The one path: a session is a fold of `step` over its ticks.

    step(session, state, inputs) -> (state, messages)

is pure. It asks no clock, opens no socket or file, and writes nothing in place; random numbers are rows of named
streams, looked up by day and tick. Real time, faster than time, a replay, a resume: all are this function, called by
another loop (see `decoderd.loop`).

    inputs due at this tick -> perturbations on and off
    task        sees the cursor, shows a cue
    feedback    what the subject sees of the cursor                          perturbed: rotation, gain, delay
    population  intention -> rates -> spike counts                           perturbed: gain, silence, noise
    decoder     at the end of a bin: counts -> kinematics                    perturbed: rotation, permutation
    effector    kinematics -> cursor                                         perturbed: rotation, gain, delay, assist
    end of trial, block and day -> bookkeeping, overnight changes
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from decoderd import registry, schedule
from decoderd.decoders import Decoder
from decoderd.effectors import Effector
from decoderd.errors import ProtocolError, Refused
from decoderd.perturbations import Host, Scene, envelope
from decoderd.populations import Population
from decoderd.protocol import Protocol
from decoderd.rng import Draws, Stream, generator, open_streams
from decoderd.state import (
    POSITION,
    Command,
    Cue,
    Moment,
    Parameters,
    Perturbing,
    Progress,
    Readout,
    SessionState,
    Timing,
    TrialLog,
    still,
)
from decoderd.tasks import Task
from decoderd.tasks.trial import REACH

Payload = dict[str, Any]
Messages = list[tuple[str, Payload]]

# Topics numbered in SessionState.sequences; a tick's number is the tick itself.
NUMBERED = ("counts", "task", "trial", "decoder", "perturbation", "day")

_ELEMENT = {"u": "<u2", "f4": "<f4", "f8": "<f8"}


class Session(NamedTuple):
    """What does not change: the protocol, its components, and the constants worked out of it."""

    protocol: Protocol
    name: str
    timing: Timing
    units: int
    task: Task
    task_plan: Any
    task_streams: Mapping[str, Stream]
    effector: Effector
    effector_plan: Any
    population: Population
    population_plan: Any
    population_streams: Mapping[str, Stream]
    decoder: Decoder


def assemble(protocol: Protocol, parameters: Parameters) -> Session:
    """Put a session together. Raises ProtocolError where population and decoder do not fit."""
    task = registry.find("tasks", protocol.task.kind)
    effector = registry.find("effectors", protocol.effector.kind)
    population = registry.find("populations", protocol.population.kind)
    decoder = registry.find("decoders", protocol.decoder.kind)
    timing, seeds = protocol.timing, (protocol.seed,)
    units, reads = population.units(parameters.population), decoder.units(parameters.decoder)
    if reads is not None and reads != units:
        raise ProtocolError(f"decoder: reads {reads} units, but the population has {units}", "decoder")
    streams = population.streams(protocol.population, parameters.population)
    return Session(
        protocol,
        protocol.session,
        timing,
        units,
        task,
        task.plan(protocol.task, timing),
        open_streams(seeds, "task", task.streams(protocol.task)),
        effector,
        effector.plan(protocol.effector, timing),
        population,
        population.plan(protocol.population, timing),
        open_streams(seeds, "population", streams),
        decoder,
    )


def initial(session: Session, parameters: Parameters) -> SessionState:
    """The state before tick 0. Raises ProtocolError for a perturbation that this session cannot carry out."""
    waiting = []
    for index, spec in enumerate(session.protocol.perturbations):
        try:
            waiting.append(_begin(session, parameters, spec))
        except Refused as refusal:
            where = f"perturbations.{index} ({spec.name})"
            raise ProtocolError(f"{where}: {refusal}", where) from None
    progress = schedule.first(session.protocol.schedule)
    return _new_day(session, parameters, progress, 0, 0)._replace(perturbations=tuple(waiting))


def _new_day(session: Session, parameters: Parameters, progress: Progress, tick: int, trials: int) -> SessionState:
    """Everybody rested, the cursor in the centre, `trials` begun before."""
    effector = session.effector.init(session.effector_plan, 1)
    cursor = session.effector.cursor(session.effector_plan, effector)
    moment = Moment(tick, progress.day, 0, 0)
    return SessionState(
        tick=tick,
        progress=progress,
        parameters=parameters,
        task=session.task.init(session.task_plan, moment, trials),
        population=session.population.init(session.population_plan, parameters.population, cursor),
        decoder=session.decoder.init(parameters.decoder, 1),
        effector=effector,
        readout=Readout((), parameters.decoder),
        command=still(1),
        bin=(),
        perturbations=(),
        log=TrialLog(trials, -1, -1, ()),
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
    news: Messages = []
    if not tick:
        news.append(_day_message(session, progress, "block"))

    for given in inputs:
        state = _take(session, state, given, moment, news)
    perturbations = state.perturbations
    if perturbations:
        perturbations = _switched(perturbations, state, moment, news)
    on = _on(session, perturbations, tick) if perturbations else ()

    effector, decoder_state, held = state.effector, state.decoder, state.command
    cursor = session.effector.cursor(session.effector_plan, effector)
    x, y, _, _ = cursor[0].tolist()
    task, cue = session.task.step(session.task_plan, state.task, (x, y), moment, session.task_streams)
    if cue.recentre:
        effector = session.effector.init(session.effector_plan, 1)
        cursor = session.effector.cursor(session.effector_plan, effector)
        decoder_state, held = session.decoder.init(state.readout.parameters, 1), still(1)

    memories: dict[str, Any] = {}
    scene = Scene(cue.goal, cue.radius_m, cursor) if on else None
    seen = _perturbed("feedback", on, memories, cursor, scene) if on else cursor

    draws = Draws(session.population_streams, moment.day, moment.day_tick)
    population, rates, intent = session.population.rates(
        session.population_plan, state.parameters.population, state.population, cue, seen, moment, draws
    )
    if on:
        rates = _perturbed("neural", on, memories, rates, moment)
    counts = session.population.counts(session.population_plan, rates, draws)

    readout, bin_so_far = state.readout, (*state.bin, counts)
    decoded = held
    if len(bin_so_far) == session.timing.bin_ticks:
        readout = _readout(session, readout, on, state.parameters.decoder)
        summed, message = _close_bin(session, tick, bin_so_far)
        news.append(message)
        decoder_state, decoded = session.decoder.step(readout.parameters, decoder_state, summed, cursor[:, POSITION])
        bin_so_far, held = (), Command(decoded.velocity, None)

    command = _perturbed("cursor", on, memories, decoded, scene) if on else decoded
    effector = session.effector.step(session.effector_plan, effector, command)
    moved = session.effector.cursor(session.effector_plan, effector)

    log = state.log
    if cue.events or cue.trial != log.trial or on:
        log, progress = _follow_trial(session, state, cue, on, tick, news)
    if perturbations and memories:
        perturbations = tuple(p._replace(memory=memories.get(p.spec.name, p.memory)) for p in perturbations)

    news.insert(
        0,
        (
            "tick",
            {
                "s": session.name,
                "q": tick,
                "k": tick,
                "d": moment.day,
                "b": state.progress.block + 1,
                "r": cue.trial,
                "p": cue.phase,
                "t": None if cue.goal is None else cue.goal[0].tolist(),
                "c": moved[0].tolist(),
                "v": decoded.velocity[0].tolist(),
                "i": intent[0].tolist(),
            },
        ),
    )
    state = SessionState(
        tick + 1,
        progress,
        state.parameters,
        task,
        population,
        decoder_state,
        effector,
        readout,
        held,
        bin_so_far,
        perturbations,
        log,
        state.sequences,
    )
    if schedule.block_over(session.protocol.schedule, progress, tick + 1, session.timing.tick_s):
        state = _next_block(session, state, news)
    return _numbered(state, news, tick)


# --- inputs ---------------------------------------------------------------------------------------------------


def check(session: Session, state: SessionState, inputs: Iterable[Any]) -> None:
    """Raise Refused, with the reason, if `inputs` could not be consumed by the next step, in this order."""
    moment = Moment(state.tick, state.progress.day, state.tick - state.progress.day_tick, len(state.bin))
    for given in inputs:
        state = _take(session, state, given, moment, [])


def _take(session: Session, state: SessionState, given: Any, moment: Moment, news: Messages) -> SessionState:
    match given.op:
        case "task":
            if session.task.take is None:
                kind = session.protocol.task.kind
                raise Refused(f"a task of kind {kind!r} runs by itself and takes no events; use kind 'external'", "op")
            return state._replace(task=session.task.take(session.task_plan, state.task, given, moment))
        case "kinematics":
            if session.decoder.take is None:
                kind = session.protocol.decoder.kind
                raise Refused(f"a decoder of kind {kind!r} takes no kinematics; use kind 'external'", "op")
            return state._replace(decoder=session.decoder.take(state.decoder, given))
        case "perturb":
            return _add(session, state, given.perturbation, news)
        case "unperturb":
            return _remove(state, given.name, news)
        case "decoder":
            return _exchange(session, state, given.arrays, news)
    raise Refused(f"op {given.op!r} is unknown", "op")


def _host(session: Session, parameters: Parameters) -> Host:
    protocol = session.protocol
    return Host(
        session.units,
        session.population.drawn,
        session.decoder,
        parameters.decoder,
        session.timing,
        protocol.seed,
    )


def _begin(session: Session, parameters: Parameters, spec: Any) -> Perturbing:
    kind = registry.find("perturbations", spec.kind)
    return Perturbing(spec, -1, -1, kind.begin(spec, _host(session, parameters)))


def _add(session: Session, state: SessionState, fields: Mapping[str, Any], news: Messages) -> SessionState:
    from decoderd.protocol import parse_perturbation

    try:
        spec = parse_perturbation(fields)
    except ProtocolError as error:
        raise Refused(str(error), error.field) from None
    kept = tuple(p for p in state.perturbations if p.spec.name != spec.name or p.offset < 0)
    if any(p.spec.name == spec.name for p in kept):
        raise Refused(f"perturbation {spec.name!r} is there already: remove it first, or choose another name", "name")
    news.append(_perturbation_message(spec, "added"))
    return state._replace(perturbations=(*kept, _begin(session, state.parameters, spec)))


def _remove(state: SessionState, name: str, news: Messages) -> SessionState:
    kept = tuple(p for p in state.perturbations if p.spec.name != name)
    if len(kept) == len(state.perturbations):
        there = ", ".join(p.spec.name for p in kept) or "none"
        raise Refused(f"there is no perturbation {name!r}; there are: {there}", "name")
    gone = next(p for p in state.perturbations if p.spec.name == name)
    news.append(_perturbation_message(gone.spec, "removed"))
    return state._replace(perturbations=kept)


def _exchange(session: Session, state: SessionState, packed: Mapping[str, Any], news: Messages) -> SessionState:
    from decoderd.errors import ArrayError, NumericalError

    try:
        arrays = {name: np.frombuffer(array.data, dtype="<f8").reshape(array.shape) for name, array in packed.items()}
        parameters = session.decoder.load(arrays)
        session.decoder.step(
            parameters, session.decoder.init(parameters, 1), np.zeros((1, session.units)), np.zeros((1, 2))
        )
    except (ArrayError, NumericalError) as error:
        raise Refused(str(error), error.field) from None
    except ValueError as error:
        raise Refused(f"arrays: {error}", "arrays") from None
    new = state.parameters._replace(decoder=parameters)
    for p in state.perturbations:
        if p.offset < 0:
            _begin(session, new, p.spec)  # refuses if a perturbation under way would lose its footing
    news.append(("decoder", {"f": {name: list(array.shape) for name, array in arrays.items()}}))
    return state._replace(parameters=new, decoder=session.decoder.init(parameters, 1), readout=Readout((), parameters))


# --- perturbations --------------------------------------------------------------------------------------------


class On(NamedTuple):
    """A perturbation that is on at this tick."""

    kind: Any
    spec: Any
    amount: float
    memory: Any
    streams: Mapping[str, Stream]


def _switched(
    perturbations: tuple[Perturbing, ...], state: SessionState, moment: Moment, news: Messages
) -> tuple[Perturbing, ...]:
    """Bring those on and off whose moment has come."""
    begun = state.log.trial
    where = (moment.tick, moment.day, begun, begun - state.progress.day_trial)
    changed = []
    for p in perturbations:
        if p.onset < 0 and envelope.reached(p.spec.envelope.start, *where):
            p = p._replace(onset=moment.tick)
            news.append(_perturbation_message(p.spec, "on"))
        stop = envelope.stop_of(p.spec.envelope)
        if p.onset >= 0 and p.offset < 0 and stop is not None and envelope.reached(stop, *where):
            p = p._replace(offset=moment.tick)
            news.append(_perturbation_message(p.spec, "off"))
        changed.append(p)
    return tuple(changed)


def _on(session: Session, perturbations: tuple[Perturbing, ...], tick: int) -> tuple[On, ...]:
    found = []
    for p in perturbations:
        if p.onset >= 0 and p.offset < 0:
            kind = registry.find("perturbations", p.spec.kind)
            amount = envelope.amount(p.spec.envelope, tick - p.onset, session.timing.tick_s)
            found.append(On(kind, p.spec, amount, p.memory, _perturbation_streams(session, p.spec)))
    return tuple(found)


def _perturbation_streams(session: Session, spec: Any) -> Mapping[str, Stream]:
    return _opened(session.protocol.seed, session.units, session.population.drawn, session.timing, spec)


@lru_cache(maxsize=256)
def _opened(seed: int, units: int, drawn: bool, timing: Timing, spec: Any) -> Mapping[str, Stream]:
    kind = registry.find("perturbations", spec.kind)
    host = Host(units, drawn, None, None, timing, seed)
    return open_streams((seed,), f"perturbations/{spec.name}", kind.streams(spec, host))


def _perturbed(site: str, on: tuple[On, ...], memories: dict[str, Any], value: Any, context: Any) -> Any:
    """Send a value through the perturbations of one site, in the order in which they were added."""
    for p in on:
        if p.spec.site == site:
            rows = Draws(p.streams, context.day, context.day_tick) if site == "neural" else context
            memories[p.spec.name], value = p.kind.sites[site](p.spec, p.memory, p.amount, value, rows)
    return value


def _readout(session: Session, readout: Readout, on: tuple[On, ...], parameters: Any) -> Readout:
    """The decoder's parameters as perturbed now; worked out anew only when an amount has changed."""
    amounts = tuple((p.spec.name, p.amount) for p in on if p.spec.site == "readout")
    if amounts == readout.amounts:
        return readout
    for p in on:
        if p.spec.site == "readout":
            parameters = p.kind.sites["readout"](p.spec, p.memory, p.amount, session.decoder, parameters)
    return Readout(amounts, parameters)


# --- bookkeeping ----------------------------------------------------------------------------------------------


def _close_bin(session: Session, tick: int, collected: tuple[Any, ...]) -> tuple[Any, tuple[str, Payload]]:
    """Counts of the bin, (1, N) float64, and the message that carries them tick by tick."""
    stack = np.concatenate(collected)
    element = "<u2" if stack.dtype.kind == "u" else f"<f{stack.dtype.itemsize}"
    payload = {
        "k": tick,
        "n": list(stack.shape),
        "e": element,
        "y": stack.astype(element, copy=False).tobytes(),
    }
    return stack.sum(axis=0, keepdims=True, dtype=np.float64), ("counts", payload)


def _follow_trial(
    session: Session, state: SessionState, cue: Cue, on: tuple[On, ...], tick: int, news: Messages
) -> tuple[TrialLog, Progress]:
    log, progress = state.log, state.progress
    if cue.trial != log.trial:
        log = TrialLog(cue.trial, tick, -1, ())
    names = tuple(p.spec.name for p in on if p.spec.name not in log.names)
    if names:
        log = log._replace(names=log.names + names)
    goal = None if cue.goal is None else cue.goal[0].tolist()
    for event in cue.events:
        news.append(("task", {"r": cue.trial, "p": event.phase, "g": cue.target, "t": goal}))
        if event.phase == REACH:
            log = log._replace(go_tick=tick)
        if event.outcome is not None:
            news.append(_trial_message(state, cue.target, _target_of(state, cue), log, event.outcome))
            won = event.outcome == "success"
            progress = progress._replace(trials=progress.trials + 1, successes=progress.successes + won)
    return log, progress


def _target_of(state: SessionState, cue: Cue) -> list[float] | None:
    """Where the target of the trial now ending was, from the task's own state before this tick."""
    inner = getattr(state.task, "trial", state.task)
    goal = getattr(inner, "goal", None)
    return None if goal is None else goal[0].tolist()


def _trial_message(
    state: SessionState, target: int, place: list[float] | None, log: TrialLog, outcome: str
) -> tuple[str, Payload]:
    return (
        "trial",
        {
            "d": state.progress.day,
            "b": state.progress.block + 1,
            "r": log.trial,
            "g": target,
            "t": place,
            "a": log.start_tick,
            "o": log.go_tick,
            "x": outcome,
            "w": list(log.names),
        },
    )


def _perturbation_message(spec: Any, what: str) -> tuple[str, Payload]:
    return ("perturbation", {"w": spec.name, "x": what, "f": spec.model_dump(mode="json")})


def _day_message(session: Session, progress: Progress, what: str) -> tuple[str, Payload]:
    return (
        "day",
        {
            "d": progress.day,
            "b": progress.block + 1,
            "x": what,
            "w": session.protocol.schedule.blocks[progress.block].name,
            "n": progress.trials - progress.day_trial,
            "u": progress.successes - progress.day_successes,
        },
    )


def _next_block(session: Session, state: SessionState, news: Messages) -> SessionState:
    """Go on to the next block; at the end of a day, spend the night."""
    progress = schedule.following(session.protocol.schedule, state.progress, state.tick)
    if progress.day == state.progress.day and not progress.done:
        news.append(_day_message(session, progress, "block"))
        return state._replace(progress=progress)
    if state.bin:
        news.append(_close_bin(session, state.tick - 1, state.bin)[1])
    if state.log.trial > state.progress.trials:
        inner = getattr(state.task, "trial", state.task)
        news.append(_trial_message(state, inner.target, _target_of(state, None), state.log, "day_end"))
        ended = state.progress._replace(trials=state.progress.trials + 1)
        state = state._replace(progress=ended)
        progress = progress._replace(trials=ended.trials, day_trial=ended.trials, block_trial=ended.trials)
    news.append(_day_message(session, state.progress, "end"))
    if progress.done:
        return state._replace(progress=progress, bin=())
    seed = session.protocol.seed
    parameters = state.parameters._replace(
        population=session.population.overnight(
            session.protocol.population,
            state.parameters.population,
            generator(seed, "population/overnight", state.progress.day),
        )
    )
    fresh = _new_day(session, parameters, progress, state.tick, state.log.trial)
    news.append(_day_message(session, progress, "block"))
    return fresh._replace(perturbations=state.perturbations, readout=state.readout, sequences=state.sequences)


def _numbered(state: SessionState, news: Messages, tick: int) -> tuple[SessionState, Messages]:
    """Give every message but the tick its session, sequence number and tick."""
    if len(news) == 1:
        return state, news
    sequences = list(state.sequences)
    name = news[0][1]["s"]
    for index in range(1, len(news)):
        topic, payload = news[index]
        number = NUMBERED.index(topic)
        news[index] = (topic, {"s": name, "q": sequences[number], "k": tick, **payload})
        sequences[number] += 1
    return state._replace(sequences=tuple(sequences)), news
