"""Networks that learn to reach by biases alone, on a small recipe."""

from typing import Any

import numpy as np

from decoderd.experiments import pretrained
from decoderd.experiments.bias import reaching
from decoderd.preparation.pretraining import Pretrained
from decoderd.protocol import protocol
from tests.experiments.small import small


def test_changed_weights_of_bias_learning_are_counted(monkeypatch):
    """With a training that changes three weights by mistake."""

    def wrong_training(settings, kind, config, population, timing, seeds):
        U = population.U.copy()
        U[0, 0, :3] = np.nextafter(U[0, 0, :3], 1)
        return Pretrained(population._replace(U=U, b=population.b + 1), np.ones((len(seeds), 5)))

    monkeypatch.setattr("decoderd.preparation.pretraining.train", wrong_training)
    assert reaching.learn("recurrent", (1, 2)).changed == 3


def test_the_feedforward_network_has_no_recurrence_and_no_memory():
    given: Any = reaching.recipe("feedforward")
    assert given.population.recurrent_weights.normal == (0.0, 0.0)
    assert given.population.tau_s == given.tick_s


def test_bias_bands_of_loss_removed_and_weights_changed(monkeypatch):
    data = small()
    data["population"] |= {"units": 40, "motor_weights": {"normal": [0.0, 0.05]}}
    data["pretraining"] |= {"plasticity": {"kind": "bias", "trials_per_update": 4}, "updates": 250}
    monkeypatch.setattr(pretrained, "load_recipe", lambda name: protocol.parse(data))
    outcome = reaching.run(2, 1, lambda done, of: None)
    values = {band.name: band.value for band in outcome.bands}
    assert values["recurrent: weights that changed"] == values["feedforward: weights that changed"] == 0
    assert 0 < values["recurrent: smallest part of the loss removed, over seeds"] <= 1
    assert 0 < values["feedforward: smallest part of the loss removed, over seeds"] <= 1
