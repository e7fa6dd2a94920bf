"""Pretrained individuals of a recipe, and experiments that are run with those that learned to reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import as_file, files
from typing import Any, NamedTuple

from decoderd.clock import now_ns
from decoderd.errors import NumericalError
from decoderd.protocol import protocol as protocols
from decoderd.protocol.protocol import Protocol
from decoderd.studies import processes, session_batch
from decoderd.studies.processes import Part

# Most seeds that are computed as one batch: larger batches cost less a seed, but report progress less often.
MOST_SEEDS_IN_BATCH = 5

SeedGroups = list[tuple[int, ...]]


class ExperimentRun(NamedTuple):
    """Results of an experiment with pretrained individuals of one or more recipes, by names of recipes."""

    losses: dict[str, list[float]]  # after pretraining, of each seed
    trained: dict[str, SeedGroups]  # seeds that learned to reach
    results: list[Any]  # of the parts
    pretraining_s: float  # or loading from the cache
    wall_s: float  # of the parts

    def settings_of(self, name: str) -> dict[str, str]:
        """Seeds and losses of one recipe's individuals, as settings of a report."""
        used = [seed for group in self.trained[name] for seed in group]
        return {
            "seeds that learned to reach": f"{len(used)} of {len(self.losses[name])}: {', '.join(map(str, used))}",
            "losses after pretraining with the arm": ", ".join(f"{loss:.3g}" for loss in self.losses[name]),
            "time of pretraining, or of loading it from the cache": f"{self.pretraining_s:.1f} s",
        }


def load_recipe(name: str) -> Protocol:
    """The recipe (protocol) of this name that comes with the experiments."""
    with as_file(files("decoderd.experiments") / "recipes" / f"{name}.toml") as path:
        return protocols.load(path)


def seed_groups(seeds: int, jobs: int) -> SeedGroups:
    """Seeds 1 .. `seeds` in groups that are computed as one batch, at least one group for each of `jobs` processes.

    The results of a seed do not depend on its group, to the bit.
    """
    size = min(MOST_SEEDS_IN_BATCH, -(-seeds // jobs))
    return [tuple(range(first, min(first + size, seeds + 1))) for first in range(1, seeds + 1, size)]


def seeds_that_learned(recipe: Protocol, groups: SeedGroups, losses: Sequence[Sequence[float]]) -> SeedGroups:
    """The seeds of each group whose loss is at most the recipe's `loss_at_most`; groups without one are left out.

    Raises NumericalError where no seed learned to reach.
    """
    most: Any = recipe.pretraining and recipe.pretraining.loss_at_most
    found = [
        tuple(seed for seed, loss in zip(group, of_group, strict=True) if loss <= most)
        for group, of_group in zip(groups, losses, strict=True)
    ]
    if not any(found):
        shown = ", ".join(f"{loss:.3g}" for of_group in losses for loss in of_group)
        raise NumericalError(f"no seed learned to reach: losses {shown}, must be at most {most:g}", "seeds")
    return [group for group in found if group]


def run(
    recipes: Mapping[str, Protocol],
    seeds: int,
    parts: Callable[[Mapping[str, SeedGroups]], list[Part]],
    jobs: int,
    on_progress: Callable[[int, int], None],
) -> ExperimentRun:
    """Pretrain seeds 1 .. `seeds` of each recipe, then run the parts for those that learned to reach.

    Args:
        recipes: by name.
        seeds: number of seeds.
        parts: a function from the seeds of each recipe that learned to reach to the parts of the experiment.
        jobs: number of processes.
        on_progress: called with the number of parts that are done, and of all parts.

    Raises NumericalError where no seed of a recipe learned to reach.
    """
    began, groups = now_ns(), seed_groups(seeds, jobs)
    training = [Part(session_batch.pretrain, (recipe, group)) for recipe in recipes.values() for group in groups]
    total = len(training) + len(parts(dict.fromkeys(recipes, groups)))
    reached = processes.run(training, jobs, lambda done: on_progress(done, total)).results
    by_name = {name: reached[i * len(groups) : (i + 1) * len(groups)] for i, name in enumerate(recipes)}
    trained = {name: seeds_that_learned(recipe, groups, by_name[name]) for name, recipe in recipes.items()}
    pretrained_at = now_ns()
    done = processes.run(parts(trained), jobs, lambda number: on_progress(len(training) + number, total))
    losses = {name: [loss for of_group in several for loss in of_group] for name, several in by_name.items()}
    times_s = (pretrained_at - began) * 1e-9, (now_ns() - pretrained_at) * 1e-9
    return ExperimentRun(losses, trained, done.results, *times_s)
