"""Individuals of a recipe that learned to reach, and the parts of an experiment that are run with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import as_file, files
from typing import Any, NamedTuple

from decoderd import registry
from decoderd.clock import now_ns
from decoderd.errors import NumericalError
from decoderd.experiments import pool
from decoderd.experiments.pool import Part
from decoderd.preparation import pretraining
from decoderd.preparation.parameters import individual
from decoderd.protocol import protocol as protocols
from decoderd.protocol.protocol import Protocol
from decoderd.run import realtime

# Seeds that are trained and run side by side at most: with more each costs less, but it takes longer to hear of any.
TOGETHER = 5

Groups = list[tuple[int, ...]]


class Ran(NamedTuple):
    """An experiment with the individuals of one or more recipes, by their names."""

    losses: dict[str, list[float]]  # of each seed, after pretraining
    able: dict[str, Groups]  # seeds that learned to reach
    results: list[Any]  # of the parts
    pretraining_s: float  # or finding them in the cache
    wall_s: float  # of the parts

    def told(self, name: str) -> dict[str, str]:
        """Of one recipe's individuals, as reports tell it."""
        used = [seed for group in self.able[name] for seed in group]
        return {
            "seeds that learned to reach": f"{len(used)} of {len(self.losses[name])}: {', '.join(map(str, used))}",
            "arm losses": ", ".join(f"{loss:.3g}" for loss in self.losses[name]),
            "pretraining, or finding it in the cache": f"{self.pretraining_s:.1f} s",
        }


def shipped(name: str) -> Protocol:
    """The recipe of this name that comes with the experiments."""
    with as_file(files("decoderd.experiments") / "recipes" / f"{name}.toml") as path:
        return protocols.load(path)


def groups(seeds: int, jobs: int) -> Groups:
    """Seeds 1 .. `seeds`, a few together, but no more than the share of one of `jobs` processes.

    No bit of what comes of a seed depends on who is beside it.
    """
    size = min(TOGETHER, -(-seeds // jobs))
    return [tuple(range(first, min(first + size, seeds + 1))) for first in range(1, seeds + 1, size)]


def train(recipe: Protocol, seeds: Sequence[int]) -> list[float]:
    """Pretrain individuals of a recipe, or find them in the cache; the loss that each has reached."""
    settings: Any = recipe.pretraining
    drawn = [individual(recipe.model_copy(update={"seed": seed})) for seed in seeds]
    kind = registry.find("populations", recipe.population.kind)
    with realtime.repeatable():
        found = pretraining.pretrained(settings, kind, recipe.population, drawn, recipe.timing, tuple(seeds))
    return [pretraining.final_loss(one) for one in found]


def able(recipe: Protocol, groups: Groups, losses: Sequence[Sequence[float]]) -> Groups:
    """Of each group the seeds that learned to reach, by the recipe's `loss_at_most`; no group without one.

    Raises NumericalError where none did.
    """
    most: Any = recipe.pretraining and recipe.pretraining.loss_at_most
    found = [
        tuple(seed for seed, loss in zip(group, of, strict=True) if loss <= most)
        for group, of in zip(groups, losses, strict=True)
    ]
    if not any(found):
        told = ", ".join(f"{loss:.3g}" for of in losses for loss in of)
        raise NumericalError(f"no seed learned to reach: losses {told}, where at most {most:g} is asked for", "seeds")
    return [group for group in found if group]


def run(
    recipes: Mapping[str, Protocol],
    seeds: int,
    parts: Callable[[Mapping[str, Groups]], list[Part]],
    jobs: int,
    advance: Callable[[int, int], None],
) -> Ran:
    """Pretrain seeds 1 .. `seeds` of each recipe, then run the parts of those that learned to reach.

    `advance` hears how many parts of how many are done. Raises NumericalError where no seed of a recipe learned.
    """
    began, cut = now_ns(), groups(seeds, jobs)
    training = [Part(train, (recipe, group)) for recipe in recipes.values() for group in cut]
    total = len(training) + len(parts(dict.fromkeys(recipes, cut)))
    trained = pool.run(training, jobs, lambda done: advance(done, total)).results
    by_name = {name: trained[i * len(cut) : (i + 1) * len(cut)] for i, name in enumerate(recipes)}
    reach = {name: able(recipe, cut, by_name[name]) for name, recipe in recipes.items()}
    learning = now_ns()
    done = pool.run(parts(reach), jobs, lambda number: advance(len(training) + number, total))
    losses = {name: [loss for of in several for loss in of] for name, several in by_name.items()}
    return Ran(losses, reach, done.results, (learning - began) * 1e-9, (now_ns() - learning) * 1e-9)
