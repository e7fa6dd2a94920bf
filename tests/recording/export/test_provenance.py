"""Where an export comes from."""

from __future__ import annotations

import hashlib
import json

import decoderd
from decoderd.recording.export.provenance import digest, provenance
from tests.running import stored


def test_provenance_of_a_day(reader, recorded, run):
    of_session = digest(recorded.store)
    assert of_session == hashlib.sha256(stored(run)).hexdigest()
    about = provenance(recorded, reader.day, of_session)
    manifest = recorded.store.manifest()
    assert json.loads(json.dumps(about)) == about
    assert (about["session"], about["seed"], about["protocol"]) == ("small-3", 3, manifest["protocol"])
    assert (about["day"], about["first_tick"], about["end_tick"], about["day_ended"]) == (*reader.day[:3], True)
    assert about["ticks"] == len(recorded.ticks()["tick"])
    assert about["versions"] == manifest["versions"]
    assert about["readouts"] == recorded.readouts
    assert about["exported_by"] == decoderd.__version__
    assert [one["speed"] for one in about["incarnations"]] == ["100"]
