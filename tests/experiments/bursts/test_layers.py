"""Layers that learn digits by bursts. The whole experiment is a campaign."""

import numpy as np
import pytest

from decoderd.experiments.bursts import layers
from decoderd.experiments.digit_images import digits
from decoderd.plasticity.burstprop import Rates


def test_angles_are_those_of_all_weights_together():
    x, y = np.array([[1.0, 0.0]]), np.array([0.0])
    assert layers.angle((x, y), (3 * x, y)) == 0
    assert layers.angle((x, y), (0 * x, y + 2)) == pytest.approx(np.pi / 2)
    assert layers.angle((x, y), (-x, y)) == pytest.approx(np.pi)
    assert layers.angle((x, y), (x, y + 1e-9)) == pytest.approx(1e-9)


@pytest.mark.parametrize("by", ["bursts", "gradient"])
def test_one_hidden_layer_learns(by):
    rates = Rates() if by == "bursts" else Rates(hidden=0.003, output=0.003)
    draw, given = np.random.default_rng, digits(2)
    found = layers.learn(draw(2), 1, by, rates, given, epochs=6)
    assert found.errors[-1] < 0.15
    assert found.output_angles.max() < 1e-6
    assert (found.hidden_angles.max() < 1e-6) == (by == "gradient")
    assert np.degrees(found.hidden_angles[-1]) < 70
    again = layers.learn(draw(2), 1, by, rates, given, epochs=2)
    np.testing.assert_array_equal(again.errors, found.errors[:2])


@pytest.mark.parametrize("by", ["bursts", "gradient"])
def test_tuning_takes_the_rates_with_the_smallest_error_in_held_out_digits(by, monkeypatch):
    monkeypatch.setattr(layers, "HIDDEN_RATES", (0.0, 0.03))
    monkeypatch.setattr(layers, "OUTPUT_RATES", (0.0, 0.003))
    seen, learn = [], layers.learn

    def recorded(draw, depth, its, rates, given):
        found = learn(draw, depth, its, rates, given, epochs=2)
        seen.append((rates, found.errors[-1], len(given.inputs)))
        return found

    monkeypatch.setattr(layers, "learn", recorded)
    best = layers.tune(1, 1, by)
    assert len(seen) == 4 * layers.TUNING_NETWORKS
    assert {number for _, _, number in seen} == {1097}
    means = {rates: np.mean([error for its, error, _ in seen if its == rates]) for rates, _, _ in seen}
    assert means[best] == min(means.values()) < max(means.values())
