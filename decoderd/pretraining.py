"""Before brain control: a population that can learn is trained to reach with an arm, under manual control.

Its motor weights drive the arm directly; a rule of plasticity trains it on reaches to the targets in turn. The same
individual is trained once: what it became is kept in the user's cache under a hash of all that decides it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field

from decoderd import registry
from decoderd.adjoint import Loop, Passage
from decoderd.arrays import Array, finite, load_npz
from decoderd.config import ComponentConfig, Config, Count, Metres, Seconds, SecondsOrZero, ticks
from decoderd.credit import lesson
from decoderd.decoders import Linear, Recorded
from decoderd.errors import ArrayError, ProtocolError
from decoderd.populations import Population
from decoderd.practice import run
from decoderd.rng import generator, open_streams
from decoderd.state import POSITION, VELOCITY, Reaches, Timing

# Raised when the same protocol would train another individual than before.
VERSION = 4


class Pretraining(Config):
    """Reaches with `effector`, to `targets` on a circle in turn, each target once in every update of `plasticity`."""

    effector: ComponentConfig
    plasticity: ComponentConfig
    updates: Count = 5000
    targets: Annotated[int, Field(strict=True, ge=1, le=64)] = 8
    distance_m: Metres = 0.07
    reach_s: Seconds = 1.0
    hold_s: SecondsOrZero = 0.0
    loss_at_most: Annotated[
        float | None,
        Field(strict=True, gt=0, description="mean loss of the last 100 updates above which no session is begun"),
    ] = None


class Pretrained(NamedTuple):
    """An individual (or several, with an axis of seeds in front) that was trained, and how it went."""

    population: Any
    losses: Array  # (updates,) mean over the targets


class Manual(NamedTuple):
    """Manual control of an arm, for one or many individuals at once."""

    loop: Loop
    steps: list[Linear]
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
    step = Linear(np.zeros((2, 2)), None, V, np.zeros(2), np.eye(2))
    reaches = Reaches(np.zeros_like(goal), goal, length, ticks(settings.hold_s, timing.tick_s))
    return Manual(loop, [step] * length, reaches)


def reach(control: Manual, population: Any, noise: Noise, first: int, fired: list[Array] | None = None) -> Passage:
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
) -> Pretrained:
    """Train individuals, their parameters with an axis of seeds in front; `watch` is told of updates done."""
    control = manual(settings, kind, config, population, timing, settings.targets)
    assert kind.plastic is not None  # it moves an arm
    rule: Any = registry.find("plasticity", settings.plasticity.kind)
    learning: Any = settings.plasticity
    learning = learning.model_copy(update={"trials_per_update": settings.targets})
    fields = tuple(kind.plastic.fields[part] for part in learning.plastic)
    noise = Noise("pretraining", seeds, kind, config, population)
    targets = np.arange(settings.targets)
    values = {field: getattr(population, field) for field in fields}
    state = rule.init(learning, values, settings.targets, (len(seeds),))
    losses = np.empty((len(seeds), settings.updates))
    for update in range(settings.updates):
        passage = reach(control, population, noise, update * settings.targets)
        given = lesson(control.loop, population, passage, learning.objective, rule.credit, fields, targets)
        state, values = rule.learn(learning, state, values, given)
        population = population._replace(**values)
        losses[:, update] = given.losses.mean(axis=-1)
        watch(update + 1)
    return Pretrained(population, losses)


def recorded(
    settings: Pretraining,
    kind: Population,
    config: Any,
    population: Any,
    timing: Timing,
    seed: int,
    trials: int,
    day: int = 0,
) -> Recorded:
    """Reaches of one individual under manual control as a recording, a row a decoder's bin, trial after trial.

    Counts add up over the bin, and its velocity is the mean.
    """
    one = type(population)(*(field[np.newaxis] for field in population))
    control = manual(settings, kind, config, one, timing, trials)
    fired: list[Array] = []
    passage = reach(control, one, Noise("calibration", (seed,), kind, config, one, day), 0, fired)
    bins = control.reaches.ticks // timing.bin_ticks

    def binned(rows: Array) -> Array:  # (ticks, trials, .) -> (trials * bins, ticks of a bin, .)
        rows = rows[: bins * timing.bin_ticks].swapaxes(0, 1)
        return rows.reshape(trials * bins, timing.bin_ticks, rows.shape[-1])

    cursor = binned(passage.cursors[1:, 0])
    counts = binned(np.stack(fired)[:, 0].astype(np.float64))
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
    """Each individual trained, from the cache where it was trained before; the others in one batch.

    Raises ProtocolError for a population that moves no arm.
    """
    names = [_fingerprint(settings, config, timing, seed) for seed in seeds]
    found = {name: _kept(name, kind, config, settings.updates) for name in names}
    missing = [place for place, name in enumerate(names) if found[name] is None]
    if missing:
        several = type(drawn[0])(*(np.stack(field) for field in zip(*(drawn[place] for place in missing), strict=True)))
        fresh = train(settings, kind, config, several, timing, tuple(seeds[place] for place in missing), watch)
        for row, place in enumerate(missing):
            individual = type(several)(*(np.ascontiguousarray(field[row]) for field in fresh.population))
            found[names[place]] = Pretrained(individual, fresh.losses[row])
            _keep(names[place], individual, fresh.losses[row])
    return [found[name] for name in names]  # type: ignore[misc]


def final_loss(trained: Pretrained) -> float:
    """Mean loss of the last 100 updates, or of as many as there are."""
    return float(trained.losses[-100:].mean())


def cache_folder() -> Path:
    """Where trained individuals are kept: $XDG_CACHE_HOME/decoderd, ~/.cache/decoderd by default."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "decoderd" / "pretrained"


def _fingerprint(settings: Pretraining, config: Any, timing: Timing, seed: int) -> str:
    """SHA-256 over all that decides a trained individual."""
    told = {
        "version": VERSION,
        "numpy": np.__version__,
        "pretraining": settings.model_dump(mode="json", serialize_as_any=True, exclude={"loss_at_most"}),
        "population": config.model_dump(mode="json"),
        "tick_s": timing.tick_s,
        "seed": seed,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _kept(name: str, kind: Population, config: Any, updates: int) -> Pretrained | None:
    """The individual of this fingerprint from the cache, or None."""
    try:
        arrays = load_npz(cache_folder() / f"{name}.npz")
        losses = finite("losses", arrays.pop("losses", None), (updates,))
        return Pretrained(kind.load(config, generator(0, "nothing is drawn"), arrays), losses)
    except ArrayError:  # absent, cut short by a full disk, or something else
        return None


def _keep(name: str, individual: Any, losses: Array) -> None:
    """Put an individual into the cache; a cache that cannot be written is gone without."""
    folder = cache_folder()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            whole = Path(unfinished) / "individual.npz"
            np.savez(whole, losses=losses, **individual._asdict())
            whole.replace(folder / f"{name}.npz")
