"""Recurrent networks that learn dynamics. The whole experiment is `decoderd reproduce bias --part dynamics`."""

import numpy as np
import pytest

from decoderd.experiments.bands import Band
from decoderd.experiments.bias import dynamics, recurrent
from decoderd.experiments.bias.dynamics import BIASES, CYCLE, FED_BACK, FORECAST, FULL, SINE, Condition


@pytest.fixture
def brief(monkeypatch):
    """Few updates of small networks."""
    monkeypatch.setattr(dynamics, "GAINS", (0.5, 1.25))
    monkeypatch.setattr(dynamics, "NARROW", 12)
    monkeypatch.setattr(dynamics, "WIDTHS", (12, 16))
    monkeypatch.setattr(Condition.__new__, "__defaults__", (12,))
    few = {name: one._replace(updates=dict.fromkeys(one.updates, 3)) for name, one in dynamics.METHODS.items()}
    monkeypatch.setattr(dynamics, "METHODS", few)


def published(claimed=True):
    """Errors of all conditions as published, or those of networks that never learn."""
    errors = {}
    for one in dynamics.conditions():
        learned = one.task != CYCLE or one.method == FULL or one.gain >= 1
        errors[one] = np.full(4, (0.01 if learned else 0.5) * 100 / one.units if claimed else 2.0)
    return errors


def test_the_published_claims_are_within_all_bands():
    found = dynamics.bands(published(), 1.09)
    assert [band for band in found if not band.ok] == []
    assert len(found) == 2 * 2 * len(dynamics.GAINS) + 2 + 2 + 2


def test_networks_that_do_not_learn_miss_the_claims():
    missed = {band.name for band in dynamics.bands(published(False), 1.09) if not band.ok}
    assert "sine, biases, gain 0.5: share of seeds that learn it" in missed
    assert "van der Pol, biases, gain 1: share of seeds that learn it" in missed
    assert "van der Pol, biases, gain 0.5: share of seeds that learn it" not in missed
    assert "Lorenz, full training: largest median error over gains" in missed


def test_a_network_that_overflowed_has_not_learned():
    assert dynamics._median(np.array([np.nan, np.nan, 0.1])) == np.inf
    assert dynamics._learned(np.array([np.nan, 0.05])) == 0.5


def test_biases_generate_a_sine_at_a_high_gain_and_weights_stay(monkeypatch):
    fewer = {**dynamics.METHODS, BIASES: dynamics.METHODS[BIASES]._replace(updates={SINE: 150})}
    monkeypatch.setattr(dynamics, "METHODS", fewer)
    found = [dynamics.trained(Condition(SINE, BIASES, 1.5, 100), seed) for seed in (1, 2)]
    assert found[0].changed == found[1].changed == 0
    assert min(one.error for one in found) < 0.25
    assert dynamics.trained(Condition(SINE, BIASES, 0.5, 100), 1).error > 0.5


def test_changed_weights_are_counted(monkeypatch, brief):
    train = recurrent.train

    def wrong(values, *given):
        after, losses = train(values, *given)
        after["V"] = after["V"].copy()
        after["V"][0, :2] += 1
        return after, losses

    monkeypatch.setattr(recurrent, "train", wrong)
    assert dynamics.trained(Condition(FORECAST, BIASES, 1.0), 1).changed == 2
    assert dynamics.trained(Condition(CYCLE, FULL, 1.0), 1).changed == 0


def test_the_part_runs_every_condition(brief):
    done = []
    found = dynamics.run(2, 1, lambda number, of: done.append(number))
    assert len(done) == 2 * len(dynamics.conditions())
    assert found.bands[-1] == Band("weights that changed", 0, 0, 0)
    assert len(found.more["errors"]) == len(dynamics.conditions()) == 2 * (3 + 2 + 3) + 4
    assert f"Lorenz, {BIASES}, gain 1.25, 16 units" in found.more["errors"]
    assert f"sine, {FED_BACK}, gain 0.5, 12 units" in found.more["errors"]


def test_the_forecast_that_nothing_changes_misses_as_much_as_there_is():
    inputs, targets = dynamics._tested()
    x, y = inputs[20:].ravel(), targets[20:].ravel()
    assert dynamics.persistence() == pytest.approx(np.mean((x - y) ** 2) / np.var(y))
