import numpy as np
import pytest

from decoderd.experiments.bursts import network, rule_demo
from decoderd.experiments.bursts.rule_demo import Stage


def test_neurons_receive_the_noise_of_their_external_neurons():
    """Rates of arrivals follow from the numbers of external neurons, their rates and the probabilities."""
    made, _ = rule_demo.made(1, 100)
    steps, seconds = 20_000, 2.0
    drawn = made.noise(np.random.default_rng(1), steps)
    assert drawn.counts.shape == (steps, 5)
    expected = np.array([100 * 5.0, 100 * 5.0, 30 * 5.0, 30 * 5.0, 20 * 1.0]) * 100 * seconds
    np.testing.assert_allclose(drawn.counts.sum(axis=0)[:4], expected[:4], rtol=0.05)
    np.testing.assert_allclose(drawn.counts.sum(axis=0)[4], expected[4], rtol=0.3)  # of 200 spikes, each to 20 neurons
    source = np.repeat(np.tile(np.arange(5), steps), drawn.counts.ravel())
    assert drawn.neurons[source < 4].max() < 100
    assert drawn.neurons[source == 4].min() >= 100


def test_stages_have_ratios_to_the_first_weight_and_the_last_to_the_stage_before():
    stages = [Stage(1.0, ratio, 5.0, 0.1, 0.1) for ratio in (1.0, 1.1, 1.0, 0.95, 1.0, 0.9)]
    assert rule_demo.ratios(stages).tolist() == [1.0, 1.1, 1.0, 0.95, 1.0, 0.9]


def test_the_part_reports_the_stages(monkeypatch):
    published = (1.007, 1.070, 1.001, 0.957, 0.993, 0.994)
    stages = [Stage(1.0, ratio, 4.5, 0.1, 0.14) for ratio in published]
    monkeypatch.setattr(rule_demo, "demonstrated", lambda seed: stages)
    found = rule_demo.run(2, 1, lambda *progress: None)
    assert len(found.bands) == 12
    assert all(band.ok for band in found.bands)


def test_all_stages_are_run_with_learning_on(monkeypatch):
    """A small network, for a short time."""
    monkeypatch.setattr(network, "COMPILED", False)
    monkeypatch.setattr(rule_demo, "WEIGHT", 0.6)  # as many inputs as in the large network are 200
    stages = rule_demo.demonstrated(1, n=50, burn_in_s=0.2, stage_s=0.2)
    assert [stage.drive for stage in stages] == list(rule_demo.STAGES)
    assert any(stage.event_rate_hz > 0 for stage in stages)
    assert stages[0].weight_ratio != stages[-1].weight_ratio


@pytest.mark.campaign
def test_weights_follow_changes_of_the_burst_probability():
    found = rule_demo.run(1, 1, lambda *progress: None)
    assert [band.name for band in found.bands if not band.ok] == []
