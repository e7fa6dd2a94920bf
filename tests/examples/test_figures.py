"""The figures of the lesson, with few short sessions."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

FIGURES = Path(__file__).resolve().parents[2] / "examples" / "figures"
pytestmark = pytest.mark.campaign


@pytest.fixture
def program(monkeypatch):
    monkeypatch.syspath_prepend(FIGURES)
    return import_module


def drawn(path):
    return path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 10_000


def test_what_a_decoder_does(program, tmp_path, capsys):
    program("what_a_decoder_does").main(str(tmp_path / "a.png"))
    assert drawn(tmp_path / "a.png")
    assert int(capsys.readouterr().out.split()[0]) >= 32  # of 40


def test_wide_bins_are_best_offline_and_worst_in_the_loop(program, monkeypatch, tmp_path):
    """The finding of Cunningham et al. (2011)."""
    figure = program("bin_width")
    monkeypatch.setattr(figure, "WIDTHS", (5, 30))
    monkeypatch.setattr(figure, "SEEDS", range(1, 3))
    found = np.array([figure.measured(seed) for seed in figure.SEEDS])
    assert (found[:, 1, 0] > found[:, 0, 0] + 0.1).all()
    assert (found[:, 1, 2] < 0.6 * found[:, 0, 2]).all()


def test_an_adapted_decoder_reaches_targets_and_a_fixed_one_does_not(program, monkeypatch):
    figure = program("adaptation")
    monkeypatch.setattr(figure, "MINUTES", 6)
    assert figure.per_minute(2)[-2:].min() >= 6
    assert figure.per_minute(2, updater={"kind": "none"}).sum() <= 2
