"""Recordings that people have, made by seed: reaches of a tuned Poisson population, as arrays or as an NWB file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from decoderd.arrays import load_npz
from decoderd.twin import fit

Arrays = dict[str, np.ndarray[Any, Any]]
BIN_S = 0.05
EIGHT = np.arange(0.0, 360.0, 45.0)


def tuned_rates(angle_deg: Any, units: int, seed: int) -> Any:
    """Rates (T, units) in Hz of cosine-tuned units at intended directions (T,)."""
    draw = np.random.default_rng(seed)
    preferred, depth = draw.uniform(0, 2 * np.pi, units), draw.uniform(0.4, 0.9, units)
    mean = draw.uniform(10, 40, units)
    return mean * (1 + depth * np.cos(np.deg2rad(np.asarray(angle_deg, dtype=float))[:, np.newaxis] - preferred))


def reaches(
    target: Any = None, angles_deg: Any = EIGHT, units: int = 16, seed: int = 1, bin_s: float = BIN_S
) -> Arrays:
    """Counts of bins with targets (T,), by default 20 bins to each of 8 targets three times over."""
    target = np.tile(np.repeat(np.arange(8), 20), 3) if target is None else np.asarray(target)
    angles_deg = np.asarray(angles_deg, dtype=float)
    counts = np.random.default_rng([seed, 1]).poisson(bin_s * tuned_rates(angles_deg[target], units, seed))
    return {"counts": counts, "target": target, "target_angle_deg": angles_deg, "bin_s": np.array(bin_s)}


def fitted(folder: Path, arrays: Mapping[str, Any], **options: Any) -> fit.Summary:
    """The twin of these arrays, with four factors."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "recording.npz", **arrays)
    return fit.fit(folder / "recording.npz", folder / "twin", **{"factors": 4, **options})


def assert_same_twin(one: fit.Summary, other: fit.Summary) -> None:
    """Population, decoder and protocol are equal."""
    for field in ("population", "decoder"):
        left, right = (load_npz(getattr(summary, field)) for summary in (one, other))
        assert left.keys() == right.keys()
        for name in left:
            np.testing.assert_array_equal(left[name], right[name], err_msg=name)
    assert one.protocol.read_text() == other.protocol.read_text()


class Session:
    """Spike trains and trials of an NWB file; what a test changes before it is written."""

    def __init__(self, trials: int = 40, units: int = 12, seed: int = 1) -> None:
        self.angle_deg = 45.0 * (np.arange(trials) % 8)
        self.start = 1.0 + np.arange(trials)
        self.stop = self.start + 0.6
        self.end_s = self.stop[-1] + 0.4
        draw = np.random.default_rng([seed, 2])
        rate = tuned_rates(np.append(self.angle_deg[0], self.angle_deg), units, seed)  # from 0 s, a row a second
        self.spikes = [
            np.concatenate([np.sort(s + draw.uniform(0, 1, draw.poisson(r))) for s, r in enumerate(of_unit)])
            for of_unit in rate.T
        ]
        self.columns: dict[str, Any] = {"target_angle_deg": self.angle_deg}
        self.observed: list[Any] | None = None
        self.invalid: list[tuple[float, float]] = []

    def write(self, path: Path) -> Path:
        """The file."""
        pynwb = pytest.importorskip("pynwb", reason="pynwb is not installed (the nwb extra)")
        file = pynwb.NWBFile("made", "made", datetime(2026, 1, 1, tzinfo=UTC))
        for unit, times in enumerate(self.spikes):
            seen = {} if self.observed is None else {"obs_intervals": self.observed[unit]}
            file.add_unit(spike_times=times, **seen)
        for name in self.columns:
            file.add_trial_column(name=name, description=name)
        for trial, (start, stop) in enumerate(zip(self.start, self.stop, strict=True)):
            file.add_trial(
                start_time=start, stop_time=stop, **{name: values[trial] for name, values in self.columns.items()}
            )
        for start, stop in self.invalid:
            file.add_invalid_time_interval(start_time=start, stop_time=stop)
        with pynwb.NWBHDF5IO(str(path), "w") as io:
            io.write(file)
        return path

    def fit(self, folder: Path, **options: Any) -> fit.Summary:
        """The twin of the file, in bins of BIN_S and with four factors."""
        folder.mkdir(parents=True, exist_ok=True)
        path = self.write(folder / "recording.nwb")
        return fit.fit(path, folder / "twin", **{"factors": 4, "bin_s": BIN_S, **options})
