"""Recurrent networks: equations step by step, and gradients by central differences."""

import numpy as np
import pytest

from decoderd.experiments.bias import recurrent, signals
from decoderd.experiments.bias.signals import Signal

PLASTIC = ("W", "F", "b", "V")


@pytest.fixture
def some():
    values = recurrent.draw(3, 7, 1.5, 2, 1, False)
    draw = np.random.default_rng(1)
    values["b"] = draw.normal(0, 0.3, values["b"].shape)
    double = {name: value.astype(np.float64) for name, value in values.items()}
    return double, Signal(draw.normal(size=(6, 2, 3)), draw.normal(size=(6, 1, 3)))


def plainly(values, signal, skip):
    """The loss, from the equations, one series at a time."""
    W, F, b, V, start = (values[name] for name in ("W", "F", "b", "V", "start"))
    off, judged = 0.0, signal.targets[skip:]
    for series in range(signal.inputs.shape[2]):
        r = start[:, 0]
        for t, x in enumerate(signal.inputs[:, :, series]):
            r = 0.7 * r + 0.3 * np.maximum(W @ r + F @ x + b[:, 0], 0)
            if t >= skip:
                off += float(((V @ r - signal.targets[t, :, series]) ** 2).sum())
    return off / float(((judged - judged.mean()) ** 2).sum())


def loss(values, signal, skip):
    return recurrent.error(recurrent.forward(values, signal.inputs), signal.targets, skip)[0]


def test_losses_are_those_of_the_equations(some):
    values, signal = some
    assert loss(values, signal, 2) == pytest.approx(plainly(values, signal, 2), rel=1e-12)


@pytest.mark.parametrize("name", PLASTIC)
def test_gradients_are_central_differences(some, name):
    values, signal = some
    passed = recurrent.forward(values, signal.inputs)
    _, to_y = recurrent.error(passed, signal.targets, 2)
    found = recurrent.gradients(values, PLASTIC, passed, signal.inputs, to_y)[name]
    step = 1e-6
    for place in np.ndindex(values[name].shape):
        up, down = ({**values, name: values[name].copy()} for _ in range(2))
        up[name][place] += step
        down[name][place] -= step
        expected = (loss(up, signal, 2) - loss(down, signal, 2)) / (2 * step)
        assert found[place] == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_feedback_is_a_part_of_the_recurrent_weights():
    apart, fed = (recurrent.draw(5, 30, 0.5, 0, 2, fed_back) for fed_back in (False, True))
    added = (fed["W"] - apart["W"]).astype(np.float64)
    assert np.linalg.matrix_rank(added, tol=1e-4) == 2
    feedback = np.linalg.lstsq(apart["V"].T.astype(np.float64), added.T, rcond=None)[0]
    assert feedback.std() == pytest.approx(1, abs=0.3)
    np.testing.assert_array_equal(fed["V"], apart["V"])


def test_what_is_not_plastic_stays_and_the_loss_falls():
    values = recurrent.draw(1, 20, 1.5, 0, 1, False)
    after, losses = recurrent.train(values, ("b",), lambda update: signals.sine(), 0, 0.05, 20)
    assert losses[-1] < losses[0]
    assert (after["b"] != values["b"]).any()
    assert not values["b"].any()
    assert all(after[name] is values[name] for name in ("W", "F", "V", "start"))


def test_a_network_that_overflows_keeps_its_values():
    values = recurrent.draw(1, 10, 1.0, 0, 1, False)
    values["W"][:] = 1e30
    after, losses = recurrent.train(values, ("b",), lambda update: signals.sine(), 0, 0.05, 3)
    assert not after["b"].any()
    assert not np.isfinite(losses).any()


def test_long_gradients_are_shortened(monkeypatch):
    """The gradient of all arrays together has the length 1."""
    values, seen = recurrent.draw(1, 10, 1.0, 0, 1, False), []
    values["V"] *= 1000
    step = recurrent.adam.step

    def recorded(settings, moments, gradient, changing):
        seen.append(gradient)
        return step(settings, moments, gradient, changing)

    monkeypatch.setattr(recurrent.adam, "step", recorded)
    recurrent.train(values, ("b", "V"), lambda update: signals.sine(), 0, 1e-3, 1)
    assert sum(float((each**2).sum()) for each in seen[0].values()) == pytest.approx(1, rel=1e-5)
