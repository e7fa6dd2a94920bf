"""The assistive experiment cut into parts for several processes: some seeds each, all intensities."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib.resources import as_file, files
from typing import Any

import numpy as np

from decoderd import conditions, pretraining, registry, setup
from decoderd import protocol as protocols
from decoderd.errors import NumericalError
from decoderd.experiments import assistive, company
from decoderd.experiments.assistive import Course
from decoderd.protocol import Protocol

# Seeds that are trained and run side by side. It decides how work is cut, not by how many processes it is done.
TOGETHER = 2


def protocol(name: str) -> Protocol:
    """The recipe of this name that comes with the experiment."""
    with as_file(files("decoderd.experiments") / f"{name}.toml") as path:
        return protocols.load(path)


def groups(seeds: int) -> list[tuple[int, ...]]:
    """Seeds 1 .. `seeds`, a few together."""
    return [tuple(range(first, min(first + TOGETHER, seeds + 1))) for first in range(1, seeds + 1, TOGETHER)]


def train(name: str, seeds: Sequence[int]) -> list[float]:
    """Pretrain individuals of the recipe of this name, or find them in the cache; the loss that each has reached."""
    return trained(protocol(name), seeds)


def trained(recipe: Protocol, seeds: Sequence[int]) -> list[float]:
    """The same of any recipe."""
    settings: Any = recipe.pretraining
    drawn = [setup.individual(recipe.model_copy(update={"seed": seed})) for seed in seeds]
    kind = registry.find("populations", recipe.population.kind)
    with conditions.repeatable():
        found = pretraining.pretrained(settings, kind, recipe.population, drawn, recipe.timing, tuple(seeds))
    return [pretraining.final_loss(one) for one in found]


def able(recipe: Protocol, groups: Sequence[Sequence[int]], losses: Sequence[Sequence[float]]) -> list[tuple[int, ...]]:
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


def sessions(name: str, seeds: Sequence[int], intensities: Sequence[float], evaluated: Collection[int]) -> Course:
    """The sessions of pretrained individuals of a recipe, at every intensity."""
    recipe = protocol(name)
    with conditions.repeatable():
        prepared = {seed: setup.prepare(recipe.model_copy(update={"seed": seed})) for seed in seeds}
        return assistive.course(company.gather(recipe, prepared, intensities), evaluated)


def together(courses: Sequence[Course]) -> Course:
    """The sessions of several parts as those of one."""
    columns: list[Any] = []
    for field in zip(*courses, strict=True):
        if isinstance(field[0], dict):
            columns.append({day: np.concatenate([one[day] for one in field]) for day in field[0]})
        elif isinstance(field[0], tuple):
            columns.append(type(field[0])(*(np.concatenate(one) for one in zip(*field, strict=True))))
        else:
            columns.append(np.concatenate(field))
    return Course(*columns)
