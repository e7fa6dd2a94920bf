"""Parts of the manifold experiment for a few seeds: properties of every network, independent of processes."""

import numpy as np
import pytest

from decoderd.analysis import candidates, manifolds
from decoderd.experiments.manifold import expected, experiment, report
from decoderd.experiments.manifold import static_network as networks
from decoderd.studies import processes

SEEDS = (1, 2)


@pytest.fixture(scope="module")
def prepared():
    return experiment.prepare(SEEDS, experiment.LAZY)


@pytest.fixture(scope="module")
def learned():
    return experiment.learn(SEEDS, experiment.LAZY, 150)


def test_initial_training_learns(prepared):
    losses = prepared.run.losses
    assert losses.shape == (2, experiment.INITIAL_UPDATES + 1)
    assert (losses[:, -1] < 0.05 * losses[:, 0]).all()


def test_the_pair_is_equally_hard(prepared):
    """By losses of all candidates of one kind, computed here independently."""
    network, s = prepared.network, 0
    readouts = candidates.readouts_within(
        prepared.decoder[s], prepared.axes[s], candidates.within(6, np.random.default_rng(0))
    )
    moments = networks.moments(network)

    def per_target(readout):
        missed = readout @ moments.means[s] - network.targets
        return 0.5 * (missed**2).sum(axis=0) + 0.5 * np.trace(readout @ moments.private[s] @ readout.T)

    within, outside = (per_target(prepared.readouts[s, k]) for k in (experiment.WITHIN, experiment.OUTSIDE))
    distance = np.linalg.norm([per_target(one) - outside for one in readouts], axis=1)
    nearer = (distance < np.linalg.norm(within - outside) - 0.05).sum()
    assert nearer < 0.05 * len(readouts)  # OMPs lie close to the aim, so few WMPs are closer to the one chosen


def test_the_readouts_follow_from_the_orders(prepared):
    for s in range(2):
        np.testing.assert_allclose(
            prepared.readouts[s, 0], prepared.decoder[s] @ prepared.axes[s][prepared.within[s]], atol=1e-12
        )
        np.testing.assert_allclose(
            prepared.readouts[s, 1], (prepared.decoder[s] @ prepared.axes[s])[:, prepared.outside[s]], atol=1e-12
        )


def test_measures_before_learning(learned):
    np.testing.assert_allclose(learned.overlaps[:, :, 0], 1, atol=1e-12)
    np.testing.assert_allclose(learned.angles[:, 0, 0], 0, atol=1e-6)  # a WMP reads the manifold
    assert np.degrees(learned.angles[:, 1, 0]).min() > 45
    assert (learned.projection[:, 1] > learned.projection[:, 0]).all()


def test_weight_change_is_bounded_by_its_path(learned):
    path = experiment.RATE * learned.gradient_norms.sum(axis=-1)
    assert (learned.weight_change <= path).all()
    assert (learned.weight_change > 0.2 * path).all()


def test_strategies_against_projectors(prepared):
    """The perturbed decoder is that which the readout applies to the coordinates."""
    W = prepared.network.W * 0.9
    found = experiment._strategies(prepared, W[:, np.newaxis])
    now = networks.moments(prepared.network._replace(W=W)).total
    for s in range(2):
        C, V0, V1 = prepared.axes[s], prepared.moments.total[s], now[s]
        perturbed = prepared.readouts[s, 0] @ C.T
        for j, decoder in enumerate((prepared.decoder[s], perturbed, prepared.decoder[s][:, prepared.within[s]])):
            P = np.linalg.pinv(decoder) @ decoder
            change = np.trace(P @ C @ V1 @ C.T @ P) / np.trace(P @ C @ V0 @ C.T @ P) - 1
            assert found[s, j, 0] == pytest.approx(change)


def test_the_angle_of_an_update_against_a_small_step(prepared):
    network = experiment.perturbed_networks(prepared)
    axes = np.concatenate([prepared.axes] * 2)
    _, _, angle = experiment._activity(network, network.W, axes, prepared.moments)
    before = networks.moments(network).total
    after = networks.moments(network._replace(W=network.W - 1e-7 * networks.gradients(network).W)).total
    for b in range(4):
        values, vectors = np.linalg.eigh(after[b] - before[b])
        largest = vectors[:, np.argsort(-np.abs(values))[:4]].T
        assert manifolds.principal_angles(largest, network.V[b])[0] == pytest.approx(angle[b], abs=1e-3)


def test_increments_end_on_the_whole_perturbation(prepared):
    found = experiment.learn_in_increments(SEEDS, experiment.LAZY)
    assert found.stepwise_losses.shape == found.direct_losses.shape == (2, experiment.INCREMENTAL_UPDATES + 1)
    np.testing.assert_allclose(found.stepwise_losses[:, 0], found.direct_losses[:, 0])
    np.testing.assert_array_equal(found.stepwise, found.stepwise_losses[:, -1])
    assert (found.stepwise < found.stepwise_losses[:, 0]).all()


def test_a_high_rate_is_unstable_and_a_low_one_is_not():
    low, high = (experiment.sweep_rate(SEEDS, experiment.LAZY, rate, 60) for rate in (1e-3, 0.5))
    assert not low.unstable.any()
    assert high.unstable.all()
    assert high.irregular.all()


def test_learning_from_samples_is_near_to_learning_by_the_gradient(learned):
    found = experiment.learn_from_samples(SEEDS, experiment.LAZY, 150)
    np.testing.assert_allclose(found.losses[..., 0], learned.losses[..., 0])
    assert (found.losses != learned.losses)[..., 1:].all()
    assert np.abs(found.losses - learned.losses).max() < 0.2 * learned.losses.max()


def test_all_bands_have_a_name_and_a_range(learned):
    whole = learned._replace(losses=np.pad(learned.losses, ((0, 0), (0, 0), (0, 1850)), mode="edge"))
    bands = expected.learning_bands("lazy", whole)
    swept = [experiment.RateResult(np.zeros((20, 2)), np.ones((20, 2)), np.zeros((20, 2, 3)))] * 6
    bands += expected.rate_bands(swept)
    assert len({band.name for band in bands}) == len(bands) > 60
    assert all(band.low < band.high for band in bands)
    by_name = {band.name: band for band in bands}
    assert by_name["lazy: WMP: loss at first"].value == pytest.approx(learned.losses[:, 0, 0].mean())
    assert by_name["rate 0.01: OMP unstable"].ok
    assert not by_name["rate 0.001: WMP irregular"].ok
    assert all(band.power and band.power.original == 20 for band in bands)
    assert by_name["rate 0.001: WMP irregular"].power.seeds == 20


def test_strategies_are_compared_as_samples_of_wide_spread():
    """100 seeds whose standard deviation is twice the expected mean of 12 %, in each of three readings."""
    values = np.random.default_rng(1).normal(0, 1, 100)
    values = (values - values.mean()) / values.std(ddof=1)
    found = np.broadcast_to((0.2 + 0.24 * values)[:, np.newaxis, np.newaxis], (100, 3, 3)).copy()
    found[:5, :, 2] = np.nan  # never reached a reduction of 90 %
    bands = expected.strategy_bands("lazy", found)
    assert len({band.name for band in bands}) == 9
    first = bands[0]
    assert first.name == "lazy: WMP: change of variance read by the original decoder at 50% reduction"
    wide = 2 * np.sqrt(0.24**2 / 100 + 0.24**2 / 20)
    assert first[1:4] == pytest.approx((0.2, 0.12 - wide, 0.12 + wide))
    assert first.ok
    assert first.power.seeds == 100
    assert bands[2].power.seeds == 95
    assert not bands[2].ok  # 20 % against 199 %


def test_results_do_not_depend_on_processes_or_batches():
    single = [processes.Part(experiment.sweep_rate, ((seed,), experiment.LAZY, 1e-2, 60)) for seed in SEEDS]
    both = processes.Part(experiment.sweep_rate, (SEEDS, experiment.LAZY, 1e-2, 60))
    two = experiment.concatenate(processes.run(single, 2).results)
    (one,) = processes.run([both], 1).results
    for apart, at_once in zip(two, one, strict=True):
        np.testing.assert_array_equal(apart, at_once)


def test_the_report_has_more_seeds_of_what_varies_most(learned, monkeypatch):
    """Parts are replaced by what they would return; seeds above 2 are five times as many in all."""
    asked = []

    def tiled(seeds):
        whole = learned._replace(losses=np.pad(learned.losses, ((0, 0), (0, 0), (0, 1850)), mode="edge"))
        first = experiment.LearningResult(*(field[:1].repeat(len(seeds), axis=0) for field in whole))
        return first._replace(strategies=np.array(seeds, float)[:, np.newaxis, np.newaxis] * np.ones((1, 3, 3)))

    def answer(part):
        seeds, *given = part.arguments
        asked.append((part.function.__name__, tuple(given), seeds))
        if part.function is experiment.learn:
            return tiled(seeds)
        many = len(seeds)
        if part.function is experiment.sweep_rate:
            return experiment.RateResult(np.ones((many, 2)), np.ones((many, 2)), np.ones((many, 2, 3)))
        if part.function is experiment.learn_in_increments:
            return experiment.IncrementalResult(*(np.ones((many, *shape)) for shape in ((), (), (3,), (3,))))
        return experiment.SampledResult(np.ones((many, 2, 3)), np.full((many, 2), -1))

    def run(parts, jobs, on_progress):
        return processes.PoolResults([answer(part) for part in parts], [1.0] * len(parts))

    monkeypatch.setattr(processes, "run", run)
    outcome = report.manifolds(2, 1, lambda done, of: None)
    by_name = {band.name: band for band in outcome.bands}
    strategy = by_name["rich: WMP: change of variance read by the perturbed decoder at 50% reduction"]
    assert (strategy.value, strategy.power.seeds) == (5.5, 10)
    assert by_name["rate 0.05: OMP unstable"].power.seeds == 10
    assert by_name["rate 0.02: OMP unstable"].power.seeds == 2
    assert by_name["lazy: participation ratio"].power.seeds == 2
    assert outcome.report.settings["OMP unstable at rate 0.05, 10 seeds"] == "100% (72% to 100%)"
    assert outcome.report.settings[
        "lazy: change of variance read by the original decoder, 10 seeds, mean and SD"
    ].startswith("550% (287%)")
    wide = [one for one in asked if max(one[2]) > 2]
    assert {(name, given) for name, given, _ in wide} == {
        ("learn", (experiment.LAZY,)),
        ("learn", (experiment.RICH,)),
        ("sweep_rate", (experiment.LAZY, 0.05)),
    }
