"""The bridge: what it puts out and refuses; and, in a network namespace of their own, the tests with real streams."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from decoderd.extras import MissingExtra
from decoderd.wire.message import numbered
from decoderd.wire.messages import Task
from decoderd_client.plugins import Unable, installed
from decoderd_plugins.lsl import LSL, Config
from tests.clients.plugins.lsl import network

pytest.importorskip("pylsl")

from decoderd_plugins.lsl import bridge

DESCRIPTION = {
    "session": "s",
    "speed": "realtime",
    "tick_s": 0.01,
    "bin_ticks": 5,
    "units": 3,
    "channels": ["counts", "events"],
}


def test_real_streams_in_a_network_namespace(tmp_path):
    assert " passed" in network.run_tests(Path(__file__).with_name("inside.py"), tmp_path)


def test_streams_have_names_of_the_session_or_those_given():
    assert installed()["lsl"] is LSL
    config = Config(streams="counts,counts.events", map="velocity=NDS-Behavior, counts=Spikes")
    assert bridge.chosen(config, DESCRIPTION) == {
        "counts": "Spikes",
        "counts.events": "decoderd.s.counts.events",
        "velocity": "NDS-Behavior",
    }


def test_a_stream_that_the_session_does_not_have_is_refused():
    with pytest.raises(
        Unable, match=r"no stream 'spikes'; this session has: kinematics, .*counts, counts\.events, events"
    ):
        bridge.chosen(Config(streams="spikes"), DESCRIPTION)


@pytest.mark.parametrize("given", [{"map": "velocity"}, {"map": "=x"}, {"input_scale": 0}, {"stream": "counts"}])
def test_wrong_options_are_refused(given):
    with pytest.raises(ValidationError):
        Config(**given)


def test_a_summary_of_a_stream():
    assert bridge.summary(DESCRIPTION, "counts") == "SpikeCounts, 3 channels of int16, 20 Hz"
    assert bridge.summary(DESCRIPTION, "events") == "Markers, 1 channels of string, no regular rate"


@pytest.mark.parametrize(("age_s", "good"), [(0.0, True), (5.0, True), (-1.0, False), (1e5, False)])
def test_a_clock_of_another_machine_is_noticed(age_s, good):
    payload = numbered(Task.build(trial=1, phase=1, target_index=0, goal=None), "s", 0, 0)
    message = Task.read(payload, 1, 100_000_000_000)
    if good:
        bridge.check_clock(message, 100 + age_s)
    else:
        with pytest.raises(Unable, match="run the bridge on the session's machine"):
            bridge.check_clock(message, 100 + age_s)


def test_a_missing_extra_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "pylsl", None)  # an import of it fails
    with pytest.raises(MissingExtra, match=r"pip install 'decoderd\[lsl\]'"):
        LSL.run(None, Config(), print)
