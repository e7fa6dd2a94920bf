"""Within- and outside-manifold perturbations (WMP, OMP) of a recurrent network in closed loop: what Payeur, Orsborn &
Lajoie (2023) ask of a static network, asked of one that reaches in time.

An individual is pretrained under manual control, and its calibration gives the manifold (principal components of its
counts) and the best decoder within it. Candidates of both kinds are tried in closed loop without learning, and the
pair that is equally hard, target by target, is learnt, beside the intuitive decoder. Decoders are perturbed about the
mean counts of the calibration, which move the cursor under none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from decoderd.analysis import candidates, manifolds, resampling
from decoderd.arrays import Array
from decoderd.errors import ArrayError
from decoderd.experiments import pretrained, session_batch
from decoderd.experiments.assistive import experiment
from decoderd.experiments.bands import Band
from decoderd.experiments.pool import Part
from decoderd.experiments.report import Figure, Outcome, Report
from decoderd.experiments.session_batch import SessionBatch
from decoderd.plasticity.objective import judge
from decoderd.populations.rnn.population import Law
from decoderd.preparation.calibration import calibrate
from decoderd.preparation.parameters import prepare
from decoderd.protocol.protocol import Protocol
from decoderd.rng import generator
from decoderd.rollout.rollout import run
from decoderd.run import realtime
from decoderd.state import Parameters

RECIPE = "manifold-recurrent"
REGIMES = {"lazy": 0.55, "rich": 1.0}  # recurrent weights are drawn with a standard deviation of N^-exponent
DECODERS = ("intuitive", "WMP", "OMP")
DIMENSION = 6
# Candidates of each kind, and how many are tried at a time.
TRIED, AT_ONCE = 60, 20
# Losses are means over so many updates: the first ones, and the last.
FIRST, LAST = 5, 20


class Learnt(NamedTuple):
    """S seeds of one regime; an axis of 3 is that of DECODERS."""

    seeds: Array  # (S,)
    losses: Array  # (S, 3, U)
    held: Array  # (S,) part of the calibration's variance in the manifold
    change: Array  # (S, 3) |W after - W before| / |W before|


def recipe(regime: str) -> Protocol:
    """The protocol of a regime."""
    found = pretrained.shipped(RECIPE)
    population: Any = found.population
    law = Law(normal=(0.0, population.units ** -REGIMES[regime]))
    return found.model_copy(update={"population": population.model_copy(update={"recurrent_weights": law})})


def learn(regime: str, seeds: Sequence[int]) -> Learnt:
    """Perturb and practise."""
    protocol = recipe(regime)
    with realtime.repeatable():
        prepared = {seed: prepare(protocol.model_copy(update={"seed": seed})) for seed in seeds}
        each = [perturbed(protocol, seed, parameters) for seed, parameters in prepared.items()]
        together = session_batch.gather(protocol, prepared, (0.0,) * len(DECODERS))
        together = together._replace(decoders=tuple(decoder for decoders, _ in each for decoder in decoders))
        before = together.population.W
        course = experiment.course(together, ())
        change = np.linalg.norm(course.end.W - before, axis=(1, 2)) / np.linalg.norm(before, axis=(1, 2))
    shape = (len(seeds), len(DECODERS))
    losses = course.losses.reshape(*shape, -1)
    return Learnt(np.array(seeds), losses, np.array([held for _, held in each]), change.reshape(shape))


def perturbed(protocol: Protocol, seed: int, parameters: Parameters) -> tuple[list[Any], float]:
    """The intuitive decoder, a WMP and an OMP of one individual; and the part of its variance in the manifold."""
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

    losses = [tried(own, seed, parameters, [of(readout) for readout in several]) for several in readouts]
    pair = candidates.equally_hard(*losses)
    three = [of(decoder @ axes), of(readouts[0][pair.within]), of(readouts[1][pair.outside])]
    return three, float(manifolds.part_along(axes, covariance))


def tried(protocol: Protocol, seed: int, parameters: Parameters, decoders: Sequence[Any]) -> Array:
    """(P, K) losses of the first reach to each target under each of P decoders, without learning."""
    found = []
    for first in range(0, len(decoders), AT_ONCE):
        some = decoders[first : first + AT_ONCE]
        together = session_batch.gather(protocol, {seed: parameters}, (0.0,) * len(some))._replace(decoders=tuple(some))
        found.append(_once(together))
    return np.concatenate(found)


def _once(together: SessionBatch) -> Array:
    given = session_batch.trials(together, 1, 0, together.task_plan.targets)
    steps, rest = session_batch.side_by_side(together), session_batch.rest(together)
    trajectory = run(together.loop, together.population, steps, rest, given.reaches, given.tables)
    objective: Any = together.protocol.plasticity
    judged = judge(
        objective.objective, trajectory.cursors, trajectory.decoded, given.reaches.goal, together.loop.tick_s
    )
    return judged.losses


def recurrent(seeds: int, jobs: int, advance: Callable[[int, int], None]) -> Outcome:
    """Run it for the seeds of 1..`seeds` that learned to reach, in both regimes; found is what was learnt in each."""

    def parts(able: Mapping[str, pretrained.Groups]) -> list[Part]:
        return [Part(learn, (regime, group)) for regime, several in able.items() for group in several]

    ran = pretrained.run({regime: recipe(regime) for regime in REGIMES}, seeds, parts, jobs, advance)
    learnt = {}
    for regime in REGIMES:
        those = [one for part, one in zip(parts(ran.able), ran.results, strict=True) if part.arguments[0] == regime]
        learnt[regime] = Learnt(*(np.concatenate(field) for field in zip(*those, strict=True)))
    report = Report(
        title="Manifold perturbations of a recurrent network",
        summary=(
            "A recurrent network, pretrained to reach, meets decoders that are perturbed within and outside its "
            "intrinsic manifold, equally hard at first, and learns by the gradient of the closed loop, with large "
            "(lazy) and small (rich) initial recurrent weights (after Payeur, Orsborn & Lajoie 2023, whose network is "
            "static). Intervals are bootstrap intervals of means over seeds, 95 %."
        ),
        bands=[band for regime, found in learnt.items() for band in bands(regime, found)],
        figures=[Figure("Loss", "Mean over targets, median and quartiles over seeds.", lambda c: _draw(c, learnt))],
        settings={
            "updates": learnt["lazy"].losses.shape[-1],
            "candidates of each kind": TRIED,
            "processes": jobs,
            **{name: told for regime, found in learnt.items() for name, told in intervals(regime, found).items()},
        },
        wall_s=ran.wall_s,
    )
    return Outcome(report, learnt, {"pretraining_s": ran.pretraining_s})


def first(learnt: Learnt) -> Array:
    """(S, 3) loss before much is learnt."""
    return learnt.losses[..., :FIRST].mean(axis=-1)


def last(learnt: Learnt) -> Array:
    """(S, 3) loss after learning."""
    return learnt.losses[..., -LAST:].mean(axis=-1)


def left(learnt: Learnt) -> Array:
    """(S, 3) log10 of the part of the loss that is left."""
    return np.log10(last(learnt) / first(learnt))


def soon(learnt: Learnt) -> Array:
    """(S, 3) the update, from 0, before which a tenth of the first loss is left; U where it is not reached."""
    reached = learnt.losses <= 0.1 * first(learnt)[..., np.newaxis]
    return np.where(reached.any(axis=-1), reached.argmax(axis=-1), learnt.losses.shape[-1])


def bands(regime: str, learnt: Learnt) -> list[Band]:
    """The published direction: a WMP is learnt sooner and better than an OMP that is equally hard."""
    start, end = np.log10(first(learnt)), left(learnt)
    harder, later = end[:, 2] - end[:, 1], (soon(learnt)[:, 2] - soon(learnt)[:, 1]).astype(float)
    return [
        Band(
            f"{regime}: first loss of the OMP over that of the WMP, log10",
            float(np.median(start[:, 2] - start[:, 1])),
            -0.3,
            0.3,
        ),
        Band(f"{regime}: loss left of the OMP over that of the WMP, log10", float(np.median(harder)), 0.0, np.inf),
        Band(f"{regime}: p that no more of it is left", _harder(harder), 0.0, 0.05),
        Band(f"{regime}: updates to a tenth of the loss, OMP less WMP", float(np.median(later)), 0.0, np.inf),
        Band(f"{regime}: p that they are not more", _harder(later), 0.0, 0.05),
    ]


def _harder(differences: Array) -> float:
    try:
        return float(resampling.wilcoxon(differences, "greater").p)
    except ArrayError:
        return 1.0


def intervals(regime: str, learnt: Learnt) -> dict[str, str]:
    """What was found, with its intervals."""
    draw = np.random.default_rng(0)

    def told(values: Array) -> str:
        low, high = resampling.mean_interval(values, 10_000, draw)
        return f"{values.mean():.3g} ({low:.3g} to {high:.3g})"

    found = {
        f"{regime}: seeds": f"{len(learnt.seeds)}: {', '.join(map(str, learnt.seeds))}",
        f"{regime}: part of the variance in the manifold": told(learnt.held),
    }
    for name, values in (
        ("first loss, log10", np.log10(first(learnt))),
        ("last loss, log10", np.log10(last(learnt))),
        ("loss left, log10", left(learnt)),
        ("updates to a tenth of the loss", soon(learnt)),
        ("relative change of W", learnt.change),
    ):
        found |= {f"{regime}, {which}: {name}": told(values[:, i]) for i, which in enumerate(DECODERS)}
    difference = left(learnt)[:, 2] - left(learnt)[:, 1]
    return found | {f"{regime}: loss left, OMP less WMP, log10": told(difference)}


def _draw(canvas: Any, learnt: dict[str, Learnt]) -> None:
    for axes, (regime, found) in zip(
        np.ravel(canvas.subplots(1, len(learnt), sharey=True)), learnt.items(), strict=True
    ):
        for i, which in enumerate(DECODERS):
            low, middle, high = np.percentile(found.losses[:, i], [25, 50, 75], axis=0)
            axes.semilogy(middle, color=f"C{i}", label=which, linewidth=1)
            axes.fill_between(range(len(middle)), low, high, color=f"C{i}", alpha=0.15, linewidth=0)
        axes.set(title=regime, xlabel="update")
    canvas.axes[0].set_ylabel("loss")
    canvas.axes[0].legend(frameon=False)
