"""Columns of messages: a column a field, with its value and its description."""

from __future__ import annotations

import json

import numpy as np

from decoderd.recording.export.columns import as_json, columns_of, values_of
from decoderd.wire import topics
from decoderd.wire.messages import Health, Perturbation, Task, Tick


def test_every_field_of_every_message_has_its_columns(recorded):
    for topic in topics.TABLE:
        columns = columns_of(topic.model)
        assert all(column.about for column in columns)
        payloads = list(recorded.payloads(topic.name))[:10]
        if topic.name != "counts":
            assert list(values_of(topic.model, payloads)) == [column.name for column in columns]


def test_pairs_are_columns_of_their_own_and_nothing_is_nan():
    velocities = {"decoded_velocity": (0.1, 0.2), "intended_velocity": (0.3, 0.4)}
    fields = {"day": 1, "block": 1, "trial": 2, "phase": 3, **velocities}
    payloads = [
        Tick.build(**fields, goal=None, cursor=(1.0, 2.0, 3.0, 4.0)),
        Tick.build(**fields, goal=(5.0, 6.0), cursor=(7.0, 8.0, 9.0, 10.0)),
    ]
    found = values_of(Tick, payloads)
    np.testing.assert_array_equal(found["goal_x_m"], [np.nan, 5.0])
    np.testing.assert_array_equal(found["cursor_vy_m_s"], [4.0, 10.0])
    assert found["phase"].dtype == np.int64
    late = {"ticks": 3, "wall_s": 0.5, "duration_us": (1.0, 2.0, 3.0), "missed_deadlines": 0, "clipped": 0}
    found = values_of(Health, [Health.build(**late, lateness_us=None)])
    assert np.isnan(found["lateness_p50_us"]).all()
    assert found["duration_max_us"].tolist() == [3.0]


def test_without_messages_columns_have_their_types():
    assert values_of(Task, [])["goal_x_m"].dtype == np.float64
    assert values_of(Task, [])["trial"].dtype == np.int64
    assert values_of(Perturbation, [])["name"] == []


def test_dictionaries_are_json_and_bytes_base64():
    config = {"kind": "gain", "factor": [1.0, 1.1]}
    found = values_of(Perturbation, [Perturbation.build(name="p", event="on", config=config)])
    assert (found["name"], found["event"]) == (["p"], ["on"])
    assert json.loads(found["config"][0]) == config
    assert as_json({"data": b"\x00\xff"}) == '{"data":"AP8="}'
