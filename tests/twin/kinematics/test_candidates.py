"""The decoders that are compared: each fitted by its kind, with more and less regularisation."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd import registry
from decoderd.decoders import Calibration, CalibrationData
from decoderd.errors import ProtocolError
from decoderd.twin.kinematics import candidates
from tests.twin.kinematics.simulated import recorded, truth


@pytest.fixture(scope="module")
def data():
    arrays = recorded(truth(units=12), 600)
    run = np.repeat([1, 2], 300)
    return CalibrationData(arrays["counts"].astype(float), None, arrays["cursor_velocity"], 0.05, run)


def test_every_shrinkage_is_the_kinds_own_fit_with_it(data):
    kalman = registry.find("decoders", "kalman")
    for candidate in candidates.fitted("kalman", data, "velocity"):
        own = Calibration(noise_shrinkage=candidate.value, dynamics="fitted")
        expected = kalman.fit(data, own, kalman.Config())
        assert candidate.arrays.keys() == expected.keys()
        for name, array in expected.items():
            np.testing.assert_allclose(candidate.arrays[name], array, rtol=1e-12, atol=1e-15)


def test_a_linear_decoder_with_memory_fits_the_velocity_that_it_decodes(data):
    """Least squares: no other weights with the same memory leave a smaller penalised residual."""
    linear = registry.find("decoders", "linear")
    candidate = candidates.fitted("linear", data, "velocity")[2]
    keep = candidate.value**0.5
    parameters = linear.load(candidate.arrays)
    np.testing.assert_array_equal(parameters.M1, keep * np.eye(2))
    smoothed = np.empty_like(data.counts)
    for t in range(600):
        smoothed[t] = data.counts[t] if t in (0, 300) else keep * smoothed[t - 1] + (1 - keep) * data.counts[t]
    centred = smoothed - smoothed.mean(axis=0)
    gradient = centred.T @ (smoothed @ parameters.M2.T / (1 - keep) + parameters.m0 / (1 - keep) - data.velocity)
    np.testing.assert_allclose(gradient + parameters.M2.T / (1 - keep), 0, atol=1e-9)


def test_copies_of_a_unit_need_shrinkage(data):
    doubled = data._replace(counts=np.hstack([data.counts, data.counts[:, :1]]))
    solvable = [candidates.solvable(c, "kalman") for c in candidates.fitted("kalman", doubled, "velocity")]
    assert solvable == [False] + [True] * (len(candidates.SHRINKAGES) - 1)


def test_kinds_that_cannot_be_fitted_to_kinematics():
    with pytest.raises(ProtocolError, match="'external': has no fit"):
        candidates.config("external", "velocity")
    with pytest.raises(ProtocolError, match="'linear': decodes velocity alone"):
        candidates.config("linear", "position")
