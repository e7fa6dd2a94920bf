"""Learning by biases alone: networks with random weights learn to reach while only their biases change.

A recurrent network drives a point mass, a feedforward one a cursor whose velocity it sets (Williams, Payeur, Ryoo,
Jiralerspong, Perich, Mazzucato & Lajoie 2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from decoderd import registry
from decoderd.arrays import Array
from decoderd.effectors.cursor import Config as CursorConfig
from decoderd.experiments import pretrained
from decoderd.experiments.bands import Band
from decoderd.experiments.parts import Findings, OnProgress
from decoderd.experiments.power import stated
from decoderd.html_page import Figure
from decoderd.populations.rnn.population import Law
from decoderd.preparation import pretraining
from decoderd.preparation.parameters import individual
from decoderd.protocol.protocol import Protocol
from decoderd.run import realtime
from decoderd.studies import processes
from decoderd.studies.processes import Part

NETWORKS = ("recurrent", "feedforward")


class BiasLearning(NamedTuple):
    """Losses of one network for S seeds, and how many of its weights changed."""

    losses: Array  # (S, updates)
    changed: int  # entries of U and W that differ from before


def recipe(network: str) -> Protocol:
    """The recipe of a network: recurrent as it comes, feedforward without recurrent weights and memory.

    The feedforward network receives the position of the arm and not its velocity, so that it could not stop a mass; it
    moves a cursor.
    """
    found = pretrained.load_recipe("bias")
    if network == "recurrent":
        return found
    without = {"recurrent_weights": Law(normal=(0.0, 0.0)), "tau_s": found.tick_s}
    settings: Any = found.pretraining
    return found.model_copy(
        update={
            "population": found.population.model_copy(update=without),
            "pretraining": settings.model_copy(update={"effector": CursorConfig()}),
        }
    )


def learn(network: str, seeds: Sequence[int]) -> BiasLearning:
    """Train the biases of individuals of these seeds."""
    given = recipe(network)
    kind: Any = registry.find("populations", given.population.kind)
    settings: Any = given.pretraining
    drawn = [individual(given.model_copy(update={"seed": seed})) for seed in seeds]
    before = type(drawn[0])(*(np.stack(field) for field in zip(*drawn, strict=True)))
    with realtime.repeatable():
        after, losses = pretraining.train(settings, kind, given.population, before, given.timing, tuple(seeds))
    changed = np.count_nonzero(after.U != before.U) + np.count_nonzero(after.W != before.W)
    return BiasLearning(losses, int(changed))


def run(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    """Part `reaching` of `decoderd reproduce bias`, for seeds 1 to `seeds`."""
    groups = pretrained.seed_groups(seeds, jobs)
    parts = [Part(learn, (network, group)) for network in NETWORKS for group in groups]
    done = processes.run(parts, jobs, lambda number: on_progress(number, len(parts)))
    cut = len(groups)
    found = {network: done.results[i * cut : (i + 1) * cut] for i, network in enumerate(NETWORKS)}
    losses = {network: np.concatenate([part.losses for part in several]) for network, several in found.items()}
    bands = []
    for network, several in found.items():
        removed = 1 - losses[network][:, -100:].mean(axis=1) / losses[network][:, 0]
        band = Band(f"{network}: smallest part of the loss removed, over seeds", _least(removed), 0.9, 1.0)
        bands.append(stated(band, _least, removed, ends=(0.9, np.inf)))
        bands.append(Band(f"{network}: weights that changed", sum(part.changed for part in several), 0, 0))
    return Findings(
        "At least nine tenths of the loss must be removed.",
        bands,
        [Figure("Loss", "Mean loss over targets of every update; a line for each seed.", lambda c: _draw(c, losses))],
        {"seeds": f"1 to {seeds}", "updates": losses["recurrent"].shape[1]},
        {"losses": {network: several[:, -1].tolist() for network, several in losses.items()}},
    )


def _least(values: Array) -> float:
    return float(values.min())


def _draw(canvas: Any, losses: dict[str, Array]) -> None:
    for axes, (network, several) in zip(canvas.subplots(1, 2, sharey=True), losses.items(), strict=True):
        axes.semilogy(several.T, linewidth=0.8)
        axes.set(title=network, xlabel="update")
    canvas.axes[0].set_ylabel("loss")
