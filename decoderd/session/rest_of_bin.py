"""The rest of a decoder's bin, computed at once where nothing but numbers changes in it.

Until a bin ends the command stays as it is, so the path of the cursor is known. The subject then follows it tick
by tick, and rates and counts of all ticks are one call each. Results are those of `session.step.advance`, to the
bit; the last tick is computed by its parts. Ticks with events, messages, plasticity, or perturbations of anything but
the readout are left to it altogether.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.errors import DecoderdError, NumericalError
from decoderd.populations import COUNTS, Spikes
from decoderd.rng import Draws
from decoderd.schedule import last_tick
from decoderd.session import steady, trials
from decoderd.session.assembly import Session
from decoderd.session.messages import Messages, later_tick_message, plain, tick_message
from decoderd.session.step import Begun, Driven, begin, move, silenced
from decoderd.state import BinCounts, Cue, SessionState, TimeIndex, time_index
from decoderd.tasks import Unchanged

# Places in the state of what changes within a bin: `_replace` takes three times as long as setting them.
_TICK, _POPULATION, _EFFECTOR, _BIN = map(SessionState._fields.index, ("tick", "population", "effector", "bin"))


class _Path(NamedTuple):
    """The effector before each of some ticks, what is shown in all of them, and when the first is."""

    effectors: Sequence[Any]
    cursors: Array  # (T, 4)
    moved: list[list[float]]  # cursors after each tick but the last
    cue: Cue
    time: TimeIndex


def rest_of_bin(session: Session, state: SessionState) -> list[tuple[SessionState, Messages]]:
    """The ticks to the end of the bin, or to the first with more to change than numbers: state and messages of each.

    Empty where these are fewer than two. A tick that fails is not among them: by itself, it says what is wrong.
    """
    path = _path(session, state)
    if path is None:
        return []
    population, plan, parameters = session.population, session.population_plan, state.parameters.population
    assert population.successive is not None  # see `_path`
    draws = Draws(session.population_streams, path.time.day, path.time.day_tick)
    try:
        populations, rates, intents, counts = population.successive(
            plan, parameters, state.population, path.cue, path.cursors, path.time, draws
        )
    except NumericalError:
        return []
    if counts[COUNTS].itemsize > 1:  # rates may be above the limit
        return []
    if state.parameters.lost is not None:
        counts = {channel: silenced(array, state.parameters.lost) for channel, array in counts.items()}
    ticks: list[Spikes] = [{name: array[k : k + 1] for name, array in counts.items()} for k in range(len(rates))]
    read = counts[session.channel].astype(np.float64)  # at once, since adding numbers of two types takes longer
    out: list[tuple[SessionState, Messages]] = []
    fields: list[Any] = list(state)
    goal, velocity = plain(path.cue.goal), plain(state.command.velocity)
    intended = intents[:-1].tolist()
    message = tick_message(session.name, state, path.cue, goal, path.moved[0], velocity, intended[0])
    for k, (moved, intent) in enumerate(zip(path.moved, intended, strict=True)):
        message = later_tick_message(message, state.tick, moved, intent)
        fields[_TICK], fields[_POPULATION], fields[_EFFECTOR] = state.tick + 1, populations[k], path.effectors[k + 1]
        fields[_BIN] = BinCounts((*state.bin.ticks, ticks[k]), state.bin.total + read[k : k + 1])
        state = SessionState._make(fields)
        out.append((state, [message]))
    begun = begin(session, state) if state.perturbations else _begun(state, path)
    last = Driven(begun, None, populations[-1], rates[-1:], intents[-1:], ticks[-1], ({}, {}), state.clipped)
    try:
        out.append(move(session, last))
    except DecoderdError:
        return out  # it comes again with the tick by itself, when that is due
    return out


def _begun(state: SessionState, path: _Path) -> Begun:
    """What `begin` gives for the last of the ticks, where there are neither events nor perturbations."""
    trial, task, command = trials.ongoing(state), state.task, state.command
    time, cursor = time_index(state), path.cursors[-1:]
    return Begun(state, time, [], None, task, path.cue, state.effector, cursor, state.decoder, command, (), (), trial)


def _path(session: Session, state: SessionState) -> _Path | None:
    """The path of the effector in the ticks to come; None for fewer than two."""
    task = session.task.unchanged
    if session.population.successive is None or task is None:
        return None
    if steady.more_than_numbers(session, state) or steady.learns(session, state):
        return None
    on, steady_until = steady.perturbations(session, state)
    if any(one.site != "readout" for one in on):
        return None
    time, progress = time_index(state), state.progress
    shown, last = task(session.task_plan, state.task, time), last_tick(session.blocks[progress.block], progress)
    count = min(steady.end_of_bin(session, state) + 1, shown.until, steady_until, last + 1) - time.tick
    if count < 2:
        return None
    effectors, cursors = _moved(session, state, count)
    points = cursors.tolist()
    if shown.inside is not None:
        count = _within(shown, points)
    return _Path(effectors, cursors[:count], points[1:count], shown.cue, time) if count > 1 else None


def _moved(session: Session, state: SessionState, count: int) -> tuple[Sequence[Any], Array]:
    """The effector, and the cursor (count, 4), before each of some ticks with the command of the last bin."""
    effector, plan = session.effector, session.effector_plan
    if effector.successive is not None:
        path = effector.successive(plan, state.effector, state.command.velocity, count - 1)
        return [path[k : k + 1] for k in range(count)], effector.cursor(plan, path)
    effectors = [state.effector]
    for _ in range(count - 1):
        effectors.append(effector.step(plan, effectors[-1], state.command))
    return effectors, np.concatenate([effector.cursor(plan, one) for one in effectors])


def _within(shown: Unchanged, cursors: list[list[float]]) -> int:
    """In how many ticks the cursor is where it has to be for the task to stay as it is."""
    assert shown.cue.goal is not None  # or it would not matter where the cursor is
    (gx, gy), radius_m = shown.cue.goal.tolist()[0], shown.cue.radius_m
    for k, (x, y, _, _) in enumerate(cursors):
        dx, dy = x - gx, y - gy
        if (dx * dx + dy * dy <= radius_m * radius_m) != shown.inside:
            return k
    return len(cursors)
