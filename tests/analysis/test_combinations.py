"""All sets of a size."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from decoderd.analysis import combinations


def score(units):
    return np.array([2.0 * (3 in units) + len(units), 0.0])


def test_every_set_once():
    found = combinations.of_size(score, [1, 3, 4, 6, 7], 3)
    assert len({tuple(one) for one in found.units.tolist()}) == comb(5, 3) == len(found.scores)
    expected = [1.0 + 0.5 * len(one) - 1.0 + 1.0 * (3 in one) for one in found.units.tolist()]
    np.testing.assert_allclose(found.scores, expected)


def test_with_and_without_the_leading_units():
    found = combinations.of_size(score, range(5), 2)
    held, missed = combinations.with_and_without(found, {3})
    assert (len(held), len(missed)) == (4, 6)
    assert (set(held), set(missed)) == ({2.0}, {1.0})
    held, missed = combinations.with_and_without(found, {0, 3})
    assert (len(held), len(missed)) == (7, 3)


def test_d_prime_of_two_gaussians():
    generator = np.random.default_rng(1)
    a, b = generator.normal(1.0, 2.0, 200_000), generator.normal(4.0, 1.0, 200_000)
    assert combinations.d_prime(a, b) == pytest.approx(3.0 / 1.5, rel=0.01)
    assert combinations.d_prime(b, a) == combinations.d_prime(a, b)
