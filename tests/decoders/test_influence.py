"""Warnings about decoders through which counts change nothing."""

import numpy as np
import pytest

from decoderd.decoders import fitting, influence
from decoderd.decoders.contract import Calibration
from decoderd.decoders.external import EXTERNAL
from decoderd.decoders.kalman import KALMAN
from decoderd.decoders.linear import LINEAR
from decoderd.decoders.point_process import POINT_PROCESS
from decoderd.decoders.steady_state import STEADY_STATE_KALMAN


def arrays(position=False, units=6):
    draw = np.random.default_rng(1)
    A, W = fitting.dynamics(Calibration(), 0.05, position)
    return {"A": A, "W": W, "C": draw.normal(0, 2, (units, len(A))), "Q": np.eye(units)}


def warned(decoder, given):
    return [(one.field, one.message) for one in influence.warnings(decoder, decoder.load(given))]


@pytest.mark.parametrize("decoder", [KALMAN, STEADY_STATE_KALMAN])
@pytest.mark.parametrize("position", [True, False])
def test_a_filter_that_reads_all_units_gets_no_warning(decoder, position):
    assert warned(decoder, arrays(position)) == []


@pytest.mark.parametrize("decoder", [KALMAN, STEADY_STATE_KALMAN])
@pytest.mark.parametrize("P0", [False, True])
def test_a_w_of_zero(decoder, P0):
    given = arrays()
    given |= {"W": 0 * given["W"], **({"P0": np.diag([1e-3, 1e-3, 0])} if P0 else {})}
    ((field, message),) = warned(decoder, given)
    assert field == "W"
    assert "gives velocity no noise" in message


def test_a_c_of_zero_for_velocity():
    given = arrays()
    given["C"][:, :2] = 0
    ((field, message),) = warned(KALMAN, given)
    assert field == "C"
    assert "no unit has a weight" in message


@pytest.mark.parametrize("position", [True, False])
def test_a_point_process_filter(position):
    given = arrays(position)
    beta, Q = given.pop("C") / 10, given.pop("Q")
    given["beta"] = beta
    assert warned(POINT_PROCESS, given) == []
    beta[2, :-1] = 0
    ((field, message),) = warned(POINT_PROCESS, given)
    assert (field, f"unit 2 has weight 0 (of {len(Q)} units)" in message) == ("decoder", True)
    beta[:, :-1] = 0
    ((field, message),) = warned(POINT_PROCESS, given)
    assert (field, "no unit has a weight" in message) == ("beta", True)
    ((field, message),) = warned(POINT_PROCESS, {**given, "W": 0 * given["W"]})
    assert (field, "gives velocity no noise" in message) == ("W", True)


def test_units_of_weight_zero_are_named_in_one_warning():
    given = arrays()
    given["C"][[1, 4]] = 0
    assert warned(KALMAN, given) == [
        ("decoder", "decoder: units 1, 4 have weight 0 (of 6 units), as units that never fire or have no variance")
    ]
    M2 = np.random.default_rng(2).normal(size=(2, 5))
    M2[:, 3] = 0
    ((_, message),) = warned(LINEAR, {"M2": M2})
    assert "unit 3 has weight 0 (of 5 units)" in message
    ((field, message),) = warned(LINEAR, {"M2": 0 * M2})
    assert field == "decoder"
    assert "no unit has a weight" in message


def test_a_unit_of_weight_through_its_noise_alone_is_read():
    """Its count says something about the noise of another unit."""
    given = arrays()
    given["C"][2] = 0
    given["Q"] = given["Q"] + 0.3 * np.eye(6)[::-1]
    assert warned(KALMAN, given) == []


def test_decoders_that_do_not_say_their_step():
    assert influence.warnings(EXTERNAL, EXTERNAL.load({})) == ()
