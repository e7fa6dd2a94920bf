"""Pretraining: before brain control, a population learns to reach with an arm (manual control).

Its motor weights drive the arm directly, and a rule of plasticity trains it on reaches to the targets in turn. The
result is stored in the user's cache, so that the same population is trained only once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from decoderd import registry
from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import ticks
from decoderd.decoders import AffineStep, CalibrationData
from decoderd.errors import ProtocolError
from decoderd.populations import COUNTS, Population, Spikes
from decoderd.preparation import cache
from decoderd.protocol.pretraining import Pretraining
from decoderd.rng import open_streams
from decoderd.rollout.adjoint import Loop, Trajectory
from decoderd.rollout.gradients import trial_batch
from decoderd.rollout.rollout import run
from decoderd.state import POSITION, VELOCITY, Reaches, Timing

# Updates between two states that are written to the cache, from which interrupted pretraining continues.
KEEP_EVERY = 5000


class Pretrained(NamedTuple):
    """A trained population (or several, with an axis of seeds in front), and its losses."""

    population: Any
    losses: Array  # (updates,) mean over the targets


@stored("pretraining.training_state")
class TrainingState(NamedTuple):
    """Populations in training, with an axis of seeds in front."""

    updates: int  # done
    population: Any
    plasticity: Any  # the rule's state
    losses: Array  # (seeds, updates)


class ManualControl(NamedTuple):
    """Reaches of one or many populations that control an arm by their motor weights."""

    loop: Loop
    steps: list[AffineStep]
    reaches: Reaches


OnProgress = Callable[[int], None]


def places(targets: int, distance_m: float) -> Array:
    """Places of the targets, (targets, 2) in m: target k lies at angle 2 pi k / targets."""
    angle = 2 * np.pi * np.arange(targets) / targets
    return distance_m * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def manual(
    settings: Pretraining, kind: Population, config: Any, population: Any, timing: Timing, trials: int
) -> ManualControl:
    """Manual control in `trials` reaches to the targets in turn, by populations with an axis of seeds in front.

    Raises ProtocolError for a kind of population that cannot move an arm.
    """
    if kind.manual is None or kind.plastic is None:
        raise ProtocolError(f"pretraining: a population of kind {config.kind!r} cannot move an arm", "pretraining")
    timing = Timing(timing.tick_s, 1)
    plan, V = kind.manual(kind.plan(config, timing), population)
    effector: Any = registry.find("effectors", settings.effector.kind)
    loop = Loop(kind, plan, effector, effector.plan(settings.effector, timing), timing.tick_s, slice(None))
    length = ticks(settings.reach_s, timing.tick_s)
    goal = places(settings.targets, settings.distance_m)[np.arange(trials) % settings.targets]
    goal = np.broadcast_to(goal, (len(V), *goal.shape))
    step = AffineStep(np.zeros((2, 2)), None, V, np.zeros(2), np.eye(2))
    reaches = Reaches(np.zeros_like(goal), goal, length, ticks(settings.hold_s, timing.tick_s))
    return ManualControl(loop, [step] * length, reaches)


def reach(
    control: ManualControl, population: Any, draws: TrialStreams, first: int, fired: list[Spikes] | None = None
) -> Trajectory:
    """Run reaches of manual control with the random numbers of the trials from `first` on; `fired` as in `run`."""
    rest = np.zeros((len(control.reaches.goal), 2))
    tables = draws.tables(first, control.reaches.goal.shape[1], control.reaches.ticks)
    return run(control.loop, population, control.steps, rest, control.reaches, tables, fired)


class TrialStreams:
    """Random numbers of manual trials: in a population's streams, the rows of trial i follow those of trial i - 1."""

    def __init__(
        self, name: str, seeds: tuple[int, ...], kind: Population, plan: Any, population: Any, day: int = 0
    ) -> None:
        self._day = day
        one = type(population)(*(field[0] for field in population))
        self._streams = open_streams(seeds, name, kind.streams(plan, one))
        self._at_start = () if kind.plastic is None else kind.plastic.at_start

    def tables(self, first: int, trials: int, ticks: int) -> dict[str, Array]:
        """{stream: (ticks, seeds, trials, width)} from trial `first` on; (1, ...) for those read as a trial starts."""
        out = {}
        for name, stream in self._streams.items():
            if name in self._at_start:
                out[name] = stream.scattered(self._day, range(first * ticks, (first + trials) * ticks, ticks))
                out[name] = out[name].swapaxes(0, 1)[np.newaxis]
            else:
                rows = stream.rows(self._day, first * ticks, trials * ticks).swapaxes(0, 1)
                out[name] = np.moveaxis(rows.reshape(len(rows), trials, ticks, -1), 2, 0)
        return out


def train(
    settings: Pretraining,
    kind: Population,
    config: Any,
    population: Any,
    timing: Timing,
    seeds: tuple[int, ...],
    on_progress: OnProgress = lambda updates: None,
    resume_from: TrainingState | None = None,
    on_state: Callable[[TrainingState], None] = lambda training: None,
) -> Pretrained:
    """Train populations, their parameters with an axis of seeds in front.

    `on_progress(updates)` is called after every update, `on_state(state)` every `KEEP_EVERY` updates. Training that
    resumes from such a state has the result of training that was not interrupted.
    """
    control = manual(settings, kind, config, population, timing, settings.targets)
    assert kind.plastic is not None  # `manual` has checked it
    rule: Any = registry.find("plasticity", settings.plasticity.kind)
    learning: Any = settings.plasticity
    learning = learning.model_copy(update={"trials_per_update": settings.targets})
    fields = tuple(kind.plastic.fields[part] for part in learning.plastic)
    draws = TrialStreams("pretraining", seeds, kind, control.loop.population_plan, population)
    targets = np.arange(settings.targets)
    done, losses = 0, np.empty((len(seeds), settings.updates))
    state = rule.init(learning, _values(population, fields), settings.targets, (len(seeds),))
    if resume_from is not None:
        done, population, state = resume_from.updates, resume_from.population, resume_from.plasticity
        losses[:, :done] = resume_from.losses
    for update in range(done, settings.updates):
        trajectory = reach(control, population, draws, update * settings.targets)
        given = trial_batch(control.loop, population, trajectory, learning.objective, rule.learns_from, fields, targets)
        state, values = rule.learn(learning, state, _values(population, fields), given)
        population = population._replace(**values)
        losses[:, update] = given.losses.mean(axis=-1)
        on_progress(update + 1)
        if (update + 1) % KEEP_EVERY == 0:
            on_state(TrainingState(update + 1, population, state, losses[:, : update + 1]))
    return Pretrained(population, losses)


def _values(population: Any, fields: tuple[str, ...]) -> dict[str, Array]:
    return {field: getattr(population, field) for field in fields}


def recorded(
    settings: Pretraining,
    kind: Population,
    config: Any,
    population: Any,
    timing: Timing,
    seed: int,
    trials: int,
    day: int = 0,
    channel: str = COUNTS,
) -> CalibrationData:
    """Counts and movements of one population under manual control, a row for each decoder bin, trial after trial.

    Counts are summed over the bin, velocities averaged; the position is that at its end.
    """
    one = type(population)(*(field[np.newaxis] for field in population))
    control = manual(settings, kind, config, one, timing, trials)
    fired: list[Spikes] = []
    trajectory = reach(
        control, one, TrialStreams("calibration", (seed,), kind, control.loop.population_plan, one, day), 0, fired
    )
    bins = control.reaches.ticks // timing.bin_ticks

    def binned(rows: Array) -> Array:  # (ticks, trials, .) -> (trials * bins, ticks of a bin, .)
        rows = rows[: bins * timing.bin_ticks].swapaxes(0, 1)
        return rows.reshape(trials * bins, timing.bin_ticks, rows.shape[-1])

    cursor = binned(trajectory.cursors[1:, 0])
    counts = binned(np.stack([tick[channel] for tick in fired])[:, 0].astype(np.float64))
    return CalibrationData(
        counts.sum(axis=1),
        cursor[:, -1, POSITION],
        cursor[..., VELOCITY].mean(axis=1),
        timing.bin_s,
        np.repeat(np.arange(trials), bins),
    )


def pretrained(
    settings: Pretraining,
    kind: Population,
    config: Any,
    drawn: Sequence[Any],
    timing: Timing,
    seeds: tuple[int, ...],
    on_progress: OnProgress = lambda updates: None,
) -> list[Pretrained]:
    """Trained populations: from the cache those that are in it; the others are trained in one batch.

    Training that was interrupted resumes from its last state in the cache. Raises ProtocolError for a kind of
    population that cannot move an arm.
    """
    data = settings.model_dump(mode="json", serialize_as_any=True, exclude={"loss_at_most"})
    names = [cache.fingerprint(data, config, timing, seed) for seed in seeds]
    cached = {name: cache.load(name, kind, config, settings.updates) for name in names}
    found = {name: Pretrained(*one) for name, one in cached.items() if one is not None}
    missing = [place for place, name in enumerate(names) if name not in found]
    if missing:
        several = type(drawn[0])(*(np.stack(field) for field in zip(*(drawn[place] for place in missing), strict=True)))
        together = [names[place] for place in missing]
        fresh = train(
            settings,
            kind,
            config,
            several,
            timing,
            tuple(seeds[place] for place in missing),
            on_progress,
            cache.load_unfinished(together),
            lambda training: cache.save_unfinished(together, training),
        )
        for row, name in enumerate(together):
            individual = type(several)(*(np.ascontiguousarray(field[row]) for field in fresh.population))
            found[name] = Pretrained(individual, fresh.losses[row])
            cache.save(name, individual, fresh.losses[row])
        cache.delete_unfinished(together)
    return [found[name] for name in names]


def final_loss(trained: Pretrained) -> float:
    """Mean loss of the last 100 updates, or of as many as there are."""
    return float(trained.losses[-100:].mean())
