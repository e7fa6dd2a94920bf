"""The days of a batch of sessions: each run as a whole, and as measures read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd import registry
from decoderd.arrays import Array
from decoderd.populations import Spikes
from decoderd.recording.reader import TRIAL_TYPES
from decoderd.rollout import gradients
from decoderd.rollout.adjoint import Trajectory
from decoderd.rollout.rollout import run
from decoderd.schedule import Block
from decoderd.studies import session_batch
from decoderd.studies.measures import Day
from decoderd.studies.session_batch import SessionBatch, TrialDraws

# Called after trials that were computed together, with their block, what they were given, what they did, and the counts
# (S, B, N) of each tick.
Observe = Callable[[Block, TrialDraws, Trajectory, Sequence[Array]], None]


def run_day(batch: SessionBatch, day: int, observe: Observe) -> tuple[SessionBatch, Array]:
    """Run a day; returns the batch at its end, before the night, and the losses (S, U) of its updates."""
    protocol, kind = batch.protocol, batch.loop.population
    assert kind.plastic is not None  # see `session_batch.make_batch`
    rule: Any = registry.find("plasticity", protocol.plasticity.kind)
    config: Any = protocol.plasticity
    fields = tuple(kind.plastic.fields[part] for part in config.plastic)
    values = {field: getattr(batch.population, field) for field in fields}
    state = rule.init(config, values, batch.task_plan.targets, (len(batch.seed_index),))
    begun, losses = 0, []
    for block in session_batch.blocks_of_day(protocol, day):
        steps, rest = session_batch.batched_decoder_steps(batch), session_batch.initial_decoder_states(batch)
        at_once = config.trials_per_update if block.plasticity else block.trials
        for _ in range(block.trials // at_once):
            given = session_batch.draw_trials(batch, day, begun, at_once)
            spikes: list[Spikes] = []
            trajectory = run(batch.loop, batch.population, steps, rest, given.reaches, given.tables, spikes)
            counts_by_tick = [tick[batch.loop.channel] for tick in spikes]
            begun += at_once
            if block.plasticity:
                trial_batch = gradients.trial_batch(
                    batch.loop, batch.population, trajectory, config.objective, rule.learns_from, fields, given.targets
                )
                state, values = rule.learn(config, state, values, trial_batch)
                batch = batch._replace(population=batch.population._replace(**values))
                losses.append(trial_batch.losses.mean(axis=-1))
            observe(block, given, trajectory, counts_by_tick)
        if session_batch.updates_decoders(batch, block, day):
            batch = session_batch.update_decoders(batch, given, trajectory, counts_by_tick)
    none = np.zeros((len(batch.seed_index), 0))
    return batch, np.stack(losses, axis=-1) if losses else none


class DayTrials:
    """The trials of one day of all sessions of a batch, as they come."""

    def __init__(self, batch: SessionBatch, day: int, first_trial: int, first_tick: int, with_counts: bool) -> None:
        self._batch, self._day = batch, day
        self._trial, self._tick = first_trial, first_tick  # the next ones
        self._with_counts = with_counts
        self._rows: list[list[tuple[Any, ...]]] = [[] for _ in batch.seed_index]
        self._counts: list[list[NDArray[Any]]] = [[] for _ in batch.seed_index]

    @property
    def next(self) -> tuple[int, int]:
        """Numbers of the trial and of the tick that follow."""
        return self._trial, self._tick

    def observe(self, block: Block, given: TrialDraws, trajectory: Trajectory, counts: Sequence[Array]) -> None:
        """Take the trials that were computed together."""
        plan, number = self._batch.task_plan, len(given.targets)
        place = 1 + self._batch.protocol.schedule.blocks.index(block)
        away = np.linalg.norm(trajectory.cursors[-1, ..., :2] - trajectory.goal, axis=-1)  # (S, B)
        go = self._tick + plan.rest + (plan.rest + plan.reach) * np.arange(number)
        for s, rows in enumerate(self._rows):
            for k, target in enumerate(given.targets.tolist()):
                x, y = plan.places[target].tolist()
                outcome = "success" if away[s, k] <= plan.radius_m else "missed"
                at = int(go[k])
                ticks = (at, at, at + plan.reach - 1)
                rows.append((self._trial + k, self._day, place, target, x + 0.0, y + 0.0, *ticks, outcome, ()))
        if self._with_counts:
            stacked = np.stack(counts[:-1])  # (ticks, S, B, N); the last tick is that of the trial's end
            for s, read in enumerate(self._batch.readouts):
                self._counts[s] += list(np.moveaxis(stacked[:, s][..., read], 1, 0))
        self._trial, self._tick = self._trial + number, self._tick + number * (plan.rest + plan.reach)

    def days(self, losses: Array) -> list[Day]:
        """The day of each session, with the losses (S, U) of its updates."""
        protocols = [
            self._batch.protocol.model_copy(update={"seed": self._batch.seeds[place]})
            for place in self._batch.seed_index
        ]
        return [
            Day(protocol, self._day, np.array(rows, dtype=TRIAL_TYPES), losses[s], self._counts[s])
            for s, (protocol, rows) in enumerate(zip(protocols, self._rows, strict=True))
        ]
