"""Runs within- and outside-manifold perturbations (WMP, OMP) of the static network (Payeur, Orsborn & Lajoie 2023).

A network learns to reach 6 targets with its own readout. Its activity then defines an intrinsic manifold of 6
dimensions, and the best decoder within it becomes the readout. A WMP and an OMP of that readout, chosen to be equally
hard, are learned by gradient descent on the recurrent weights. Small initial weights make learning rich (weights and
activity change much), large ones lazy.

Each function is a part of the experiment for S seeds and returns arrays whose first axis is the seed.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from decoderd.analysis import candidates, dimensionality, manifolds
from decoderd.analysis.stability import spectral_radius
from decoderd.arrays import Array
from decoderd.experiments.manifold import static_network as networks
from decoderd.experiments.manifold import training
from decoderd.experiments.manifold.static_network import Moments, Network, Rates
from decoderd.rng import Spec, Stream, generator

LAZY, RICH = 0.55, 1.0
BETWEEN = (0.6, 0.7, 0.8, 0.9)
DIMENSION = 6
INITIAL_RATE, INITIAL_UPDATES = 1e-2, 500
RATE, UPDATES = 1e-3, 2000
SWEEP_RATES, SWEEP_UPDATES = (1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2), 1000
REGIME_UPDATES = 500
INCREMENTS, INCREMENTAL_UPDATES, ENOUGH = (0.4, 0.6, 0.8, 0.9, 1.0), 100, 0.75
SNAPSHOTS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
REDUCTIONS = (0.5, 0.75, 0.9)
WITHIN, OUTSIDE = 0, 1  # along axes of length 2

Result = TypeVar("Result", bound=NamedTuple)


class Prepared(NamedTuple):
    """S networks after initial training, their manifolds, decoders and chosen perturbations."""

    drawn: Network  # before initial training
    network: Network  # after it
    run: training.TrainingRun
    moments: Moments  # of activity after it
    axes: Array  # (S, M, N) C
    decoder: Array  # (S, 2, M) D
    within: NDArray[np.int64]  # (S, M) the order of the WMP
    outside: NDArray[np.int64]  # (S, N) the order of the OMP
    readouts: Array  # (S, 2, 2, N) of WMP and OMP


class LearningResult(NamedTuple):
    """Results of learning a WMP and an OMP, for S seeds; an axis of 2 is (within, outside) unless a comment differs."""

    radius: Array  # (S, 2) spectral radius of W before and after initial training
    components: Array  # (S,) number of principal components that hold 95 % of the variance
    participation: Array  # (S,) participation ratio
    variance_in_manifold: Array  # (S,) as a fraction of the total variance
    initial_losses: Array  # (S, 2) before and after initial training
    manifold_loss: Array  # (S,) with the decoder within the manifold
    losses: Array  # (S, 2, n + 1)
    gradient_norms: Array  # (S, 2, n)
    weight_change: Array  # (S, 2) |W_end - W_start|
    relative_change: Array  # (S, 2) the same over |W_start|
    effective_rank: Array  # (S, 2) of W_end - W_start
    overlaps: Array  # (S, 2, snapshots) manifold overlap
    angles: Array  # (S, 2, snapshots) rad, smallest, between the dominant modes and the readout
    # (S, 2, snapshots) rad, smallest, between the change of the covariance by one update and the readout
    step_angles: Array
    # (S, 2) variance along the OMP's axes over that along the manifold's: before and after learning the OMP
    projection: Array
    relative_projection: Array  # (S,) variance along the OMP's axes, after over before
    # (S, 3, 3) relative change of variance in the dimensions that a decoder reads, when a WMP's loss has fallen by 50,
    # 75 and 90 %; the decoders are D, the perturbed one, and D[:, order] (see `_strategies`)
    strategies: Array
    stopped: Array  # (S, 2) the update that would have made a network unstable, -1 for none
    rounding: Array  # (S,) the largest of its batch


class RateResult(NamedTuple):
    """Stability of learning at one learning rate."""

    unstable: Array  # (S, 2) 0 or 1
    irregular: Array  # (S, 2)
    losses: Array  # (S, 2, n + 1)


class SampledResult(NamedTuple):
    """Losses of learning from samples of activity instead of the exact gradient."""

    losses: Array  # (S, 2, n + 1) expected losses
    stopped: Array  # (S, 2)


class IncrementalResult(NamedTuple):
    """Losses of an OMP learned directly and in increments, with the same number of updates."""

    direct: Array  # (S,) loss on the whole OMP
    stepwise: Array  # (S,)
    direct_losses: Array  # (S, n + 1)
    stepwise_losses: Array  # (S, n + 1) on the whole OMP


def prepare(seeds: tuple[int, ...], exponent: float) -> Prepared:
    """Draw and train networks, find manifold and decoder, and choose the pair of perturbations."""
    drawn = networks.draw(seeds, exponent)
    run = training.train(drawn, Rates(np.full(len(seeds), INITIAL_RATE)), INITIAL_UPDATES)
    network = run.end
    moments = networks.moments(network)
    each = [_perturb(seed, network, moments, s) for s, seed in enumerate(seeds)]
    axes, decoder, within, outside, readouts = (np.array(one) for one in zip(*each, strict=True))
    return Prepared(drawn, network, run, moments, axes, decoder, within, outside, readouts)


def _perturb(seed: int, network: Network, moments: Moments, s: int) -> tuple[Array, ...]:
    axes = manifolds.principal(moments.total[s], DIMENSION)
    decoder = manifolds.decoder_within(axes, network.V[s], moments.second[s])
    orders = (
        candidates.within(DIMENSION, generator(seed, "manifold/within")),
        candidates.outside(network.b.shape[1], generator(seed, "manifold/outside")),
    )
    readouts = (
        candidates.readouts_within(decoder, axes, orders[0]),
        candidates.readouts_outside(decoder, axes, orders[1]),
    )
    hard = [
        candidates.expected_losses(some, moments.means[s], moments.private[s], network.targets) for some in readouts
    ]
    pair = candidates.equally_hard(*hard)
    chosen = np.array([readouts[0][pair.within], readouts[1][pair.outside]])
    return axes, decoder, orders[0][pair.within], orders[1][pair.outside], chosen


def perturbed_networks(prepared: Prepared) -> Network:
    """2 S networks: all seeds with the WMP, then all seeds with the OMP."""
    twice = networks.chosen(prepared.network, list(range(len(prepared.within))) * 2)
    return twice._replace(V=np.concatenate([prepared.readouts[:, WITHIN], prepared.readouts[:, OUTSIDE]]))


def learn(seeds: tuple[int, ...], exponent: float, updates: int = UPDATES) -> LearningResult:
    """Learn both perturbations; returns learning curves and changes of weights and activity."""
    prepared = prepare(seeds, exponent)
    network, S = perturbed_networks(prepared), len(seeds)
    snapshots = tuple(update for update in SNAPSHOTS if update <= updates)
    rates = Rates(np.full(2 * S, RATE))
    run = training.train(network, rates, updates, snapshots, tuple(1 - part for part in REDUCTIONS))
    before, after = prepared.moments.total, networks.moments(run.end).total
    axes, twice = prepared.axes, np.concatenate([prepared.axes] * 2)
    permuted_axes = np.take_along_axis(axes, prepared.outside[:, np.newaxis], axis=2)  # C[:, order]
    change = np.linalg.norm(run.end.W - network.W, axis=(1, 2))
    in_time = [_activity(network, run.at[:, i], twice, prepared.moments) for i in range(len(snapshots))]
    overlaps, angles, step_angles = (_paired(np.stack(one, axis=1)) for one in zip(*in_time, strict=True))
    before_along = manifolds.variance_along(permuted_axes, before)
    after_along = manifolds.variance_along(permuted_axes, after[S:])
    within_manifold = networks.loss(prepared.network._replace(V=prepared.decoder @ axes))
    return LearningResult(
        radius=np.array(
            [
                [spectral_radius(a), spectral_radius(b)]
                for a, b in zip(prepared.drawn.W, prepared.network.W, strict=True)
            ]
        ),
        components=manifolds.dimensions_for(before, 0.95).astype(float),
        participation=dimensionality.participation_ratio(before),
        variance_in_manifold=manifolds.part_along(axes, before),
        initial_losses=prepared.run.losses[:, [0, -1]],
        manifold_loss=within_manifold,
        losses=_paired(run.losses),
        gradient_norms=_paired(run.gradient_norms),
        weight_change=_paired(change),
        relative_change=_paired(change / np.linalg.norm(network.W, axis=(1, 2))),
        effective_rank=_paired(manifolds.effective_rank(run.end.W - network.W)),
        overlaps=overlaps,
        angles=angles,
        step_angles=step_angles,
        projection=np.stack(
            [
                before_along / manifolds.variance_along(axes, before),
                after_along / manifolds.variance_along(axes, after[S:]),
            ],
            axis=1,
        ),
        relative_projection=after_along / before_along,
        strategies=_strategies(prepared, run.below[:S]),
        stopped=_paired(run.stopped),
        rounding=np.full(S, max(run.rounding, prepared.run.rounding)),
    )


def _activity(network: Network, W: Array, axes: Array, before: Moments) -> tuple[Array, Array, Array]:
    """Overlap, angle of dominant modes to the readout, angle of an update's change to it, (B,) each; NaN if stopped."""
    found = np.full((3, len(W)), np.nan)
    going = np.flatnonzero(np.isfinite(W).all(axis=(1, 2)))
    here = networks.chosen(network, going)._replace(W=W[going])
    now = networks.moments(here)
    start = before.total[going % len(before.total)]
    dominant = np.linalg.eigh(now.total)[1][..., -DIMENSION:].swapaxes(1, 2)
    # First order in the update: dV = A dW V + its transpose, of rank four
    half = networks.gain(here.W) @ networks.gradients(here).W @ now.total
    changed = np.linalg.svd(half + half.swapaxes(1, 2))[2][:, :4]
    found[0, going] = manifolds.overlap(axes[going], start, now.total)
    found[1, going] = manifolds.principal_angles(dominant, here.V)[:, 0]
    found[2, going] = manifolds.principal_angles(changed, here.V)[:, 0]
    return found[0], found[1], found[2]


def _strategies(prepared: Prepared, below: Array) -> Array:
    """Changes of variance in the dimensions that decoders read, (S, decoders, reductions).

    The perturbed readout is D C[order]; of the coordinates it reads D with its columns in the inverse order. The third
    decoder, D[:, order], is that of the independent program whose values are the bands; the two are the same where
    order is its own inverse.
    """
    within = prepared.within[:, np.newaxis]
    orders = (np.argsort(within, axis=2), within)
    read = [prepared.decoder, *(np.take_along_axis(prepared.decoder, order, axis=2) for order in orders)]
    both = np.stack(read, axis=1)
    axes = prepared.axes[:, np.newaxis]
    first = manifolds.strategy_variance(both, axes, prepared.moments.total[:, np.newaxis])
    out = np.full((*first.shape, below.shape[1]), np.nan)
    for i in range(below.shape[1]):
        for s in np.flatnonzero(np.isfinite(below[:, i]).all(axis=(1, 2))):
            one = networks.chosen(prepared.network, [int(s)])._replace(W=below[[s], i])
            total = networks.moments(one).total
            out[s, :, i] = manifolds.strategy_variance(both[s], axes[s], total) / first[s] - 1
    return out


def sweep_rate(seeds: tuple[int, ...], exponent: float, rate: float, updates: int = SWEEP_UPDATES) -> RateResult:
    """Whether learning at this rate becomes unstable, or irregular: the loss rises at any update."""
    prepared = prepare(seeds, exponent)
    run = training.train(perturbed_networks(prepared), Rates(np.full(2 * len(seeds), rate)), updates)
    return RateResult(
        _paired((run.stopped >= 0).astype(float)),
        _paired(training.irregular(run).astype(float)),
        _paired(run.losses),
    )


def learn_in_increments(seeds: tuple[int, ...], exponent: float) -> IncrementalResult:
    """Learn an OMP directly, and through mixtures of the two readouts with more and more of the OMP.

    The next mixture follows when the loss is below 0.75 of its first value. The total number of updates is that of
    learning directly; those that are left are spent on the whole OMP.
    """
    prepared = prepare(seeds, exponent)
    intuitive = prepared.decoder @ prepared.axes
    full = prepared.network._replace(V=prepared.readouts[:, OUTSIDE])
    direct = training.train(full, Rates(np.full(len(seeds), RATE)), INCREMENTAL_UPDATES)
    stepwise = np.array([_stepwise(networks.chosen(full, [s]), intuitive[[s]]) for s in range(len(seeds))])
    return IncrementalResult(direct.losses[:, -1], stepwise[:, -1], direct.losses, stepwise)


def _stepwise(full: Network, intuitive: Array) -> Array:
    """Losses on the whole OMP (updates + 1,) of one network that learns it in increments."""
    network, left, losses = full, INCREMENTAL_UPDATES, []
    for part in INCREMENTS:
        mixed = network._replace(V=(1 - part) * intuitive + part * full.V)
        run = training.train(mixed, Rates(np.array([RATE])), left, tuple(range(left + 1)))
        spent = training.updates_to(run.losses[0], ENOUGH) if part < 1 else np.nan
        count = left if np.isnan(spent) else int(spent)
        visited = run.at[0, : count + 1]
        losses += networks.loss(networks.chosen(full, [0] * len(visited))._replace(W=visited)).tolist()[:-1]
        network, left = full._replace(W=visited[-1:]), left - count
    return np.array([*losses, networks.loss(network)[0]])


def learn_from_samples(seeds: tuple[int, ...], exponent: float, updates: int = UPDATES) -> SampledResult:
    """Learn both perturbations from one sample of activity for each target at every update, the same for both."""
    prepared = prepare(seeds, exponent)
    network = perturbed_networks(prepared)
    noise = Stream(seeds * 2, "manifold/samples", Spec("normal", prod(network.U.shape[1:])))
    run = training.train(
        network,
        Rates(np.full(2 * len(seeds), RATE)),
        updates,
        samples=lambda update: noise.row(1, update).reshape(network.U.shape),
    )
    return SampledResult(_paired(run.losses), _paired(run.stopped))


def concatenate(results: list[Result]) -> Result:
    """Results of several parts as one, in the order of parts."""
    kind: Any = type(results[0])
    return kind(*(np.concatenate(field) for field in zip(*results, strict=True)))


def _paired(values: NDArray[Any]) -> NDArray[Any]:
    """Values (2 S, ...) of all WMPs, then all OMPs, as (S, 2, ...)."""
    S = len(values) // 2
    return np.stack([values[:S], values[S:]], axis=1)
