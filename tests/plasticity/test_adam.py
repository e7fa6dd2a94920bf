import numpy as np
import pytest
from pydantic import ValidationError

from decoderd.plasticity import adam


def plainly(config, gradients, value):
    """Kingma & Ba, algorithm 1, one number at a time."""
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        m = config.beta1 * m + (1 - config.beta1) * g
        v = config.beta2 * v + (1 - config.beta2) * g**2
        rate = max(config.rate * config.decay ** (t - 1), config.lowest_rate)
        value -= rate * (m / (1 - config.beta1**t)) / (np.sqrt(v / (1 - config.beta2**t)) + config.epsilon)
    return value


def test_every_element_follows_the_published_algorithm():
    config = adam.Adam(rate=0.01, decay=0.9, lowest_rate=0.005)
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(12, 2, 3))
    values = {"W": rng.normal(size=(2, 3))}
    moments, before = adam.init(values), values["W"].copy()
    start = values
    for g in gradients:
        moments, values = adam.step(config, moments, {"W": g}, values)
    for i, j in np.ndindex(2, 3):
        np.testing.assert_allclose(values["W"][i, j], plainly(config, gradients[:, i, j], before[i, j]), rtol=1e-12)
    np.testing.assert_array_equal(start["W"], before)  # nothing was written in place
    assert moments.updates == 12


def test_the_first_step_is_the_rate_whatever_the_gradient():
    config = adam.Adam(rate=0.01)
    for g in (1e-3, 5.0, -200.0):
        values = {"b": np.zeros(1)}
        _, after = adam.step(config, adam.init(values), {"b": np.array([g])}, values)
        np.testing.assert_allclose(after["b"], -0.01 * np.sign(g), rtol=1e-6)


def test_it_converges_to_the_minimum_of_a_quadratic():
    config = adam.Adam(rate=0.05)
    values = {"b": np.array([3.0, -2.0])}
    moments = adam.init(values)
    for _ in range(2000):
        moments, values = adam.step(config, moments, {"b": 2 * (values["b"] - np.array([1.0, 1.0]))}, values)
    np.testing.assert_allclose(values["b"], 1.0, atol=1e-3)


@pytest.mark.parametrize("name", ["beta1", "beta2"])
def test_a_weight_of_one_for_a_running_mean_is_refused(name):
    with pytest.raises(ValidationError, match="less than 1"):
        adam.Adam.model_validate({name: 1.0})
