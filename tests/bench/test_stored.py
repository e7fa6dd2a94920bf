"""Stored runs of the benchmarks, and the picture of their course."""

import json
import re
from datetime import UTC, datetime

import pytest

from tools import benchmarks

KEPT = sorted(benchmarks.FOLDER.glob("*.json"))
FIELDS = {"date", "version", "commit", "options", "machine", "figures"}


def test_a_run_is_stored_with_its_machine(tmp_path):
    when = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
    path = benchmarks.stored({"tick_us_100": 30.0}, ["--turns", "1"], tmp_path, when)
    assert re.fullmatch(r"2030-01-02T0304-\S+\.json", path.name)
    (run,) = benchmarks.runs(tmp_path)
    assert set(run) == FIELDS
    assert run["figures"] == {"tick_us_100": 30.0}
    assert run["machine"]["cores"] >= 1
    assert run["machine"]["cpu"]
    assert {"python", "numpy"} <= set(run["machine"])


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_the_stored_runs_are_complete(path):
    run = json.loads(path.read_text())
    assert set(run) == FIELDS
    assert {"cores", "cpu", "python", "numpy"} <= set(run["machine"])
    assert path.name == f"{datetime.fromisoformat(run['date']):%Y-%m-%dT%H%M}-{run['commit'].rstrip('+')}.json"
    assert set(benchmarks.SHOWN) <= set(run["figures"])


def test_the_picture_shows_every_run_and_is_the_same_again(tmp_path):
    for path in KEPT:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    earlier = json.loads(KEPT[0].read_text())
    earlier |= {"date": "2020-01-01T00:00:00+00:00", "commit": "abc1234", "figures": {"tick_us_100": 1.0}}
    (tmp_path / "2020-01-01T0000-abc1234.json").write_text(json.dumps(earlier))
    assert benchmarks.runs(tmp_path)[0]["commit"] == "abc1234"
    first = benchmarks.draw(tmp_path).read_bytes()
    assert benchmarks.draw(tmp_path).read_bytes() == first
    points = len(re.findall(rb"<use xlink:href=", first))
    (tmp_path / "2020-01-01T0000-abc1234.json").unlink()
    assert len(re.findall(rb"<use xlink:href=", benchmarks.draw(tmp_path).read_bytes())) < points
