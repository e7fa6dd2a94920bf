"""The tables of a day: every recorded number of it, by whole names."""

from __future__ import annotations

import json

import numpy as np

from decoderd.recording.export import tables
from decoderd.wire import topics


def whole(table):
    """A table in one batch."""
    batches = list(table.batches())
    assert all(list(batch) == [column.name for column in table.columns] for batch in batches)
    return {
        name: [one for batch in batches for one in batch[name]]
        if isinstance(batches[0][name], list)
        else np.concatenate([batch[name] for batch in batches])
        for name in batches[0]
    }


def test_there_is_a_table_for_each_topic_and_for_inputs(reader):
    names = [table.name for table in tables.tables(reader)]
    assert set(names) == {"ticks", "trials", "counts", "inputs", *topics.NAMES} - {"tick", "trial"}
    assert len(set(names)) == len(names)


def test_ticks(reader, recorded):
    found, ticks = whole(tables.ticks(reader)), recorded.ticks()
    inside = slice(reader.day.first_tick, reader.day.end_tick)
    for name in ("tick", "day", "block", "trial", "phase"):
        np.testing.assert_array_equal(found[name], ticks[name][inside])
    for columns, name in (
        (("goal_x_m", "goal_y_m"), "goal"),
        (("cursor_x_m", "cursor_y_m", "cursor_vx_m_s", "cursor_vy_m_s"), "cursor"),
        (("decoded_velocity_x", "decoded_velocity_y"), "decoded"),
        (("intended_velocity_x", "intended_velocity_y"), "intended"),
    ):
        np.testing.assert_array_equal(np.stack([found[column] for column in columns], axis=1), ticks[name][inside])
    np.testing.assert_array_equal(found["time_s"], np.arange(reader.day.ticks) * 0.01)
    assert np.isfinite(found["lateness_ns"]).all()


def test_counts(reader, recorded):
    (table,) = (table for table in tables.tables(reader) if table.name == "counts")
    found = whole(table)
    counts = np.stack([found[f"unit_{unit}"] for unit in range(12)], axis=1)
    np.testing.assert_array_equal(counts, recorded.counts()[reader.day.first_tick : reader.day.end_tick])
    assert found["tick"].tolist() == list(range(reader.day.first_tick, reader.day.end_tick))


def test_messages_and_inputs(reader, recorded):
    found = {table.name: whole(table) for table in tables.tables(reader)}
    mine = [m for m in recorded.messages("perturbation") if reader.day.first_tick <= m.tick < reader.day.end_tick]
    assert found["perturbation"]["event"] == [message.event for message in mine]
    assert [json.loads(text) for text in found["perturbation"]["config"]] == [message.config for message in mine]
    assert found["task"]["tick"].tolist() == [
        m.tick for m in recorded.messages("task") if reader.day.first_tick <= m.tick < reader.day.end_tick
    ]
    if reader.day.number == 1:
        assert found["perturbation"]["event"][0] == "added"
        assert found["inputs"]["op"] == ["perturb", "unperturb", "metrics"]
        assert json.loads(found["metrics"]["values"][0]) == {"n_c": 2.0}
