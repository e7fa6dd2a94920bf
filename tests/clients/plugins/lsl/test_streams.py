"""The table of LSL streams, and the samples of messages."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from decoderd_plugins.lsl import streams
from tests.clients.plugins import building

DESCRIPTION = {
    "session": "s",
    "decoderd": "1.2",
    "seed": 3,
    "speed": "realtime",
    "tick_s": 0.01,
    "bin_ticks": 5,
    "units": 3,
    "channels": ["counts", "time_at_risk"],
}
TICK = building.tick(7, 1, 3, goal=(0.1, 0.2), cursor=(1.0, 2.0, 3.0, 4.0), decoded=(5.0, 6.0), intended=(7.0, 8.0))


def test_kinematics_are_all_groups_in_order():
    table = streams.available(DESCRIPTION)
    values = {channel.label: value for channel, value in zip(*described(table["kinematics"], TICK), strict=True)}
    assert values == {
        "PositionX": 1.0,
        "PositionY": 2.0,
        "VelocityX": 3.0,
        "VelocityY": 4.0,
        "DecodedVelocityX": 5.0,
        "DecodedVelocityY": 6.0,
        "IntendedVelocityX": 7.0,
        "IntendedVelocityY": 8.0,
        "GoalX": 0.1,
        "GoalY": 0.2,
    }
    for name in streams.GROUPS:
        for channel, value in zip(*described(table[name], TICK), strict=True):
            assert values[channel.label] == value


def described(stream, message):
    return stream.channels, list(stream.sample(message))


def test_at_rest_there_is_no_goal():
    sample = streams.available(DESCRIPTION)["goal"].sample(building.tick(0, 0, 0))
    assert all(math.isnan(value) for value in sample)


def test_counts_are_summed_over_the_bin():
    counts = np.array([[1, 0, 2], [0, 0, 40_000]])
    stream = streams.available(DESCRIPTION)["counts"]
    sample = stream.sample(building.counts(4, counts))
    assert sample.dtype == np.int16
    assert sample.tolist() == [1, 0, 32_767]
    assert len(stream.channels) == 3
    assert stream.sample(building.counts(4, counts, channel="time_at_risk")) is None


def test_another_channel_is_a_stream_of_its_own():
    stream = streams.available(DESCRIPTION)["counts.time_at_risk"]
    sample = stream.sample(building.counts(4, np.ones((5, 3)), channel="time_at_risk"))
    assert (stream.format, sample.dtype) == ("float32", np.float32)
    assert sample.tolist() == [5, 5, 5]
    assert stream.sample(building.counts(4, np.ones((5, 3)))) is None


def test_a_marker_is_the_message_by_whole_names():
    stream = streams.available(DESCRIPTION)["events"]
    (text,) = stream.sample(building.trial(3, end=90, start=40, go=50))
    assert json.loads(text) == {
        "topic": "trial",
        "tick": 90,
        "day": 1,
        "block": 1,
        "trial": 3,
        "target_index": 1,
        "target": None,
        "start_tick": 40,
        "go_tick": 50,
        "outcome": "success",
        "perturbations": [],
    }
    assert (stream.content, stream.format, stream.rate_hz) == ("Markers", "string", 0.0)


@pytest.mark.parametrize(
    ("speed", "ticks_hz"), [("realtime", 100.0), ("2.5", 250.0), ("0.5", 50.0), ("max", 0.0), ("lockstep", 0.0)]
)
def test_the_rate_is_that_of_the_clock_and_none_without_one(speed, ticks_hz):
    table = streams.available({**DESCRIPTION, "speed": speed})
    assert table["kinematics"].rate_hz == ticks_hz
    assert table["counts"].rate_hz == ticks_hz / 5


def test_names_and_sources():
    assert streams.full_name("first", "counts") == "decoderd.first.counts"
    assert streams.source_id("first", "counts") == streams.source_id("first", "counts")
    assert streams.source_id("first", "counts") != streams.source_id("second", "counts")
