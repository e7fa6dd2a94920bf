"""Digits of each seed, in parts that have none in common."""

import numpy as np
import pytest

from decoderd.experiments.digit_images import digits


def rows(*inputs):
    """Digits as a set, of pixels up to scale and offset."""
    pixels = np.concatenate(inputs)
    return {tuple(np.round((one - pixels.min()) * 16 / np.ptp(pixels)).astype(int)) for one in pixels}


def test_no_test_digit_is_used_to_tune():
    tuned, shown = digits(5, held_out=True), digits(5)
    assert (len(tuned.inputs), len(tuned.test_inputs)) == (1097, 300)
    assert (len(shown.inputs), len(shown.test_inputs)) == (1397, 400)
    assert rows(tuned.inputs, tuned.test_inputs) == rows(shown.inputs)
    assert not rows(shown.inputs) & rows(shown.test_inputs)
    assert shown.inputs.mean() == pytest.approx(0, abs=1e-12)
    assert shown.inputs.std() == pytest.approx(1)
