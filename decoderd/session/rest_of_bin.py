"""The rest of a decoder's bin, computed at once where nothing but numbers changes in it.

Until a bin ends the command stays as it is, so the path of the cursor is known. The subject then follows it tick
by tick, and rates and counts of all ticks are one call each. Results are those of `session.step.advance`, to the
bit; the last tick is computed by its parts. Ticks with events, messages, plasticity, or perturbations of anything but
the readout are left to it altogether.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.errors import DecoderdError, NumericalError
from decoderd.populations import COUNTS, Spikes
from decoderd.rng import Draws
from decoderd.session import perturbing
from decoderd.session.assembly import Session
from decoderd.session.messages import Messages, tick_message
from decoderd.session.step import Driven, begin, move, silenced
from decoderd.state import BinCounts, Cue, SessionState, TimeIndex, time_index


class _Path(NamedTuple):
    """The effector before each of some ticks, and what is shown in all of them."""

    effectors: list[Any]
    cursors: list[Array]  # (1, 4)
    cue: Cue


def rest_of_bin(session: Session, state: SessionState) -> list[tuple[SessionState, Messages]]:
    """The ticks to the end of the bin, or to the first with more to change than numbers: state and messages of each.

    Empty where these are fewer than two. A tick that fails is not among them: by itself, it says what is wrong.
    """
    path = _path(session, state)
    if path is None:
        return []
    population, plan, parameters = session.population, session.population_plan, state.parameters.population
    assert population.successive is not None  # see `_path`
    time = time_index(state)
    draws = Draws(session.population_streams, time.day, time.day_tick)
    try:
        populations, rates, intents, counts = population.successive(
            plan, parameters, state.population, path.cue, np.concatenate(path.cursors), time, draws
        )
    except NumericalError:
        return []
    if counts[COUNTS].itemsize > 1:  # rates may be above the limit
        return []
    if state.parameters.lost is not None:
        counts = {channel: silenced(array, state.parameters.lost) for channel, array in counts.items()}
    ticks: list[Spikes] = [{name: array[k : k + 1] for name, array in counts.items()} for k in range(len(rates))]
    out: list[tuple[SessionState, Messages]] = []
    for k in range(len(rates) - 1):
        moved = path.cursors[k + 1].tolist()[0]
        message = tick_message(session.name, state, path.cue, moved, state.command, intents[k : k + 1])
        bin = BinCounts((*state.bin.ticks, ticks[k]), state.bin.total + ticks[k][session.channel])
        state = state._replace(tick=state.tick + 1, population=populations[k], effector=path.effectors[k + 1], bin=bin)
        out.append((state, [message]))
    begun = begin(session, state)
    last = Driven(begun, None, populations[-1], rates[-1:], intents[-1:], ticks[-1], ({}, {}), state.clipped)
    with suppress(DecoderdError):  # it comes again with the tick by itself, when that is due
        out.append(move(session, last))
    return out


def _path(session: Session, state: SessionState) -> _Path | None:
    """The path of the effector in the ticks to come; None for fewer than two."""
    progress, plan, time = state.progress, session.effector_plan, time_index(state)
    learns = session.rule is not None and session.protocol.schedule.blocks[progress.block].plasticity
    if session.population.successive is None or learns or state.clipped.unit_ticks or not state.tick:
        return None
    count, limit = session.timing.bin_ticks - time.bin_tick, session.blocks[progress.block].ticks
    if limit is not None:
        count = min(count, progress.block_tick + limit - time.tick)
    effector, effectors, cursors, shown = state.effector, [], [], None
    for k in range(count):
        if k:
            effector = session.effector.step(plan, effector, state.command)
        cursor = session.effector.cursor(plan, effector)
        now = TimeIndex(time.tick + k, time.day, time.day_tick + k, time.bin_tick + k)
        cue = _undisturbed(session, state, cursor, now)
        if cue is None:
            break
        effectors.append(effector)
        cursors.append(cursor)
        shown = cue
    return _Path(effectors, cursors, shown) if shown is not None and len(effectors) > 1 else None


def _undisturbed(session: Session, state: SessionState, cursor: Array, time: TimeIndex) -> Cue | None:
    """The cue of a tick in which task, trials and perturbations stay as they are; None for others.

    Perturbations that are on apply to the readout alone, which is used when the bin ends.
    """
    x, y, _, _ = cursor.tolist()[0]
    task, cue = session.task.step(session.task_plan, state.task, (x, y), time, session.task_streams)
    if task is not state.task or cue.events or cue.start is not None:
        return None
    if state.perturbations:
        messages: Messages = []
        _, active = perturbing.switch(session, state, time, cue.trial, messages)
        log = state.log
        noted = cue.trial != log.trial or all(one.name in log.names for one in active)
        if messages or not noted or any(one.site != "readout" for one in active):
            return None
    return cue
