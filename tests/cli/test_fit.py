"""`decoderd fit`: its table and JSON, and the protocol that it writes; the fit itself is tested in tests/twin."""

from __future__ import annotations

import json

import numpy as np
import pytest

from decoderd.protocol import protocol
from tests.running import cli, failure


@pytest.fixture
def recording(tmp_path):
    """Poisson counts of 20 tuned units in reaches to 8 targets."""
    draw = np.random.default_rng(1)
    target = np.arange(400) % 8
    angle = 2 * np.pi * target / 8
    preferred = draw.uniform(0, 2 * np.pi, 20)
    np.savez(
        tmp_path / "recording.npz",
        counts=draw.poisson(5 + 3 * np.cos(angle[:, np.newaxis] - preferred)),
        target=target,
        target_angle_deg=45.0 * np.arange(8),
        cursor_to_target=np.stack([np.cos(angle), np.sin(angle)], axis=1),
        bin_s=0.05,
    )
    return tmp_path / "recording.npz"


def test_as_json(tmp_path, recording):
    done = cli("fit", recording, "--out", tmp_path / "twin", "--factors", "5", "--json")
    found = json.loads(done.stdout)
    assert (found["bins"], found["units"], found["latents"]) == (400, 20, 5)
    assert "400 bins, 20 units" in (tmp_path / "twin" / "report.html").read_text(encoding="utf-8")
    assert found["report"] == str(tmp_path / "twin" / "report.html")
    assert len(found["progress_m"]) == len(found["twin_progress_m"]) == 8
    assert protocol.load(tmp_path / "twin" / "protocol.toml").population.kind == "manifold"


def test_as_text(tmp_path, recording):
    shown = cli("fit", recording, "--out", tmp_path / "twin", "--factors", "5").stdout
    assert "recording.npz: 400 bins, 20 units, 5 latents" in shown
    assert f"run it with: decoderd run {tmp_path / 'twin' / 'protocol.toml'}\n" in shown


def test_a_recording_that_is_none(tmp_path):
    assert "nowhere.npz: no such file" in failure(cli("fit", tmp_path / "nowhere.npz", "--out", tmp_path / "twin"))
    assert not (tmp_path / "twin").exists()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--decoder", "linear"], "--decoder needs --kinematics"),
        (["--noise-factors", "0"], "--noise-factors needs --kinematics"),
        (["--kinematics", "velocity", "--factors", "5"], "--factors is for a fit to targets, without --kinematics"),
    ],
)
def test_options_of_the_other_kind_of_fit_are_refused(tmp_path, recording, options, error):
    assert error in failure(cli("fit", recording, "--out", tmp_path / "twin", *options))
    assert not (tmp_path / "twin").exists()
