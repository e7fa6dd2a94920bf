"""The protocol of a twin: reaches that suit the movements recorded, and the subject's model of the decoder."""

from __future__ import annotations

import math
import tomllib

import numpy as np
import pytest

from decoderd import registry
from decoderd.errors import ProtocolError
from decoderd.protocol import protocol
from decoderd.twin.kinematics import protocol_text

SLOW = protocol_text.Reaching(0.1, 0.15, 0.06, 0.012, 4.5)


def memory(keep):
    return registry.find("decoders", "linear").load({"M1": keep * np.eye(2), "M2": np.ones((2, 3))})


def test_the_lag_of_the_subject_is_the_memory_of_the_decoder():
    assert protocol_text.smoothing("linear", memory(0.8), 0.05) == pytest.approx(-0.05 / math.log(0.8))
    assert protocol_text.smoothing("linear", memory(0.0), 0.05) == 0.0


def test_reaches_are_as_fast_as_the_movements_recorded():
    how = protocol_text.reaching(0.19, "linear", memory(0.8), 0.05)
    assert (how.speed_m_s, how.distance_m, how.radius_m) == (0.19, 0.0855, 0.0145)
    assert how.timeout_s > 5 * how.distance_m / how.speed_m_s


@pytest.mark.parametrize(("states", "state"), [("velocity", "velocity"), ("position", "position_velocity")])
def test_the_protocol_is_valid_and_has_the_decoders_states(states, state):
    text = protocol_text.protocol_text("one", "kalman", states, 30, 0.05, 5, SLOW)
    data = tomllib.loads(text)
    assert data["decoder"]["state"] == state
    assert protocol.parse(data).timing.bin_s == pytest.approx(0.05)
    assert (
        "state" not in tomllib.loads(protocol_text.protocol_text("one", "linear", states, 30, 0.05, 5, SLOW))["decoder"]
    )


def test_ticks_that_no_session_can_have():
    with pytest.raises(ProtocolError, match=r"tick_s is bin_s / bin_ticks, 0.05 s / 100"):
        protocol_text.protocol_text("one", "kalman", "velocity", 30, 0.05, 100, SLOW)
    with pytest.raises(ProtocolError, match="is bin_s in milliseconds"):
        protocol_text.protocol_text("one", "kalman", "velocity", 30, 50.0, 5, SLOW)
