"""Before brain control: a population that can learn is trained to reach with an arm, under manual control.

Its motor weights drive the arm directly; a rule of plasticity trains it on reaches to the targets in turn. The same
individual is trained once: what it became is kept in the user's cache under a hash of all that decides it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from decoderd import registry
from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.config import ticks
from decoderd.decoders import AffineStep, Recorded
from decoderd.errors import ProtocolError
from decoderd.populations import COUNTS, Population, Spikes
from decoderd.preparation import cache
from decoderd.protocol.pretraining import Pretraining
from decoderd.rng import open_streams
from decoderd.rollout.adjoint import Loop, Trajectory
from decoderd.rollout.credit import trial_batch
from decoderd.rollout.rollout import run
from decoderd.state import POSITION, VELOCITY, Reaches, Timing

# Updates after which what has become of those in training is kept, so that little is lost with the process.
KEEP_EVERY = 5000


class Pretrained(NamedTuple):
    """An individual (or several, with an axis of seeds in front) that was trained, and how it went."""

    population: Any
    losses: Array  # (updates,) mean over the targets


@stored("pretraining.trainee")
class TrainingState(NamedTuple):
    """Individuals in training, with an axis of seeds in front."""

    updates: int  # done
    population: Any
    plasticity: Any  # the rule's state
    losses: Array  # (seeds, updates)


class Manual(NamedTuple):
    """Manual control of an arm, for one or many individuals at once."""

    loop: Loop
    steps: list[AffineStep]
    reaches: Reaches


Watch = Callable[[int], None]


def places(targets: int, distance_m: float) -> Array:
    """(targets, 2) m: target k lies at angle 2 pi k / targets."""
    angle = 2 * np.pi * np.arange(targets) / targets
    return distance_m * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def manual(
    settings: Pretraining, kind: Population, config: Any, population: Any, timing: Timing, trials: int
) -> Manual:
    """Manual control by individuals, their parameters with an axis of seeds in front, in `trials` reaches in turn.

    Raises ProtocolError for a population that moves no arm.
    """
    if kind.manual is None or kind.plastic is None:
        raise ProtocolError(f"pretraining: a population of kind {config.kind!r} moves no arm", "pretraining")
    timing = Timing(timing.tick_s, 1)
    plan, V = kind.manual(kind.plan(config, timing), population)
    effector: Any = registry.find("effectors", settings.effector.kind)
    loop = Loop(kind, plan, effector, effector.plan(settings.effector, timing), timing.tick_s, slice(None))
    length = ticks(settings.reach_s, timing.tick_s)
    goal = places(settings.targets, settings.distance_m)[np.arange(trials) % settings.targets]
    goal = np.broadcast_to(goal, (len(V), *goal.shape))
    step = AffineStep(np.zeros((2, 2)), None, V, np.zeros(2), np.eye(2))
    reaches = Reaches(np.zeros_like(goal), goal, length, ticks(settings.hold_s, timing.tick_s))
    return Manual(loop, [step] * length, reaches)


def reach(control: Manual, population: Any, noise: Noise, first: int, fired: list[Spikes] | None = None) -> Trajectory:
    """The reaches of manual control, the trials from `first` on as the noise counts them; `fired` as in `run`."""
    rest = np.zeros((len(control.reaches.goal), 2))
    tables = noise.tables(first, control.reaches.goal.shape[1], control.reaches.ticks)
    return run(control.loop, population, control.steps, rest, control.reaches, tables, fired)


class Noise:
    """Random rows of manual trials: those of trial i follow those of trial i - 1 in its individual's streams."""

    def __init__(
        self, name: str, seeds: tuple[int, ...], kind: Population, config: Any, population: Any, day: int = 0
    ) -> None:
        self._day = day
        one = type(population)(*(field[0] for field in population))
        self._streams = open_streams(seeds, name, kind.streams(config, one))
        self._at_start = () if kind.plastic is None else kind.plastic.at_start

    def tables(self, first: int, trials: int, ticks: int) -> dict[str, Array]:
        """{name: (ticks, seeds, trials, width)} of trials from `first` on; (1, ...) of streams read at their start."""
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
    watch: Watch = lambda updates: None,
    left: TrainingState | None = None,
    keep: Callable[[TrainingState], None] = lambda training: None,
) -> Pretrained:
    """Train individuals, their parameters with an axis of seeds in front; `watch` is told of updates done.

    `keep` is given the trainees every now and then; training goes on from those `left`, as if it had not ended.
    """
    control = manual(settings, kind, config, population, timing, settings.targets)
    assert kind.plastic is not None  # it moves an arm
    rule: Any = registry.find("plasticity", settings.plasticity.kind)
    learning: Any = settings.plasticity
    learning = learning.model_copy(update={"trials_per_update": settings.targets})
    fields = tuple(kind.plastic.fields[part] for part in learning.plastic)
    noise = Noise("pretraining", seeds, kind, config, population)
    targets = np.arange(settings.targets)
    done, losses = 0, np.empty((len(seeds), settings.updates))
    state = rule.init(learning, _values(population, fields), settings.targets, (len(seeds),))
    if left is not None:
        done, population, state = left.updates, left.population, left.plasticity
        losses[:, :done] = left.losses
    for update in range(done, settings.updates):
        trajectory = reach(control, population, noise, update * settings.targets)
        given = trial_batch(control.loop, population, trajectory, learning.objective, rule.learns_from, fields, targets)
        state, values = rule.learn(learning, state, _values(population, fields), given)
        population = population._replace(**values)
        losses[:, update] = given.losses.mean(axis=-1)
        watch(update + 1)
        if (update + 1) % KEEP_EVERY == 0:
            keep(TrainingState(update + 1, population, state, losses[:, : update + 1]))
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
) -> Recorded:
    """Reaches of one individual under manual control as a recording, a row a decoder's bin, trial after trial.

    Counts add up over the bin, and its velocity is the mean.
    """
    one = type(population)(*(field[np.newaxis] for field in population))
    control = manual(settings, kind, config, one, timing, trials)
    fired: list[Spikes] = []
    trajectory = reach(control, one, Noise("calibration", (seed,), kind, config, one, day), 0, fired)
    bins = control.reaches.ticks // timing.bin_ticks

    def binned(rows: Array) -> Array:  # (ticks, trials, .) -> (trials * bins, ticks of a bin, .)
        rows = rows[: bins * timing.bin_ticks].swapaxes(0, 1)
        return rows.reshape(trials * bins, timing.bin_ticks, rows.shape[-1])

    cursor = binned(trajectory.cursors[1:, 0])
    counts = binned(np.stack([tick[channel] for tick in fired])[:, 0].astype(np.float64))
    return Recorded(
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
    watch: Watch = lambda updates: None,
) -> list[Pretrained]:
    """Each individual trained, from the cache where it was trained before; the others in one batch, from where their
    training was left.

    Raises ProtocolError for a population that moves no arm.
    """
    told = settings.model_dump(mode="json", serialize_as_any=True, exclude={"loss_at_most"})
    names = [cache.fingerprint(told, config, timing, seed) for seed in seeds]
    kept = {name: cache.found(name, kind, config, settings.updates) for name in names}
    found = {name: Pretrained(*one) for name, one in kept.items() if one is not None}
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
            watch,
            cache.left(together),
            lambda training: cache.keep_training(together, training),
        )
        for row, name in enumerate(together):
            individual = type(several)(*(np.ascontiguousarray(field[row]) for field in fresh.population))
            found[name] = Pretrained(individual, fresh.losses[row])
            cache.keep(name, individual, fresh.losses[row])
        cache.forget_training(together)
    return [found[name] for name in names]


def final_loss(trained: Pretrained) -> float:
    """Mean loss of the last 100 updates, or of as many as there are."""
    return float(trained.losses[-100:].mean())
