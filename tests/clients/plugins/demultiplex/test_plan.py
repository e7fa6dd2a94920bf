"""What a session must say before it is measured, and the feedback matrix of its decoder or of a file."""

from __future__ import annotations

import re

import numpy as np
import pytest

from decoderd.errors import ArrayError
from decoderd_client.plugins import Unable
from decoderd_plugins.demultiplex import Config
from decoderd_plugins.demultiplex.plan import make_plan

M2 = np.array([[0.1, 0.2, -0.3], [0.0, 0.5, 0.6]])
LINEAR = {"M1": np.zeros((2, 2)), "M2": M2, "m0": np.zeros(2)}
BURSTING = {
    "kind": "bursting",
    "burst_threshold_s": 0.016,
    "refractory_s": 0.02,
    "subject": {"lag_s": 0.15, "visual_delay_s": 0.1},
}


def description(**fields):
    return {
        "tick_s": 0.01,
        "units": 4,
        "channels": ["counts", "events", "bursts", "time_at_risk"],
        "readouts": [0, 3, 1],
        "decoder": {"kind": "linear"},
        "protocol": {"population": BURSTING},
        **fields,
    }


def test_a_plan_has_the_constants_of_the_protocol_or_the_options():
    plan = make_plan(description(), LINEAR, Config())
    assert (plan.layout.bin_ticks, plan.layout.threshold_s, plan.refractory_s) == (10, 0.016, 0.02)
    assert plan.layout.follow == pytest.approx(1 / 15)
    assert plan.layout.delay_ticks == 10
    assert plan.K is None
    other = Config(threshold_s=0.012, refractory_s=0.002, lag_s=0.02, visual_delay_s=0.0)
    plan = make_plan(description(protocol={"population": {"kind": "mine"}}), LINEAR, other)
    assert (plan.layout.threshold_s, plan.refractory_s, plan.layout.follow, plan.layout.delay_ticks) == (
        0.012,
        0.002,
        0.5,
        0,
    )


def test_K_is_the_transpose_of_the_decoder_by_unit():
    plan = make_plan(description(), LINEAR, Config(feedback="decoder"))
    assert plan.K[[0, 3, 1]].tolist() == M2.T.tolist()
    assert plan.K[2].tolist() == [0, 0]


@pytest.mark.parametrize(("name", "turned"), [("K", np.transpose), ("M2", np.asarray)])
def test_K_is_read_from_a_file(tmp_path, name, turned):
    weights = np.arange(8.0).reshape(2, 4) ** 2
    np.savez(tmp_path / "k.npz", **{name: turned(weights)})
    plan = make_plan(description(), LINEAR, Config(feedback=tmp_path / "k.npz"))
    assert plan.K.tolist() == weights.T.tolist()


@pytest.mark.parametrize(
    ("fields", "options", "message"),
    [
        (
            {"channels": ["counts"]},
            {},
            "has no channel events, bursts, time_at_risk (it has counts): take a population",
        ),
        ({}, {"bin_s": 0.001}, "bin_s = 0.001: must be at least a tick of the session, 0.01 s"),
        ({"protocol": {"population": {"kind": "mine"}}}, {}, "has no burst_threshold_s: give --threshold-s"),
        ({"decoder": {"kind": "external"}}, {"feedback": "decoder"}, "a decoder of kind 'external' has no weight"),
    ],
)
def test_impossible_sessions_are_refused(fields, options, message):
    arrays = {} if "decoder" in fields else LINEAR
    with pytest.raises(Unable, match=re.escape(message)):
        make_plan(description(**fields), arrays, Config(**options))


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ({"K": np.ones((3, 2))}, ArrayError, "K: has shape (3, 2), expected 4 x 2"),
        ({"M2": np.ones((4, 2))}, ArrayError, "M2: has shape (4, 2), expected 2 x 4"),
        ({"K": np.ones((4, 2))}, Unable, "K has rank 1, but errors have 2 components"),
        ({"L": np.ones((4, 2))}, Unable, "has neither K (4 x 2) nor M2 (2 x 4)"),
    ],
)
def test_files_without_a_fitting_K_are_refused(tmp_path, arrays, error, message):
    np.savez(tmp_path / "k.npz", **arrays)
    with pytest.raises(error, match=re.escape(message)):
        make_plan(description(), LINEAR, Config(feedback=tmp_path / "k.npz"))


def test_trials_of_the_regression_must_be_in_order():
    with pytest.raises(ValueError, match="train = 9,3: the first trial must not be after the last"):
        Config(train="9,3")
