"""`decoderd import` and `decoderd export-decoder`: what they print; the rest is tested in tests/decoders and twin."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.decoders.theirs import saved
from tests.running import cli


@pytest.fixture
def folder(tmp_path):
    np.savez(tmp_path / "f.npz", **saved(np.random.default_rng(1)))
    return tmp_path


def test_there_and_back_as_text(folder):
    shown = cli("import", "bmi3d", "f.npz", "--out", "ours", cwd=folder).stdout
    assert shown == (
        "30 units, states px pz vx vz 1, bins of 0.1 s; left out: py vy\nrun it with: decoderd run ours/protocol.toml\n"
    )
    shown = cli("export-decoder", "ours/decoder.npz", "--out", "g.mat", "--length-unit", "mm", cwd=folder).stdout
    assert shown == "states hand_px hand_py hand_pz hand_vx hand_vy hand_vz offset, in mm: g.mat\n"


def test_as_json_with_warnings_and_every_option(folder):
    np.savez(folder / "f.npz", **saved(np.random.default_rng(1), observed=(3, 4, 5)))
    options = ("--axes", "z,y", "--length-unit", "mm", "--bin-s", "0.09", "--states", "px,py,pz,vx,vy,vz,1", "--json")
    done = cli("import", "bmi3d", "f.npz", "--out", "ours", *options, cwd=folder)
    found = json.loads(done.stdout)
    assert (found["states"], found["left_out"]) == (["pz", "py", "vz", "vy", "1"], ["px", "vx"])
    assert (found["bin_s"], found["units"], found["protocol"]) == (0.09, 30, "ours/protocol.toml")
    (warning,) = found["warnings"]
    assert warning["field"] == "C"
    assert f"warning: {warning['message']}" in done.stderr
    done = cli("export-decoder", "ours/decoder.npz", "--out", "g.npz", "--json", cwd=folder)
    assert json.loads(done.stdout)["states"][3] == "hand_vx"


def test_a_filter_without_rates_is_for_decoding(folder):
    arrays = saved(np.random.default_rng(1))
    arrays["C"][:, 6] = 0.0
    np.savez(folder / "f.npz", **arrays)
    shown = cli("import", "bmi3d", "f.npz", "--out", "ours", cwd=folder).stdout
    assert "decode with it: decoderd decode --kind kalman --decoder ours/decoder.npz" in shown
