"""Which LSL streams a session can take in, and the inputs that samples become."""

from __future__ import annotations

import pytest

from decoderd.wire import inputs as wire_inputs
from decoderd_client.plugins import Unable
from decoderd_plugins.lsl.inputs import Offered, reading, task_event, velocity


def description(task="external", decoder="external", speed="realtime"):
    return {"speed": speed, "tick_s": 0.01, "protocol": {"task": {"kind": task}, "decoder": {"kind": decoder}}}


VELOCITIES, MARKERS = Offered("dec", 2, False, 50.0), Offered("task", 1, True, 0.0)


def test_the_newest_velocity_counts_in_units_of_the_scale():
    taken = reading(VELOCITIES, description(), 0.001)
    (newest,) = taken.pick([[10.0, 0.0], [50.0, -20.0]])
    given = wire_inputs.parse(taken.fields(newest))
    assert given.velocity == pytest.approx((0.05, -0.02))


def test_every_marker_counts():
    taken = reading(MARKERS, description(decoder="kalman"), 1.0)
    samples = [["start"], ['{"event": "go", "target": [0.05, 0.0], "radius_m": 0.01, "index": 2}'], [" end "]]
    assert taken.pick(samples) == samples
    start, go, end = (wire_inputs.parse(taken.fields(sample)) for sample in samples)
    assert (start.event, go.event, end.event) == ("start", "go", "end")
    assert (go.target, go.radius_m, go.index) == ((0.05, 0.0), 0.01, 2)


@pytest.mark.parametrize(
    ("offered", "session", "message"),
    [
        (Offered("dec", 3, False, 50.0), {}, "dec: has 3 channels; velocities have two"),
        (Offered("task", 2, True, 0.0), {}, "task: has 2 channels of text; markers have one"),
        (Offered("dec", 2, False, 1000.0), {}, "1000 samples/s and the session 100 ticks/s"),
        (VELOCITIES, {"decoder": "kalman"}, r"a decoder of its own, 'kalman'.*\[decoder\] kind = \"external\""),
        (MARKERS, {"task": "centre_out"}, r"a task of its own, 'centre_out'.*\[task\] kind = \"external\""),
    ],
)
def test_streams_that_a_session_cannot_take_are_refused(offered, session, message):
    with pytest.raises(Unable, match=message):
        reading(offered, description(**session), 1.0)


@pytest.mark.parametrize(("speed", "rate_hz"), [("realtime", 0.0), ("realtime", 100.0), ("20", 1000.0), ("max", 1e5)])
def test_rates_up_to_that_of_the_ticks_are_taken(speed, rate_hz):
    assert reading(Offered("dec", 2, False, rate_hz), description(speed=speed), 1.0)


@pytest.mark.parametrize("marker", ["", "hello", "[1]", '{"event": "stop"}', '{"target": [0, 0]}'])
def test_other_markers_are_no_events(marker):
    with pytest.raises(ValueError, match="is no task event: write start, go or end"):
        task_event(marker)


def test_a_velocity_is_plain_numbers():
    assert velocity((1, 2), 2.0) == {"op": "kinematics", "velocity": [2.0, 4.0]}
