import numpy as np
import pytest
from pydantic import ValidationError

from decoderd.plasticity import TrialBatch, adam, backprop
from decoderd.plasticity.backprop import BackpropConfig, BiasConfig


def trial_batch(losses, gradients):
    """Trials whose gradients are given, (B, n)."""
    return TrialBatch(np.array(losses), np.arange(len(losses)), lambda amounts: {"b": amounts @ np.array(gradients)})


def test_the_step_is_down_the_mean_gradient():
    config = BackpropConfig(trials_per_update=2, adam=adam.Adam(rate=0.1, epsilon=1e-8))
    values = {"b": np.array([1.0, 1.0])}
    state = backprop.init(config, values, 2, ())
    state, half = backprop.learn(config, state, values, trial_batch([3.0], [[4.0, 0.0]]))
    assert half is values  # one of two trials
    np.testing.assert_allclose(state.collected.gradient["b"], [2.0, 0.0])
    state, after = backprop.learn(config, state, values, trial_batch([5.0], [[0.0, -4.0]]))
    expected = adam.step(config.adam, adam.init(values), {"b": np.array([2.0, -2.0])}, values)[1]
    np.testing.assert_allclose(after["b"], expected["b"], rtol=1e-12)
    assert backprop.progress(state).loss == 4.0


def test_the_rule_bias_accepts_biases_only():
    assert BiasConfig().plastic == ("bias",)
    with pytest.raises(ValidationError, match="plastic"):
        BiasConfig.model_validate({"plastic": ["input", "bias"]})
