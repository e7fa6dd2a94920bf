"""Declarations of LSL streams. What outlets send is tested in `inside.py`."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

pytest.importorskip("pylsl")

from decoderd_plugins.lsl import outlets

DESCRIPTION = {
    "session": "first",
    "decoderd": "1.2",
    "seed": 3,
    "speed": "realtime",
    "tick_s": 0.01,
    "bin_ticks": 5,
    "units": 2,
    "channels": ["counts"],
}


def declared(stream, name="NAME"):
    return ElementTree.fromstring(outlets.declaration(DESCRIPTION, stream, name).as_xml())


def test_a_declaration_has_what_a_reader_needs():
    found = declared("counts")
    core = [found.findtext(tag) for tag in ("name", "type", "channel_count", "channel_format")]
    assert core == ["NAME", "SpikeCounts", "2", "int16"]
    assert float(found.findtext("nominal_srate")) == 20.0
    assert found.findtext("source_id").startswith("decoderd.first.counts@")
    assert found.findtext("desc/acquisition/manufacturer") == "decoderd"
    assert found.findtext("desc/acquisition/model") == "decoderd 1.2"
    about = {one.tag: one.text for one in found.find("desc/decoderd")}
    assert about["session"] == "first"
    assert (about["seed"], about["tick_s"], about["bin_ticks"], about["units"]) == ("3", "0.01", "5", "2")
    channels = [[one.findtext(tag) for tag in ("label", "type", "unit")] for one in found.find("desc/channels")]
    assert channels == [["unit0", "unit", "spikes"], ["unit1", "unit", "spikes"]]


def test_positions_are_in_metres():
    channels = declared("position").find("desc/channels")
    assert [(one.findtext("type"), one.findtext("unit")) for one in channels] == [
        ("PositionX", "meters"),
        ("PositionY", "meters"),
    ]
