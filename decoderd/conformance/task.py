"""The contract of tasks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pytest

from decoderd.conformance.checks import ROUNDING, pure, restored, same, storable
from decoderd.conformance.component import TIMING, ComponentContract, valid_streams
from decoderd.errors import Refused
from decoderd.rng import open_streams
from decoderd.state import Cue, Event, TimeIndex
from decoderd.wire.inputs import TaskEvent


class Tick(NamedTuple):
    """One tick of a task."""

    cue: Cue
    state: Any
    outcome: str | None  # as the task reports it at the end of the tick

    def outcomes(self) -> list[str]:
        """Outcomes of the trials that ended at this tick."""
        return [outcome for outcome in (*(event.outcome for event in self.cue.events), self.outcome) if outcome]


class TaskContract(ComponentContract):
    """The tests of a task. Override `events` for a task that waits for events from outside."""

    family = "tasks"
    ticks = 3000  # enough for a cursor that goes straight to its goals to finish some trials

    def events(self, tick: int) -> Iterable[TaskEvent]:
        """What arrives from outside at this tick."""
        return ()

    def run(self, trials: int = 0, first_tick: int = 0, ticks: int | None = None, again: bool = False) -> list[Tick]:
        """A day with a cursor that goes to its goal at 0.5 m/s; `again`: restored from a checkpoint each tick."""
        plan = self.component.plan(self.config(), TIMING)
        streams = open_streams((1,), "task", self.component.streams(self.config()))
        state = self.component.init(plan, TimeIndex(first_tick, 1, 0, 0), trials)
        x = y = 0.0
        out = []
        for day_tick in range(ticks or self.ticks):
            now = TimeIndex(first_tick + day_tick, 1, day_tick, day_tick % TIMING.bin_ticks)
            if again:
                state = restored(state)
            for event in self.events(day_tick):
                state = self.component.take(plan, state, event, now)
            state, cue = self.component.step(plan, state, (x, y), now, streams)
            if cue.start is not None:
                x, y = cue.start[0].tolist()
            if cue.goal is not None:
                (gx, gy), step = cue.goal[0].tolist(), 0.5 * TIMING.tick_s
                part = min(1.0, step / max(math.hypot(gx - x, gy - y), 1e-9))
                x, y = x + part * (gx - x), y + part * (gy - y)
            outcome = None
            if self.component.outcome is not None:
                outcome = self.component.outcome(plan, state, (x, y), now)
            out.append(Tick(cue, state, outcome))
        return out

    def test_cues_are_well_formed(self) -> None:
        for cue, state, outcome in self.run(ticks=500):
            storable(state)
            assert outcome is None or type(outcome) is str
            assert isinstance(cue, Cue)
            if cue.goal is not None:
                assert cue.goal.shape == (1, 2)
                assert np.isfinite(cue.goal).all()
                assert cue.radius_m >= 0
            for number in (cue.phase, cue.target, cue.trial):
                assert type(number) is int, "numbers of a cue go on the wire: plain int"
            if cue.start is not None:
                assert cue.start.shape == (1, 2)
                assert np.isfinite(cue.start).all()
            assert all(isinstance(event, Event) and type(event.phase) is int for event in cue.events)
            if cue.events:
                assert cue.events[-1].phase == cue.phase

    def test_trials_are_counted_and_each_has_one_outcome(self) -> None:
        trial, open_trials = 5, 0
        for tick in self.run(trials=5):
            cue = tick.cue
            assert trial <= cue.trial <= trial + 1
            open_trials += cue.trial - trial - len(tick.outcomes())
            assert open_trials in (0, 1), f"trial {cue.trial}: {open_trials} trials are under way"
            trial = cue.trial
        assert trial >= 5 + 2

    def test_a_cursor_that_goes_straight_to_its_goals_succeeds(self) -> None:
        assert "success" in [outcome for tick in self.run() for outcome in tick.outcomes()]

    def test_trials_start_within_the_declared_places(self) -> None:
        outermost = 0.0
        if self.component.starts is not None:
            places = pure(self.component.starts, self.config())
            assert places.ndim == 2
            assert places.shape[1] == 2
            outermost = np.hypot(*places.T).max()
        for tick in self.run(ticks=1000):
            assert tick.cue.start is None or np.hypot(*tick.cue.start[0]) <= outermost + ROUNDING

    def test_steps_are_pure(self) -> None:
        plan = pure(self.component.plan, self.config(), TIMING)
        valid_streams(pure(self.component.streams, self.config()))
        streams = open_streams((1,), "task", self.component.streams(self.config()))
        state = pure(self.component.init, plan, TimeIndex(0, 1, 0, 0), 0)
        for tick in range(300):
            now = TimeIndex(tick, 1, tick, 0)
            for event in self.events(tick):
                state = pure(self.component.take, plan, state, event, now)
            state, _ = pure(self.component.step, plan, state, (0.0, 0.0), now, streams)
            if self.component.outcome is not None:
                pure(self.component.outcome, plan, state, (0.0, 0.0), now)

    def test_a_resumed_task_goes_on_the_same(self) -> None:
        same(tuple(self.run(ticks=600)), tuple(self.run(ticks=600, again=True)))

    def test_a_day_does_not_depend_on_earlier_ones(self) -> None:
        """Only ticks and trial numbers are shifted: random rows are chosen by day and trial of the day."""
        for one, later in zip(self.run(), self.run(trials=17, first_tick=10_007), strict=True):
            same(one.cue._replace(trial=one.cue.trial + 17), later.cue, where="cue")

    def test_events_from_outside(self) -> None:
        if self.component.take is None:
            pytest.skip("this kind takes no events")
        plan = self.component.plan(self.config(), TIMING)
        now = TimeIndex(0, 1, 0, 0)
        start, go, end = (TaskEvent.model_validate({"event": name}) for name in ("start", "go", "end"))
        resting = self.component.init(plan, now, 0)
        for event in (go, end):
            with pytest.raises(Refused):
                self.component.take(plan, resting, event, now)
        begun = pure(self.component.take, plan, resting, start, now)
        with pytest.raises(Refused):
            self.component.take(plan, begun, start, now)
        storable(begun)
