"""The linear decoder, against its sum written out."""

import numpy as np
import pytest

from decoderd.decoders.linear import LINEAR

N = 6


def arrays():
    draw = np.random.default_rng(1)
    return {
        "M1": np.array([[0.8, 0.1], [-0.05, 0.7]]),
        "M2": draw.normal(0, 0.02, (2, N)),
        "m0": np.array([0.01, -0.02]),
        "count_mean": draw.uniform(1, 5, N),
    }


def counts(bins=100):
    return np.random.default_rng(2).poisson(3.0, (bins, N)).astype(float)


def test_agrees_with_a_computation_by_loops(plain):
    given, v, expected = arrays(), [0.0, 0.0], []
    for y in counts():
        v = [
            sum(given["M1"][i, j] * v[j] for j in range(2))
            + sum(given["M2"][i, k] * y[k] for k in range(N))
            + given["m0"][i]
            for i in range(2)
        ]
        expected.append(v)
    np.testing.assert_allclose(plain.decoded(LINEAR, LINEAR.load(given), counts()), expected, rtol=0, atol=1e-14)


def test_without_m1_it_has_no_memory(plain):
    M2 = arrays()["M2"]
    rows = plain.decoded(LINEAR, LINEAR.load({"M2": M2}), counts())
    np.testing.assert_allclose(rows, counts() @ M2.T, rtol=0, atol=1e-15)


@pytest.mark.parametrize("units", [np.array([2]), np.arange(N)])
def test_rotation_rotates_contributions_about_mean_counts(units):
    given, angle = arrays(), 0.9
    p = LINEAR.load(given)
    turned = LINEAR.rotate(p, angle, units)
    y, v = counts(1)[0], np.array([[0.1, -0.2]])
    _, command = LINEAR.step(turned, v, y[np.newaxis], None)
    expected = given["M1"] @ v[0] + given["m0"] + given["M2"] @ given["count_mean"]
    R = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for k in range(N):
        share = given["M2"][:, k] * (y[k] - given["count_mean"][k])
        expected = expected + (R @ share if k in units else share)
    np.testing.assert_allclose(command.velocity[0], expected, rtol=0, atol=1e-14)
    same = LINEAR.step(turned, v, given["count_mean"][np.newaxis], None)[1].velocity
    np.testing.assert_allclose(same, LINEAR.step(p, v, given["count_mean"][np.newaxis], None)[1].velocity, atol=1e-15)


def test_permuted_units_are_read_in_their_new_order(plain):
    p, order = LINEAR.load(arrays()), np.array([3, 0, 5, 1, 4, 2])
    found = plain.decoded(LINEAR, LINEAR.permute_units(p, order), counts())
    np.testing.assert_allclose(found, plain.decoded(LINEAR, p, counts()[:, order]), rtol=0, atol=1e-15)


def test_rotation_after_permutation_is_about_the_counts_it_reads(plain):
    """Units and their means move together, so either may come first."""
    p, order = LINEAR.load(arrays()), np.array([3, 0, 5, 1, 4, 2])
    one = LINEAR.rotate(LINEAR.permute_units(p, order), 0.4, np.array([order[1]]))
    other = LINEAR.permute_units(LINEAR.rotate(p, 0.4, np.array([1])), order)
    np.testing.assert_allclose(plain.decoded(LINEAR, one, counts()), plain.decoded(LINEAR, other, counts()), atol=1e-15)
