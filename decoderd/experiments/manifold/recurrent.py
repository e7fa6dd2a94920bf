"""Runs within- and outside-manifold perturbations (WMP, OMP) of a recurrent network in closed loop.

The questions are those of Payeur, Orsborn & Lajoie (2023) about a static network, for a network that reaches in time.

An individual is pretrained under manual control, and its calibration gives the manifold (principal components of its
counts) and the best decoder within it. Candidates of both kinds are tried in closed loop without learning. The pair
that is equally hard, target by target, is then learned, and the intuitive decoder as well. Decoders are perturbed about
the mean counts of the calibration, which move the cursor under none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from decoderd.analysis import candidates, manifolds, resampling
from decoderd.arrays import Array
from decoderd.errors import ArrayError
from decoderd.experiments import pretrained
from decoderd.experiments.assistive import experiment
from decoderd.experiments.bands import Band
from decoderd.experiments.power import stated
from decoderd.experiments.report import Outcome, Report
from decoderd.html_page import Figure
from decoderd.plasticity.objective import judge
from decoderd.populations.rnn.population import Law
from decoderd.preparation.calibration import calibrate
from decoderd.preparation.parameters import prepare
from decoderd.protocol.protocol import Protocol
from decoderd.rng import generator
from decoderd.rollout.rollout import run
from decoderd.run import realtime
from decoderd.state import Parameters
from decoderd.studies import session_batch
from decoderd.studies.processes import Part
from decoderd.studies.session_batch import SessionBatch

RECIPE = "manifold-recurrent"
REGIMES = {"lazy": 0.55, "rich": 1.0}  # recurrent weights are drawn with a standard deviation of N^-exponent
DECODERS = ("intuitive", "WMP", "OMP")
DIMENSION = 6
# Candidates of each kind, and how many are tried at a time.
TRIED, AT_ONCE = 60, 20
# Number of updates that first and last losses are means over.
FIRST, LAST = 5, 20


class LearningResult(NamedTuple):
    """Results of learning in one regime, for S seeds; an axis of 3 is that of DECODERS."""

    seeds: Array  # (S,)
    losses: Array  # (S, 3, U)
    variance_in_manifold: Array  # (S,) fraction of the calibration's variance
    weight_change: Array  # (S, 3) |W after - W before| / |W before|


def recipe(regime: str) -> Protocol:
    """The protocol of a regime."""
    found = pretrained.load_recipe(RECIPE)
    population: Any = found.population
    law = Law(normal=(0.0, population.units ** -REGIMES[regime]))
    return found.model_copy(update={"population": population.model_copy(update={"recurrent_weights": law})})


def learn(regime: str, seeds: Sequence[int]) -> LearningResult:
    """Perturb the decoders of these seeds and let the networks learn under them."""
    protocol = recipe(regime)
    with realtime.repeatable():
        prepared = {seed: prepare(protocol.model_copy(update={"seed": seed})) for seed in seeds}
        each = [perturbed_decoders(protocol, seed, parameters) for seed, parameters in prepared.items()]
        batch = session_batch.make_batch(protocol, prepared, (0.0,) * len(DECODERS))
        batch = batch._replace(decoders=tuple(decoder for decoders, _ in each for decoder in decoders))
        before = batch.population.W
        results = experiment.run_days(batch, ())
        change = np.linalg.norm(results.population.W - before, axis=(1, 2)) / np.linalg.norm(before, axis=(1, 2))
    shape = (len(seeds), len(DECODERS))
    losses = results.losses.reshape(*shape, -1)
    return LearningResult(
        np.array(seeds),
        losses,
        np.array([variance_in_manifold for _, variance_in_manifold in each]),
        change.reshape(shape),
    )


def perturbed_decoders(protocol: Protocol, seed: int, parameters: Parameters) -> tuple[list[Any], float]:
    """The intuitive decoder, a WMP and an OMP of one individual, and the fraction of its variance in the manifold."""
    own = protocol.model_copy(update={"seed": seed})
    counts = calibrate(own, parameters.population).counts
    covariance, mean = manifolds.covariance_of(counts), counts.mean(axis=0)
    axes = manifolds.principal(covariance, DIMENSION)
    decoder = manifolds.decoder_within(axes, parameters.decoder.M2, covariance)
    within = candidates.within(DIMENSION, generator(seed, "manifold/within"))
    chosen = generator(seed, "manifold/tried").choice(len(within), TRIED, replace=False)
    readouts = (
        candidates.readouts_within(decoder, axes, within[chosen]),
        candidates.readouts_outside(
            decoder, axes, candidates.outside(len(mean), generator(seed, "manifold/outside"), TRIED)
        ),
    )

    def of(readout: Array) -> Any:
        return parameters.decoder._replace(M2=readout, m0=-readout @ mean, count_mean=mean)

    losses = [
        losses_without_learning(own, seed, parameters, [of(readout) for readout in several]) for several in readouts
    ]
    pair = candidates.equally_hard(*losses)
    three = [of(decoder @ axes), of(readouts[0][pair.within]), of(readouts[1][pair.outside])]
    return three, float(manifolds.part_along(axes, covariance))


def losses_without_learning(protocol: Protocol, seed: int, parameters: Parameters, decoders: Sequence[Any]) -> Array:
    """Losses (P, K) of the first reach to each target under each of P decoders, without learning."""
    found = []
    for first in range(0, len(decoders), AT_ONCE):
        some = decoders[first : first + AT_ONCE]
        batch = session_batch.make_batch(protocol, {seed: parameters}, (0.0,) * len(some))._replace(
            decoders=tuple(some)
        )
        found.append(_first_losses(batch))
    return np.concatenate(found)


def _first_losses(batch: SessionBatch) -> Array:
    given = session_batch.draw_trials(batch, 1, 0, batch.task_plan.targets)
    steps, rest = session_batch.batched_decoder_steps(batch), session_batch.initial_decoder_states(batch)
    trajectory = run(batch.loop, batch.population, steps, rest, given.reaches, given.tables)
    objective: Any = batch.protocol.plasticity
    judged = judge(objective.objective, trajectory.cursors, trajectory.decoded, given.reaches.goal, batch.loop.tick_s)
    return judged.losses


def recurrent(seeds: int, jobs: int, on_progress: Callable[[int, int], None]) -> Outcome:
    """Run the experiment in both regimes, for the seeds of 1..`seeds` that learned to reach.

    `found` of the outcome are LearningResults by regime.
    """

    def parts(trained: Mapping[str, pretrained.SeedGroups]) -> list[Part]:
        return [Part(learn, (regime, group)) for regime, several in trained.items() for group in several]

    finished = pretrained.run({regime: recipe(regime) for regime in REGIMES}, seeds, parts, jobs, on_progress)
    learned = {}
    for regime in REGIMES:
        of_regime = [
            one
            for part, one in zip(parts(finished.trained), finished.results, strict=True)
            if part.arguments[0] == regime
        ]
        learned[regime] = LearningResult(*(np.concatenate(field) for field in zip(*of_regime, strict=True)))
    report = Report(
        title="Manifold perturbations of a recurrent network",
        summary=(
            "A recurrent network, pretrained to reach, is given decoders that are perturbed within and outside its "
            "intrinsic manifold, equally hard at first, and learns by the gradient of the closed loop, with large "
            "(lazy) and small (rich) initial recurrent weights (after Payeur, Orsborn & Lajoie 2023, whose network is "
            "static). Intervals are 95 % bootstrap intervals of means over seeds."
        ),
        bands=[band for regime, found in learned.items() for band in bands(regime, found)],
        figures=[Figure("Loss", "Mean over targets, median and quartiles over seeds.", lambda c: _draw(c, learned))],
        settings={
            "updates": learned["lazy"].losses.shape[-1],
            "candidates of each kind": TRIED,
            "processes": jobs,
            **{name: shown for regime, found in learned.items() for name, shown in intervals(regime, found).items()},
        },
        wall_s=finished.wall_s,
    )
    return Outcome(report, learned, {"pretraining_s": finished.pretraining_s})


def first(learned: LearningResult) -> Array:
    """Mean loss (S, 3) of the first FIRST updates."""
    return learned.losses[..., :FIRST].mean(axis=-1)


def last(learned: LearningResult) -> Array:
    """Mean loss (S, 3) of the last LAST updates."""
    return learned.losses[..., -LAST:].mean(axis=-1)


def left(learned: LearningResult) -> Array:
    """log10 of last loss over first loss (S, 3)."""
    return np.log10(last(learned) / first(learned))


def updates_to_a_tenth(learned: LearningResult) -> Array:
    """The first update (S, 3), from 0, before which the loss is at most a tenth of the first; U where there is none."""
    reached = learned.losses <= 0.1 * first(learned)[..., np.newaxis]
    return np.where(reached.any(axis=-1), reached.argmax(axis=-1), learned.losses.shape[-1])


def bands(regime: str, learned: LearningResult) -> list[Band]:
    """Bands of the published direction: a WMP is learned sooner and better than an OMP that is equally hard."""
    start, end, updates = np.log10(first(learned)), left(learned), updates_to_a_tenth(learned).astype(float)
    easier, harder, later = (each[:, 2] - each[:, 1] for each in (start, end, updates))
    above = (0.0, np.inf)
    found = [
        (f"{regime}: first loss of the OMP over that of the WMP, log10", easier, _median(easier), (-0.3, 0.3), None),
        (f"{regime}: loss left of the OMP over that of the WMP, log10", harder, _median(harder), above, None),
        (f"{regime}: p that the OMP's is not larger", harder, _harder(harder), (0.0, 0.05), above),
        (f"{regime}: updates to a tenth of the loss, OMP less WMP", later, _median(later), above, None),
        (f"{regime}: p that the OMP's are not more", later, _harder(later), (0.0, 0.05), above),
    ]
    return [stated(Band(name, value, *ends), _median, of, ends=tested) for name, of, value, ends, tested in found]


def _median(values: Array) -> float:
    return float(np.median(values))


def _harder(differences: Array) -> float:
    try:
        return float(resampling.wilcoxon(differences, "greater").p)
    except ArrayError:
        return 1.0


def intervals(regime: str, learned: LearningResult) -> dict[str, str]:
    """Means over seeds with their 95 % bootstrap intervals, as settings of the report."""
    draw = np.random.default_rng(0)

    def mean_and_interval(values: Array) -> str:
        low, high = resampling.mean_interval(values, 10_000, draw)
        return f"{values.mean():.3g} ({low:.3g} to {high:.3g})"

    found = {
        f"{regime}: seeds": f"{len(learned.seeds)}: {', '.join(map(str, learned.seeds))}",
        f"{regime}: fraction of variance in the manifold": mean_and_interval(learned.variance_in_manifold),
    }
    for name, values in (
        ("first loss, log10", np.log10(first(learned))),
        ("last loss, log10", np.log10(last(learned))),
        ("loss left, log10", left(learned)),
        ("updates to a tenth of the loss", updates_to_a_tenth(learned)),
        ("relative change of W", learned.weight_change),
    ):
        found |= {f"{regime}, {which}: {name}": mean_and_interval(values[:, i]) for i, which in enumerate(DECODERS)}
    difference = left(learned)[:, 2] - left(learned)[:, 1]
    return found | {f"{regime}: loss left, OMP less WMP, log10": mean_and_interval(difference)}


def _draw(canvas: Any, learned: dict[str, LearningResult]) -> None:
    for axes, (regime, found) in zip(
        np.ravel(canvas.subplots(1, len(learned), sharey=True)), learned.items(), strict=True
    ):
        for i, which in enumerate(DECODERS):
            low, middle, high = np.percentile(found.losses[:, i], [25, 50, 75], axis=0)
            axes.semilogy(middle, color=f"C{i}", label=which, linewidth=1)
            axes.fill_between(range(len(middle)), low, high, color=f"C{i}", alpha=0.15, linewidth=0)
        axes.set(title=regime, xlabel="update")
    canvas.axes[0].set_ylabel("loss")
    canvas.axes[0].legend(frameon=False)
