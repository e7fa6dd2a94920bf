"""Hidden layers that learn digits by biases, by masks and in full."""

import numpy as np
import pytest

from decoderd.experiments.bias import digits

PLASTIC = ("W", "b", "V", "s")


@pytest.fixture
def some():
    draw = np.random.default_rng(2)
    values = {"W": draw.normal(size=(9, 64)), "b": draw.normal(size=9), "V": draw.normal(size=(10, 9))}
    values["s"] = draw.uniform(-0.1, 0.1, 9)
    return values, draw.normal(size=(12, 64)) / 8, np.eye(10)[draw.integers(10, size=12)]


def cross_entropy(values, mask, inputs, ones):
    """Mean over digits, one after the other."""
    total = 0.0
    for x, right in zip(inputs, ones, strict=True):
        y = values["V"] @ (mask * np.maximum(values["W"] @ x + values["b"], 0))
        total -= float(y @ right - np.log(np.exp(y).sum()))
    return total / len(inputs)


@pytest.mark.parametrize("name", PLASTIC)
def test_gradients_are_central_differences(some, name):
    """That of the scores is the derivative to the mask, as if it were continuous."""
    values, inputs, ones = some
    found = digits.gradients(values, PLASTIC, inputs, ones)[name]
    mask = (values["s"] > 0).astype(float)
    step = 1e-6
    for place in list(np.ndindex(found.shape))[::7]:
        losses = []
        for sign in (1, -1):
            near = {**values, "mask": mask, name: values[name].copy()}
            changed = "mask" if name == "s" else name
            near[changed] = near[changed].copy()
            near[changed][place] += sign * step
            losses.append(cross_entropy(near, near["mask"], inputs, ones))
        assert found[place] == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=1e-4, abs=1e-8)


def test_methods_have_the_same_weights_and_laws_their_spread():
    drawn = {method: digits.draw_network(1, "normal", 400, method) for method in digits.METHODS}
    for name in ("W", "V"):
        np.testing.assert_array_equal(drawn["biases"][name], drawn["masks"][name])
    assert drawn["biases"]["W"].std() == pytest.approx(1 / 8, rel=0.03)
    assert drawn["biases"]["V"].std() == pytest.approx(1 / 20, rel=0.05)
    assert (drawn["biases"]["s"] > 0).all()
    assert 0.4 < (drawn["masks"]["s"] > 0).mean() < 0.6
    uniform = digits.draw_network(1, "uniform", 400, "biases")
    assert np.abs(uniform["W"]).max() <= 0.1
    assert uniform["W"].std() == pytest.approx(0.1 / np.sqrt(3), rel=0.03)


def test_biases_learn_and_weights_stay(monkeypatch):
    monkeypatch.setattr(digits, "EPOCHS", 5)
    narrow, wide = (digits.trained(1, "uniform", width) for width in (64, 1024))
    assert narrow.changed == wide.changed == 0
    biases, masks, full = wide.accuracy
    assert 0.5 < biases < full
    assert masks > 0.3
    assert narrow.accuracy[0] < biases
    assert 0.3 < wide.kept < 0.7
    assert wide.correlation > 0


def test_a_method_that_changes_weights_is_noticed(monkeypatch):
    learn = digits.learn

    def wrong(values, *given):
        values["V"][0, 0] += 1
        return learn(values, *given)

    monkeypatch.setattr(digits, "EPOCHS", 1)
    monkeypatch.setattr(digits, "learn", wrong)
    assert digits.trained(1, "uniform", 16).changed == 2  # not of full training, in which V may change


def test_bands_are_the_published_claims():
    accuracy = np.tile([[70.0, 60, 98], [90, 90, 98], [97, 95, 98]], (3, 1, 1))
    found = digits.bands({"uniform": accuracy})
    assert [(band.value, band.ok) for band in found] == [(1.0, True), (7.0, True)]
    accuracy[:, 2, 0] = 89
    assert [(band.value, band.ok) for band in digits.bands({"uniform": accuracy})] == [(9.0, False), (-1.0, False)]


def test_the_part_reports_every_law_and_method(monkeypatch):
    monkeypatch.setattr(digits, "EPOCHS", 1)
    monkeypatch.setattr(digits, "WIDTHS", (8, 16))
    done = []
    found = digits.run(2, 1, lambda number, of: done.append((number, of)))
    assert done[-1] == (8, 8)
    assert [band.name for band in found.bands][-1] == "weights that changed"
    assert len(found.bands) == 5
    assert np.shape(found.more["accuracy_percent"]["normal"]["masks"]) == (2, 2)
