"""Predictions from recorded activity: against the decoder itself, bin by bin, and a published recording."""

import os
from pathlib import Path

import numpy as np
import pytest

from decoderd.analysis import candidates, open_loop
from decoderd.arrays import load_npz
from decoderd.decoders import intrinsic_manifold
from decoderd.errors import ArrayError, NumericalError

N, F, K, T = 12, 4, 5, 200


def decoder_arrays(seed=1):
    draw = np.random.default_rng(seed)
    mixing = draw.normal(size=(F, F))
    return {
        "count_mean": draw.uniform(1, 6, N),
        "count_scale": draw.uniform(0.3, 1.2, N),
        "fa_loadings": draw.normal(0, 0.5, (N, F)),
        "fa_private_var": draw.uniform(0.2, 0.9, N),
        "factor_mean": draw.normal(0, 0.2, F),
        "factor_scale": draw.uniform(0.7, 1.6, F),
        "kf_A": np.array([[0.9, 0.05], [-0.03, 0.85]]),
        "kf_b": np.array([0.002, -0.001]),
        "kf_Q": np.array([[4e-4, 1e-4], [1e-4, 3e-4]]),
        "kf_C": draw.normal(0, 12, (F, 2)),
        "kf_d": draw.normal(0, 0.2, F),
        "kf_R": mixing @ mixing.T + 0.5 * np.eye(F),
        "permutation": np.array([2, 0, 3, 1]),
    }


@pytest.fixture
def decoder():
    return intrinsic_manifold.load(decoder_arrays())


@pytest.fixture
def recorded():
    draw = np.random.default_rng(2)
    target = draw.permutation(np.arange(T) % K)
    angle = 2 * np.pi * target / K + draw.normal(0, 0.1, T)
    counts = draw.poisson(4 + 2 * np.cos(angle[:, np.newaxis] - draw.uniform(0, 6, N)))
    return open_loop.calibration(counts, np.column_stack([np.cos(angle), np.sin(angle)]), target, 0.045)


def mappings(decoder, orders):
    return open_loop.within_manifold(decoder.given, decoder.K, decoder.posterior, orders)


def test_within_is_the_decoder_with_that_permutation(decoder):
    orders = candidates.within(F, np.random.default_rng(3))
    found = mappings(decoder, orders)
    for p, order in enumerate(orders):
        expected = intrinsic_manifold.load({**decoder_arrays(), "permutation": order}).mapping
        np.testing.assert_allclose(found.weights[p], expected.M2, atol=1e-12)
        np.testing.assert_allclose(found.constant[p], expected.m0, atol=1e-12)


def test_outside_is_the_decoder_with_permuted_units(decoder):
    orders = candidates.outside(N, np.random.default_rng(3), 20)
    found = open_loop.outside_manifold(decoder.given, decoder.K, decoder.posterior, orders)
    for p, order in enumerate(orders):
        expected = intrinsic_manifold.permute_units(decoder, order).mapping
        np.testing.assert_allclose(found.weights[p], expected.M2, atol=1e-12)
        np.testing.assert_allclose(found.constant[p], expected.m0, atol=1e-12)


def test_progress_is_the_mean_over_a_targets_bins(decoder, recorded):
    some = mappings(decoder, candidates.within(F, np.random.default_rng(3))[:6])
    found = open_loop.progress(some, recorded)
    v = open_loop.velocities(some, recorded.counts)
    for p in range(6):
        for k in range(K):
            bins = [0.045 * v[p, t] @ recorded.towards[t] for t in range(T) if recorded.target[t] == k]
            assert found[p, k] == pytest.approx(np.mean(bins))


def test_the_intuitive_mapping_needs_no_change(decoder, recorded):
    same = mappings(decoder, decoder.given["permutation"])
    found = open_loop.predict(same, same, recorded)
    assert found.velocity_change[0] == pytest.approx(0, abs=1e-12)
    assert found.direction_change[0] == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(found.angles, 0, atol=1e-7)


def test_a_rotated_mapping_needs_rotated_preferred_directions(decoder, recorded):
    """If the cursor is turned by an angle, tuning within the mapping's own space has to turn back by it."""
    same = mappings(decoder, decoder.given["permutation"])
    c, s = np.cos(0.5), np.sin(0.5)
    turned = same._replace(weights=np.array([[c, -s], [s, c]]) @ same.weights)
    found = open_loop.predict(turned, same, recorded)
    np.testing.assert_allclose(found.angles, 0, atol=1e-7)  # the same two dimensions are read
    assert found.velocity_change[0] > 0
    assert 0.05 < found.direction_change[0] < 0.5  # part of the tuning is in dimensions that are not read


def test_restored_activity_has_the_intuitive_velocities(decoder, recorded):
    """The change of preferred directions, computed in a plainer way: least squares for one target at a time."""
    same = mappings(decoder, decoder.given["permutation"])
    other = mappings(decoder, [1, 3, 0, 2])
    sd = recorded.counts.std(axis=0)
    means = np.array([recorded.counts[recorded.target == k].mean(axis=0) for k in range(K)])
    towards = np.array([recorded.towards[recorded.target == k].mean(axis=0) for k in range(K)])
    restored = []
    for mean in means:
        missing = same.weights[0] @ mean + same.constant[0] - other.weights[0] @ mean - other.constant[0]
        restored.append(mean + sd * np.linalg.lstsq(other.weights[0] * sd, missing, rcond=None)[0])
    waves = np.column_stack([towards, np.ones(K)])
    x, y, _ = np.linalg.lstsq(waves, means, rcond=None)[0]
    x_new, y_new, _ = np.linalg.lstsq(waves, np.array(restored), rcond=None)[0]
    change = np.abs((np.arctan2(y_new, x_new) - np.arctan2(y, x) + np.pi) % (2 * np.pi) - np.pi)
    assert open_loop.predict(other, same, recorded).direction_change[0] == pytest.approx(change.mean())


def test_wrong_recordings_are_refused(decoder, recorded):
    with pytest.raises(ArrayError, match=r"permutation of 4 holds each of 0\.\.3 once"):
        mappings(decoder, [0, 1, 2])
    with pytest.raises(ArrayError, match="permutation of 12"):
        open_loop.outside_manifold(decoder.given, decoder.K, decoder.posterior, [0, 1, 2])
    counts, towards = recorded.counts, recorded.towards
    with pytest.raises(ArrayError, match="target 1 occurs in no bin"):
        open_loop.calibration(counts, towards, 2 * (np.arange(T) % 2), 0.045)
    with pytest.raises(ArrayError, match="cursor_to_target: has shape"):
        open_loop.calibration(counts, towards[:-1], recorded.target, 0.045)
    same = mappings(decoder, decoder.given["permutation"])
    with pytest.raises(NumericalError, match="two dimensions"):
        open_loop.predict(same._replace(weights=same.weights[:, [0, 0]]), same, recorded)
    two = open_loop.calibration(counts, towards, np.arange(T) % 2, 0.045)
    with pytest.raises(NumericalError, match="at least 3 targets"):
        open_loop.predict(same, same, two)


def test_a_published_recording():
    shared = os.environ.get("DECODERD_SHARED")
    if shared is None:
        pytest.skip("DECODERD_SHARED is not set: it names the folder that holds data/jeffy_20120305")
    arrays = load_npz(Path(shared) / "data" / "jeffy_20120305" / "calibration.npz")
    decoder = intrinsic_manifold.load(arrays)
    recorded = open_loop.calibration(
        arrays["counts"], arrays["cursor_to_target"], arrays["target"], float(arrays["bin_s"])
    )
    orders = np.concatenate([[np.arange(10)], candidates.within(10, np.random.default_rng(1))])
    found = mappings(decoder, orders)
    assert np.abs(found.weights[0] - arrays["M2"]).max() < 1e-6
    assert np.abs(open_loop.velocities(found, recorded.counts)[0] - arrays["single_step_velocity"]).max() < 1e-6
    moved = (arrays["single_step_velocity"] * arrays["cursor_to_target"]).sum(axis=1) * 0.045
    progress = open_loop.progress(found, recorded)
    for k in range(8):
        assert progress[0, k] == pytest.approx(moved[arrays["target"] == k].mean(), abs=1e-6)
    assert progress[0].round(2).tolist() == [4.20, 4.91, 4.90, 4.64, 3.66, 1.78, 2.63, 3.08]
    for p in (1, 77, 9999):
        expected = intrinsic_manifold.load({**arrays, "permutation": orders[p]}).mapping
        assert np.abs(found.weights[p] - expected.M2).max() < 1e-6
        assert np.abs(found.constant[p] - expected.m0).max() < 1e-6
    assert (progress[1:].mean(axis=1) < progress[0].mean()).all()  # no permutation does better than the mapping itself
