"""The feedback of bursting populations: the matrix K, and burst probabilities by the error."""

from __future__ import annotations

import math

import numpy as np
import pytest

from decoderd.errors import ArrayError, ProtocolError
from decoderd.populations import burst_feedback
from decoderd.populations.burst_feedback import FeedbackConfig
from decoderd.rng import generator
from tests import protocols
from tests.protocols import centre_out

TUNING = np.random.default_rng(3).normal(0, 30, (9, 2))


def matrix(arrays=None, units=9, **settings):
    config = FeedbackConfig(kind="any", **settings)
    return burst_feedback.matrix(config, generator(4, "feedback"), arrays or {}, TUNING[:units])


def test_burst_probabilities_are_a_sigmoid_of_the_fed_back_error():
    config = FeedbackConfig(kind="any", burst_probability=0.3, feedback_gain_s_m=12.0)
    K, error = TUNING / 30, np.array([[0.02, -0.03], [0.0, 0.0]])
    found = burst_feedback.burst_probability(burst_feedback.drive(config), K, error)
    assert found.shape == (2, 9)
    for unit in range(9):
        drive = math.log(0.3 / 0.7) + 12.0 * (K[unit, 0] * 0.02 - K[unit, 1] * 0.03)
        assert found[0, unit] == pytest.approx(1 / (1 + math.exp(-drive)), rel=1e-12)
    np.testing.assert_allclose(found[1], 0.3)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_units_may_never_burst_or_always(probability):
    drive = burst_feedback.drive(FeedbackConfig(kind="any", burst_probability=probability))
    assert (burst_feedback.burst_probability(drive, TUNING, np.ones((1, 2))) == probability).all()


def test_feedback_of_a_file_is_the_transpose_of_its_decoder(tmp_path):
    M2 = np.random.default_rng(2).normal(0, 0.01, (2, 6))
    file = {"feedback": "file", "file": tmp_path / "any.npz"}
    by_decoder, by_matrix = (matrix(arrays, 6, **file) for arrays in ({"M2": M2}, {"K": 3 * M2.T}))
    np.testing.assert_allclose(by_decoder, by_matrix)
    np.testing.assert_allclose(by_decoder / M2.T, np.sqrt(6 / (M2**2).sum()))


def test_feedback_by_tuning_points_in_the_preferred_directions():
    K = matrix(feedback="tuning")
    np.testing.assert_allclose(np.arctan2(*K.T), np.arctan2(*TUNING.T))
    assert np.hypot(*K.T) @ np.hypot(*K.T) == pytest.approx(9)


@pytest.mark.parametrize("how", ["off", "decoder"])
def test_there_is_no_feedback_before_the_decoder_is_known(how):
    assert not matrix(feedback=how).any()


def test_only_feedback_of_the_decoder_follows_it():
    weights, K = np.random.default_rng(5).normal(0, 0.01, (2, 9)), matrix(feedback="random")
    assert burst_feedback.of_decoder(FeedbackConfig(kind="any", feedback="random"), K, weights) is K
    found = burst_feedback.of_decoder(FeedbackConfig(kind="any", feedback="decoder"), K, weights)
    np.testing.assert_allclose(found / weights.T, np.sqrt(9 / (weights**2).sum()))


def test_a_decoder_that_no_unit_moves_is_refused():
    config = FeedbackConfig(kind="any", feedback="decoder")
    with pytest.raises(ArrayError, match="decoder: is zero everywhere"):
        burst_feedback.of_decoder(config, TUNING, np.zeros((2, 9)))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"K": np.ones((5, 2))}, r"K: .*\(5, 2\)"),
        ({"K": np.ones((2, 6))}, r"K: .*\(2, 6\)"),
        ({"M2": np.ones((2, 7))}, r"M2: .*\(2, 7\)"),
        ({"K": np.zeros((6, 2))}, "K: is zero everywhere"),
        ({"C": np.ones((6, 2))}, r"K: is missing; a file of feedback has K \(6 x 2\), or M2 \(2 x 6\)"),
    ],
)
def test_feedback_that_does_not_fit_is_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "feedback.npz", **arrays)
    population = {"kind": "bursting", "units": 6, "feedback": "file", "file": str(tmp_path / "feedback.npz")}
    with pytest.raises(ProtocolError, match=message) as caught:
        protocols.begun(centre_out(population=population))
    assert caught.value.field == "population"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"burst_probability": 1.2}, r"population.burst_probability = 1.2: must be at most 1"),
        ({"feedback_gain_s_m": -1.0}, r"feedback_gain_s_m = -1.0: must be at least 0.0 \(seconds per metre\)"),
        ({"feedback": "file"}, r"file: is missing; feedback = 'file'"),
        ({"file": "K.npz"}, r"file: is not read with feedback = 'off'"),
    ],
)
def test_settings_that_are_no_feedback_are_refused(settings, message):
    with pytest.raises(ProtocolError, match=message) as caught:
        protocols.begun(centre_out(population={"kind": "bursting", **settings}))
    assert (caught.value.field or "").startswith("population")
