"""`decoderd reproduce`, in a process of its own. The experiment in full takes most of a minute: a campaign."""

import json
import re

import pytest

from tests.running import cli


def test_help_names_the_experiment():
    assert "manifold" in cli("reproduce", "--help").stdout
    assert cli("reproduce", "manifold", "--seeds", "0").returncode != 0


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_run(tmp_path):
    (tmp_path / "file").write_text("")
    done = cli("reproduce", "manifold", "--json", "--out", tmp_path / "file" / "new")
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["error"]["field"] == "out"


@pytest.mark.campaign
def test_manifold_in_full(tmp_path):
    done = cli("reproduce", "manifold", "--seeds", "20", "--json", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["bands"][0]) == {"name", "value", "low", "high", "ok"}
    assert found["wall_s"] > found["learning_s"] > 0
    assert found["rounding"] < 1e-9
    stated = [band for band in found["bands"] if re.search(r"as stated|halving", band["name"])]
    assert len(stated) >= 8
    assert all(band["ok"] for band in stated)
    page = (tmp_path / "manifold.html").read_text(encoding="utf-8")
    assert page.count("<img ") == 10
