"""A recording decoded at once, against the decoder's own steps."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd import registry
from decoderd.decoders import Calibration, CalibrationData, offline
from decoderd.twin.kinematics.decoding import decoded
from tests.twin.kinematics.simulated import recorded, truth


@pytest.fixture(scope="module")
def data():
    arrays = recorded(truth(units=12), 600)
    position = 0.05 * np.cumsum(arrays["cursor_velocity"], axis=0)
    return CalibrationData(arrays["counts"].astype(float), position, arrays["cursor_velocity"], 0.05)


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("kalman", "velocity"),
        ("kalman", "position_velocity"),
        ("steady_state_kalman", "velocity"),
        ("steady_state_kalman", "position_velocity"),
        ("linear", None),
    ],
)
def test_states_are_those_of_the_decoders_steps(data, kind, state):
    decoder = registry.find("decoders", kind)
    config = decoder.Config() if state is None else decoder.Config(state=state)
    arrays = decoder.fit(data, Calibration(dynamics="fitted"), config)
    run = np.repeat([1, 4, 7], [3, 397, 200])  # one of them shorter than the transient
    expected = [offline.decode(kind, arrays, data.counts[run == number]) for number in (1, 4, 7)]
    np.testing.assert_allclose(decoded(kind, arrays, data.counts, run), np.concatenate(expected), atol=1e-11)
