"""What is doubtful about a session before it begins."""

import pytest

from decoderd.preparation.parameters import prepare
from decoderd.preparation.session_warnings import warnings
from decoderd.protocol import protocol
from tests.protocols import centre_out


def warned(data):
    parsed = protocol.parse(data)
    return warnings(parsed, prepare(parsed))


def task(kind="centre_out", **fields):
    return centre_out(task={"kind": kind, **fields})


@pytest.mark.parametrize(
    ("data", "beyond"),
    [
        (task(targets=8, distance_m=0.26), "4 of 8 targets"),  # diagonal ones lie within the square
        (task(targets=8, distance_m=0.3), "8 of 8 targets"),
        (task(targets=8, distance_m=0.2), None),
        (task("random_targets", half_width_m=0.21), "4 of 4 targets"),
        (task("random_targets", half_width_m=0.2), None),
        (task("timed_reach", targets=4, distance_m=0.25, reach_s=2.0), "4 of 4 targets"),
        ({**task(targets=2, distance_m=0.26), "effector": {"kind": "cursor", "half_width_m": 0.3}}, None),
    ],
)
def test_targets_beyond_the_edge_of_the_workspace(data, beyond):
    found = warned(data)
    if beyond is None:
        assert found == ()
    else:
        (warning,) = found
        assert beyond in warning.message
        assert warning.field == "task"


@pytest.mark.parametrize("speed", [0.1, 0.25])
@pytest.mark.parametrize(
    ("kind", "fields", "way_m"),
    [
        ("centre_out", {"distance_m": 0.1, "radius_m": 0.012, "cursor_radius_m": 0.002}, 0.09),
        ("timed_reach", {"distance_m": 0.1, "radius_m": 0.015, "start_jitter_m": 0.005}, 0.08),
    ],
)
def test_a_time_too_short_at_the_top_speed(kind, fields, way_m, speed):
    for factor, short in ((0.95, True), (1.05, False)):
        allowed_s = factor * way_m / speed
        times = {"reach_timeout_s": allowed_s} if kind == "centre_out" else {"reach_s": allowed_s + 0.1, "hold_s": 0.1}
        data = task(kind, **fields, **times)
        data["population"] = {"kind": "tuned", "units": 12, "subject": {"max_speed_m_s": speed}}
        found = warned(data)
        assert len(found) == short
        if short:
            assert f"{way_m:.3g} m at the subject's top speed of {speed:g} m/s" in found[0].message


def test_a_decoder_without_effect():
    """A decay of 1 leaves velocity no noise."""
    (warning,) = warned(centre_out(decoder={"kind": "kalman", "calibration": {"decay_per_100ms": 1.0, "reaches": 8}}))
    assert warning.field == "W"
