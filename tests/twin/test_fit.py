"""A twin of a simulated recording: the files, and the closed loop."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from decoderd.errors import ArrayError
from decoderd.protocol import protocol
from decoderd.twin import fit
from decoderd.twin.decoder import decoder
from decoderd.twin.recording import check
from tests.twin.simulated import Arrays, individual, recorded, saved, success_rate, trials


def test_a_recording_of_counts_alone_becomes_a_closed_loop_that_reaches(tmp_path: Path) -> None:
    summary = fit.fit(saved(tmp_path, recorded(individual())), tmp_path / "out", factors=3)
    assert summary.fitted == ("factor analysis", "filter")
    assert (summary.bins, summary.units, summary.latents, summary.harmonics) == (2000, 40, 3, 3)
    written = protocol.load(summary.protocol)
    assert (written.name, written.timing.bin_s) == ("made-up", 0.05)
    assert written.population.file == summary.population  # type: ignore[attr-defined]
    assert success_rate(trials(summary.protocol, "schedule.blocks.0.trials=24")) >= 0.9


def test_the_same_recording_gives_the_same_bytes(tmp_path: Path) -> None:
    path = saved(tmp_path, recorded(individual(), 400))
    made = [fit.fit(path, tmp_path / name, factors=3) for name in "ab"]
    for field in ("population", "decoder", "protocol"):
        assert getattr(made[0], field).read_bytes() == getattr(made[1], field).read_bytes()
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["decoder.npz", "population.npz", "protocol.toml"]


@pytest.fixture(scope="module")
def whole() -> Arrays:
    """A recording with everything, in metres."""
    arrays = recorded(individual(), 400)
    return {**arrays, **decoder(check(arrays), 3)}


def test_an_output_that_is_a_file_is_refused_and_left_unchanged(tmp_path: Path, whole: Arrays) -> None:
    path, out = saved(tmp_path, whole), tmp_path / "out"
    out.write_text("a file")
    with pytest.raises(ArrayError, match="cannot be written"):
        fit.fit(path, out, length_unit="m")
    assert out.read_text() == "a file"


def test_a_failed_write_leaves_no_part_of_a_file(
    tmp_path: Path, whole: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = saved(tmp_path, whole), tmp_path / "out"

    def full_disk(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(ArrayError, match="No space left"):
        fit.fit(path, out, length_unit="m")
    assert list(out.iterdir()) == []
