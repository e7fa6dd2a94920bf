"""Sessions side by side: quiet ticks of all of them at once, every other tick by `session.step`.

    cursor of every session -> which sessions have a tick that is not quiet?
        of those: events (`batch.events`), after which the tick is quiet; or
                  their states from the rows, `step.advance`, and back into the rows
    all others: population -> decoder at the end of a bin -> effector, on rows of arrays

The functions of population, decoder, effector and perturbations are those that `session.step` calls. Sessions are in
the same tick of a bin: one whose day ended within a bin waits until the next bin begins. The numbers of a session are
those that it has by itself, to the bit. Where population or decoder compute no ticks of many sessions, every tick is
computed by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd import registry, rows
from decoderd.arrays import Array
from decoderd.batch.events import events
from decoderd.batch.gathering import Bin, Bins, Shown, gathered
from decoderd.batch.perturbed import Perturbed
from decoderd.batch.quiet import Quiet, coming, restless
from decoderd.batch.quiet_tick import Numbers, QuietTick, quiet_tick
from decoderd.batch.tables import FromTable, OfAllSessions, Table
from decoderd.batch.traces import Traces
from decoderd.errors import DecoderdError, NumericalError, ProtocolError
from decoderd.populations import COUNTS
from decoderd.protocol.protocol import Protocol
from decoderd.rng import Draws
from decoderd.session.assembly import Session, Updates
from decoderd.session.messages import Messages
from decoderd.session.step import advance
from decoderd.state import EMPTY_BIN, POSITION, BinCounts, Command, SessionState
from decoderd.wire.messages import Counts

# Called with the number of a session and the messages of one of its ticks, but for those of the tick and its counts.
OnMessages = Callable[[int, Messages], None]

# Turns that are never reached.
FAR = 2**62


def check(protocol: Protocol) -> None:
    """Raise ProtocolError, with the reason, for a protocol whose sessions cannot be computed beside one another."""
    one: Any = protocol
    outside = "what happens next is decided outside; run such sessions one by one"
    if registry.find("tasks", one.task.kind).take is not None:
        raise ProtocolError(f"task.kind = {one.task.kind!r}: {outside}", "task.kind")
    if getattr(getattr(one.population, "subject", None), "intent", "") == "external":
        raise ProtocolError(f"population.subject.intent = 'external': {outside}", "population.subject.intent")
    if registry.find("decoders", one.decoder.kind).take is not None:
        raise ProtocolError(f"decoder.kind = {one.decoder.kind!r}: {outside}", "decoder.kind")


class SideBySide:
    """S sessions of one protocol, each with its own seed, from their first tick on.

    `states` are those of the last tick that was not quiet, `errors` what ended some before their time, by their number.
    Raises ProtocolError for sessions that cannot be computed beside one another.
    """

    def __init__(
        self, sessions: Sequence[Session], states: Sequence[SessionState], on_messages: OnMessages = lambda s, ms: None
    ) -> None:
        check(sessions[0].protocol)
        one, number = sessions[0], len(sessions)
        self._one, self._on_messages = one, on_messages
        self._tables = {
            name: Table([session.population_streams[name] for session in sessions]) for name in one.population_streams
        }
        self._draws = Draws(
            {name: OfAllSessions(table, one.population_streams[name]) for name, table in self._tables.items()}, -1, -1
        )
        self._sessions = [self._with_tables(s, session) for s, session in enumerate(sessions)]
        self.states, self.errors = list(states), dict[int, DecoderdError]()
        self._turn, self._bin_tick, self._turn_of = 0, 0, [0] * number
        self._quiet = [coming(session, state, 0) for session, state in zip(sessions, states, strict=True)]
        self._runs = np.ones(number, bool)  # neither over, nor waiting for a bin to begin
        self._waiting: list[int] = []
        # The goal that the cursor enters or leaves with a tick that is not quiet: NaN where there is none.
        self._circle, self._radius2, self._inside = (
            np.full((number, 2), np.nan),
            np.zeros(number),
            np.zeros(number, bool),
        )
        self._until = np.zeros(number, np.int64)  # the turn from which a session's ticks are not quiet
        self._shown = Shown(np.full((number, 2), np.nan), np.zeros(number), np.zeros(number, np.int64))
        self._perturbed, self._bins = Perturbed([p.name for p in one.protocol.perturbations]), Bins(number)
        self._traces = Traces(one.rule, number)
        # Whether quiet ticks are computed at once; their numbers, None before a session comes to the first of them.
        self._at_once = one.population.side_by_side is not None and one.decoder.side_by_side is not None
        self._numbers: Numbers | None = None
        # The parameters of each session, and those of its readout as perturbed, that are in the rows.
        self._placed: list[tuple[Any, Any]] = [(None, None)] * number
        self._counts: list[dict[str, NDArray[Any]]] = []  # of the ticks of the bin, (S, N) by channel
        for s in range(number):
            self._place(s)

    def _with_tables(self, s: int, session: Session) -> Session:
        streams = session.population_streams.items()
        return session._replace(
            population_streams={name: FromTable(self._tables[name], s, stream) for name, stream in streams}
        )

    def _empty(self, state: SessionState) -> Numbers:
        """Rows for all sessions, like the numbers of one of them."""
        number, parameters, reads = len(self.states), state.parameters, state.parameters.readouts
        population, decoder = self._one.population.side_by_side, self._one.decoder.side_by_side
        assert population is not None  # see `_place`
        assert decoder is not None
        return Numbers(
            parameters=rows.empty(rows.as_row(parameters.population), number),
            population=rows.empty(population.state(state.population), number),
            readout=rows.empty(decoder.parameters(state.readout.parameters), number),
            decoder=rows.empty(decoder.state(state.decoder), number),
            effector=rows.empty(state.effector, number),
            velocity=np.zeros((number, 2)),
            total=np.zeros((number, self._one.units)),
            reads=None if reads is None else np.zeros((number, len(reads)), reads.dtype),
            lost=None,
        )

    @property
    def over(self) -> bool:
        """Whether all sessions are over."""
        return not self._runs.any() and not self._waiting

    @property
    def _ends_bin(self) -> bool:
        """Whether the next tick ends a bin."""
        return self._bin_tick == self._one.timing.bin_ticks - 1

    def turn(self) -> None:
        """Compute a tick of every session that is not over."""
        numbers, one = self._numbers, self._one
        cursor: Array = np.empty(0)
        if numbers is None:
            alone = self._runs.copy()
        else:
            cursor = one.effector.cursor(one.effector_plan, numbers.effector)
            alone = self._not_quiet(cursor)
        happened = self._events(alone)
        tick = self._quiet_tick(numbers, cursor) if numbers is not None and (self._runs > alone).any() else None
        alone = self._runs if tick is None else alone | (self._beyond_limit(tick) & self._runs)
        for s, (before, messages) in happened.items():
            if alone[s]:
                self.states[s] = before
            else:
                self._on_messages(s, messages)
        after = [(s, self._by_itself(s)) for s in np.flatnonzero(alone).tolist()]
        self._go_on(tick)
        for s, state in after:
            if state is not None:
                self._settle(s, state)
        if self._traces.full:
            self._take_traces()
        if self._bin_tick == 0:
            self._begin_bin()

    def _not_quiet(self, cursor: Array) -> Any:
        """(S,): whether the next tick of a session is not quiet."""
        away = cursor[:, POSITION] - self._circle
        away *= away
        inside = away[:, 0] + away[:, 1] <= self._radius2
        return ((inside != self._inside) | (self._until <= self._turn)) & self._runs

    def _events(self, alone: NDArray[np.bool_]) -> dict[int, tuple[SessionState, Messages]]:
        """The state before the events, and their messages, of sessions whose tick has become a quiet one by them.

        `alone` (S,) says whose tick is not quiet, and is changed.
        """
        found = {}
        for s in np.flatnonzero(alone).tolist():
            state, session, numbers = self.states[s], self._sessions[s], self._numbers
            if numbers is None or restless(session, state):
                continue
            self._bins.interrupt(s, self._quiet[s])
            now = state._replace(
                tick=state.tick + self._turn - self._turn_of[s],
                effector=rows.row(numbers.effector, s),
                bin=BinCounts(tuple(self._counts), EMPTY_BIN.total),
            )
            done = events(session, now, self._bins.waiting(s))
            if done is None:
                continue
            alone[s] = False
            found[s] = state, done.messages
            self.states[s] = done.state._replace(tick=state.tick, effector=state.effector, bin=state.bin)
            self._await(s, done.quiet, now.tick)
        return found

    def _quiet_tick(self, numbers: Numbers, cursor: Array) -> QuietTick | None:
        """A quiet tick of all sessions; None if one has an error: by itself, each shows whether it is the one."""
        try:
            return quiet_tick(self._one, numbers, cursor, self._shown, self._perturbed, self._draws, self._bin_tick)
        except NumericalError:
            return None

    def _beyond_limit(self, tick: QuietTick) -> Any:
        """(S,): whether a rate is above the limit of the population, or is no number."""
        if tick.counts[COUNTS].itemsize == 1:
            return np.zeros(len(self.states), bool)
        return ~(np.einsum("si,si->s", tick.rates, tick.rates) <= self._one.limit_hz**2)

    def _by_itself(self, s: int) -> SessionState | None:
        """The state of a session after its next tick, computed by `advance`; None if an error has ended it."""
        try:
            before = self.state(s) if self._ends_bin else self._with_numbers(s)
            state, messages = advance(self._sessions[s], before)
        except DecoderdError as error:
            self.errors[s], self._runs[s] = error, False
            self._bins.begin(s)
            return None
        self._on_messages(s, [one for one in messages[1:] if one[0] != Counts.topic])
        return state

    def state(self, s: int) -> SessionState:
        """The present state of a session, as the session by itself would have it."""
        return self._with_numbers(s)._replace(updater=self._observed(s))

    def _observed(self, s: int) -> Any:
        """The present state of a session's updater."""
        present = self._quiet[s] if self._runs[s] else None
        return self._bins.observed(s, self._sessions[s], self.states[s], present)

    def _with_numbers(self, s: int) -> SessionState:
        """The present state of a session but for bins that its updater has not observed."""
        state, numbers = self.states[s], self._numbers
        population, decoder = self._one.population.side_by_side, self._one.decoder.side_by_side
        passed = self._turn - self._turn_of[s]
        if not passed or not self._runs[s] or numbers is None or population is None or decoder is None:
            return state
        ticks = tuple(rows.row(tick, s) for tick in self._counts)
        return state._replace(
            tick=state.tick + passed,
            population=population.from_arrays(rows.row(numbers.population, s)),
            decoder=decoder.from_arrays(rows.row(numbers.decoder, s)),
            effector=rows.row(numbers.effector, s),
            command=Command(rows.row(numbers.velocity, s), None),
            bin=BinCounts(ticks, rows.row(numbers.total, s)) if ticks else EMPTY_BIN,
            trace=self._traces.of(s, self._sessions[s], state),
        )

    def _go_on(self, tick: QuietTick | None) -> None:
        """Take the numbers of a tick; None if every session was computed by itself."""
        bin_ends = self._ends_bin
        self._traces.add(self._numbers, tick, self._shown)
        if tick is not None:
            self._numbers = tick.numbers
            self._counts.append(dict(tick.counts))
        elif self._at_once:
            zeros = np.zeros((len(self.states), self._one.units), np.uint8)
            self._counts.append({channel: zeros.copy() for channel in self._one.population.channels})
        if bin_ends and self._one.updates is not None:
            # Of every session the same bins are observed at once, so that sums have the same order.
            self._bins.add(None if tick is None else self._bin(tick, self._one.updates))
        self._turn += 1
        self._bin_tick = 0 if bin_ends else self._bin_tick + 1
        for table in self._tables.values():
            table.go_on()

    def _bin(self, tick: QuietTick, updates: Updates) -> Bin:
        """The bin that ends with a quiet tick."""
        assert tick.read is not None  # it was decoded
        return gathered(updates, tick.read, tick.numbers.velocity, tick.cursor[:, POSITION], self._shown)

    def _settle(self, s: int, state: SessionState) -> None:
        """Take the state of a session after a tick that was computed by itself."""
        before, self.states[s] = self.states[s], state
        if self._bin_tick == 0 or _gathered(before) is not _gathered(state):
            self._bins.begin(s)  # observed with the bin that has ended, or forgotten with another decoder
        else:
            self._bins.interrupt(s, self._quiet[s])
        if state.progress.done:
            self._runs[s] = False
            self.states[s] = self.state(s)
            self._bins.begin(s)
        elif len(state.bin.ticks) != self._bin_tick:
            self._runs[s] = False
            self._waiting.append(s)
        else:
            self._place(s)

    def _take_traces(self) -> None:
        """Put the quiet ticks of trials into the states of the sessions, before they become many."""
        for s in np.flatnonzero(self._runs).tolist():
            self.states[s] = self.states[s]._replace(trace=self._traces.of(s, self._sessions[s], self.states[s]))
        self._traces.drop()

    def _begin_bin(self) -> None:
        """What is done between two bins: waiting sessions go on, and updaters observe bins before they become many."""
        self._counts = []
        if self._bins.full:
            for s in [*np.flatnonzero(self._runs).tolist(), *self._waiting]:
                self.states[s] = self.states[s]._replace(updater=self._observed(s))
                self._bins.begin(s)
            self._bins.drop()
        for s in self._waiting:
            self._runs[s] = True
            self._place(s)
        self._waiting = []

    def _place(self, s: int) -> None:
        """Go on with a session from its present state, whose numbers are put into the rows."""
        state, session = self.states[s], self._sessions[s]
        if self._at_once:
            if state.bin.ticks:
                for channel, counts in state.bin.ticks[-1].items():
                    self._put_counts(s, channel, counts)
            if not restless(session, state):  # before the first tick of a day, a population may have no numbers yet
                self._place_numbers(s, state)
        self._turn_of[s] = self._turn
        self._bins.go_on(s)
        self._traces.begin(s)
        for table in self._tables.values():
            table.go_to(s, state.progress.day, state.tick - state.progress.day_tick)
        self._await(s, coming(session, state, self._bins.waiting(s)), state.tick)

    def _place_numbers(self, s: int, state: SessionState) -> None:
        """Put the numbers of a session into the rows."""
        population, decoder = self._one.population.side_by_side, self._one.decoder.side_by_side
        assert population is not None  # see `_at_once`
        assert decoder is not None
        numbers = self._numbers = self._numbers or self._empty(state)
        rows.put(numbers.population, s, population.state(state.population))
        rows.put(numbers.decoder, s, decoder.state(state.decoder))
        rows.put(numbers.effector, s, state.effector)
        rows.put(numbers.velocity, s, state.command.velocity)
        if state.bin.ticks:
            rows.put(numbers.total, s, state.bin.total)
        parameters, readout = self._placed[s]
        if parameters is not state.parameters:
            self._place_parameters(s, state, numbers)
        if readout is not state.readout.parameters:
            rows.put(numbers.readout, s, decoder.parameters(state.readout.parameters))
        self._placed[s] = state.parameters, state.readout.parameters

    def _place_parameters(self, s: int, state: SessionState, numbers: Numbers) -> None:
        rows.put(numbers.parameters, s, rows.as_row(state.parameters.population))
        if numbers.reads is not None and state.parameters.readouts is not None:
            numbers.reads[s] = state.parameters.readouts
        if state.parameters.lost is not None:
            if numbers.lost is None:
                lost = np.zeros((len(self.states), self._one.units), bool)
                self._numbers = numbers = numbers._replace(lost=lost)
            assert numbers.lost is not None  # made above
            numbers.lost[s] = _lost(state, self._one.units)

    def _put_counts(self, s: int, channel: str, counts: NDArray[Any]) -> None:
        """Put the counts of a session's last tick beside those of the others."""
        tick = self._counts[-1]
        if tick[channel].dtype != counts.dtype:
            tick[channel] = tick[channel].astype(np.result_type(tick[channel], counts))
        tick[channel][s] = counts[0]

    def _await(self, s: int, quiet: Quiet, tick: int) -> None:
        """Note until when the ticks of a session are quiet, from its tick `tick` on."""
        self._quiet[s] = quiet
        self._until[s] = self._turn + min(quiet.until - tick, FAR)
        (goal, radius_m, phase), shown = quiet.cue[:3], self._shown
        shown.goal[s] = np.nan if goal is None else goal[0]
        shown.radius_m[s], shown.phase[s] = radius_m, phase
        watched = goal is not None and quiet.inside is not None
        self._circle[s] = shown.goal[s] if watched else np.nan
        self._radius2[s], self._inside[s] = radius_m * radius_m, bool(quiet.inside) and watched
        self._perturbed.place(s, quiet.active, 0.0 if goal is None else radius_m)


def _gathered(state: SessionState) -> Any:
    """What the updater has gathered; None without one."""
    return None if state.updater is None else state.updater.gathered


def _lost(state: SessionState, units: int) -> NDArray[np.bool_]:
    """(N,): whether each unit is no longer recorded."""
    lost = np.zeros(units, bool)
    if state.parameters.lost is not None:
        lost[state.parameters.lost] = True
    return lost
