"""Gradient descent in static networks: its steps, and the baselines of node perturbation."""

import numpy as np
import pytest
from pydantic import ValidationError

from decoderd.plasticity import TrialBatch, gradient_descent
from decoderd.plasticity.gradient_descent import BATCH, EXACT, NODE_PERTURBATION


def trial_batch(losses, targets, gradients):
    """Trials whose gradients are given, (B, n)."""
    return TrialBatch(np.array(losses), np.array(targets), lambda amounts: {"W": amounts @ np.array(gradients)})


@pytest.mark.parametrize("rule", [EXACT, BATCH])
def test_a_step_goes_down_the_mean_gradient(rule):
    config = rule.Config(trials_per_update=2, learning_rate=0.1)
    values = {"W": np.array([1.0, 2.0])}
    state = rule.init(config, values, 2, ())
    state, after = rule.learn(config, state, values, trial_batch([3.0], [0], [[4.0, 0.0]]))
    assert after is values
    state, after = rule.learn(config, state, values, trial_batch([5.0], [1], [[0.0, -6.0]]))
    np.testing.assert_allclose(after["W"], [1.0 - 0.1 * 2, 2.0 + 0.1 * 3], rtol=1e-14)
    assert rule.progress(state) == (1, 4.0, None)


def test_a_baseline_is_the_first_loss_and_then_a_running_mean():
    config = NODE_PERTURBATION.Config(trials_per_update=2, learning_rate=1.0, baseline_keep=0.75)
    values = {"W": np.zeros(2)}
    state = NODE_PERTURBATION.init(config, values, 2, ())
    for losses, expected, moved in (
        ([4.0, 6.0], [4.0, 6.0], [0.0, 0.0]),  # the first loss of a target is its baseline
        ([8.0, 6.0], [5.0, 6.0], [-(8 - 4) / 2, 0.0]),
        ([5.0, 2.0], [5.0, 5.0], [0.0, -(2 - 6) / 2]),
    ):
        state, after = NODE_PERTURBATION.learn(config, state, values, trial_batch(losses, [0, 1], np.eye(2)))
        np.testing.assert_allclose(state.baseline[:2], expected)
        np.testing.assert_allclose(after["W"] - values["W"], moved)
        values = after


def test_trials_without_a_target_share_a_baseline():
    config = NODE_PERTURBATION.Config(trials_per_update=9)
    state = NODE_PERTURBATION.init(config, {"W": np.zeros(2)}, 2, ())
    for loss in (4.0, 6.0):
        state, _ = NODE_PERTURBATION.learn(config, state, {"W": np.zeros(2)}, trial_batch([loss], [-1], [[1.0, 1.0]]))
    np.testing.assert_allclose(state.baseline, [0.0, 0.0, 0.9 * 4 + 0.1 * 6])


def test_exact_accepts_an_objective_of_position_only():
    for name in ("velocity_weight", "acceleration_weight", "effort_weight", "hold_s"):
        with pytest.raises(ValidationError, match=rf"objective\.{name} must be 0"):
            gradient_descent.ExactConfig(objective={name: 0.1})
        assert getattr(BATCH.Config(objective={name: 0.1}).objective, name) == 0.1
    assert gradient_descent.ExactConfig(objective={"position_scale_m": 0.1}).objective.axes == "mean"


@pytest.mark.parametrize("wrong", [{"learning_rate": 0.0}, {"learning_rate": -1e-3}, {"plastic": ()}, {"adam": {}}])
def test_invalid_settings_are_refused(wrong):
    for rule in (EXACT, BATCH, NODE_PERTURBATION):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            rule.Config(**wrong)
