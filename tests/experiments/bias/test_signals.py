"""Signals to be learned, compared with properties of their equations."""

import numpy as np
import pytest

from decoderd.experiments.bias import signals


def test_the_sine_has_two_periods():
    inputs, targets = signals.sine()
    assert inputs.shape == (60, 0, 1)
    np.testing.assert_allclose(targets[:30], targets[30:], atol=1e-12)
    assert targets[:, 0, 0].std() == pytest.approx(np.sqrt(0.5))


def test_the_cycle_closes_and_obeys_its_equation():
    """The period of van der Pol at mu = 1 is 6.6633 (Andersen & Geer 1982); amplitude 2.0086."""
    path = signals._cycle()
    np.testing.assert_allclose(path[:30], path[30:], atol=1e-5)
    step = 6.6633 / 30
    x, v = path.T
    moved = step / 3 * (v[:-2] + 4 * v[1:-1] + v[2:])  # Simpson's rule
    np.testing.assert_allclose(x[2:] - x[:-2], moved, atol=0.01)
    assert abs(x[-1]) < 1e-5
    assert 1.9 < x.max() <= 2.0087
    assert signals.van_der_pol().targets.std(axis=0) == pytest.approx(np.ones((2, 1)))


def test_forecasts_are_what_is_shown_later_and_tests_are_of_another_part():
    starts = np.array([0, signals.windows(True) - 1])
    inputs, targets = signals.lorenz(True, starts)
    assert inputs.shape == targets.shape == (60, 1, 2)
    later, _ = signals.lorenz(True, starts[:1] + 27)
    np.testing.assert_array_equal(targets[:, :, :1], later)
    tested, _ = signals.lorenz(False, np.arange(2))
    whole = signals._lorenz_x()
    np.testing.assert_array_equal(tested[:, 0, 1], whole[14_001:14_061])
    with pytest.raises(IndexError):
        signals.lorenz(True, starts + 1)


def test_the_autocorrelation_halves_after_about_the_horizon():
    x = signals._lorenz_x()
    assert np.mean(x[:-27] * x[27:]) == pytest.approx(0.5, abs=0.08)
