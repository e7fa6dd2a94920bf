"""Estimates of memory, against what NumPy and the checkpoints of real sessions take."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from decoderd.errors import ProtocolError, Shortage
from decoderd.preparation import memory, parameters
from decoderd.preparation.memory_limit import MemoryLimit
from decoderd.protocol import protocol
from tests import running
from tests.protocols import begun, centre_out, individual, recording

EXPERIMENTS = Path(__file__).resolve().parents[2] / "protocols" / "experiments"
OUTSIDE = {"kind": "external"}
BRIEF = {"reaches": 20, "reach_s": 0.5}
PRETRAINING = {
    "effector": {"kind": "point_mass"},
    "plasticity": {"kind": "reinforce"},
    "updates": 2,
    "targets": 8,
    "reach_s": 0.5,
}
CASES = {
    "kalman": {"population": {"kind": "tuned", "units": 500}, "decoder": {"kind": "kalman", "calibration": BRIEF}},
    "point process": {
        "population": {"kind": "tuned", "units": 2000},
        "decoder": {"kind": "point_process", "calibration": BRIEF},
        "updater": {"kind": "point_process_ml"},
    },
    "many reaches": {"decoder": {"kind": "linear", "calibration": {"reaches": 300, "reach_s": 0.2}}},
    "refractory": {
        "population": {"kind": "refractory", "units": 4000, "refractory_s": 0.0005},
        "decoder": OUTSIDE,
        "tick_s": 0.1,
    },
    "bursting": {
        "population": {"kind": "bursting", "units": 4000, "feedback": "random", "burst_interval_s": [0.0005, 0.002]},
        "decoder": OUTSIDE,
        "tick_s": 0.016,
    },
    "two compartments": {
        "population": {"kind": "two_compartment", "units": 1000, "feedback": "random"},
        "decoder": OUTSIDE,
        "tick_s": 0.016,
    },
    "rnn": {"population": {"kind": "rnn", "units": 700}, "decoder": OUTSIDE},
    "rnn, single": {"population": {"kind": "rnn", "units": 700, "precision": "single"}, "decoder": OUTSIDE},
    "linear": {
        "population": {"kind": "linear", "units": 300, "targets": 4, "training": {"updates": 2}},
        "decoder": OUTSIDE,
    },
    "pretraining": {"population": {"kind": "rnn", "units": 300}, "decoder": OUTSIDE, "pretraining": PRETRAINING},
    "updater": {
        "population": {"kind": "tuned", "units": 400},
        "decoder": {"kind": "kalman", "calibration": BRIEF},
        "updater": {"kind": "smooth_batch", "batch_s": 0.5},
    },
}


def data_of(case):
    """Plain data of a case; a population of 300 units where it says nothing else."""
    return centre_out(**{"population": {"kind": "tuned", "units": 300}, **CASES[case]})


def arrays_of(data):
    """The estimate in bytes, without the program."""
    return sum(size for part, size in parameters.needed(protocol.parse(data)).items() if part != "program")


@pytest.mark.parametrize("case", CASES)
def test_the_estimate_is_right_within_a_factor_of_two(tmp_path, monkeypatch, case):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    data = data_of(case) | {"schedule": {"blocks": [{"duration_s": 1.0}]}}
    begun(centre_out())  # tables and modules that every session shares
    tracemalloc.start()
    try:
        running.record(tmp_path / "run", data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.5 < arrays_of(data) / peak < 2


MEASURE = """
import json, sys
from pathlib import Path
from decoderd.preparation.parameters import needed
from decoderd.protocol import protocol
from decoderd.recording import session_file
from tests.protocols import begun, turned
data = json.loads(sys.argv[1])
session, state = begun(data)
session_file.begin(Path(sys.argv[2]), session, state)[0].close()
turned(session, state, ticks=100)
peak = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([peak, sum(needed(protocol.parse(data)).values())]))
"""
LARGE = {
    "a Kalman filter": {"population": {"kind": "tuned", "units": 2500}, "decoder": {"kind": "kalman"}},
    "a network": {"population": {"kind": "rnn", "units": 6000}, "decoder": OUTSIDE},
    "pretraining": {
        "population": {"kind": "rnn", "units": 1000},
        "decoder": OUTSIDE,
        "pretraining": {**PRETRAINING, "targets": 64, "reach_s": 1.0},
    },
}


@pytest.mark.campaign
@pytest.mark.parametrize("name", [*LARGE, *(path.stem for path in sorted(EXPERIMENTS.glob("*.toml")))])
def test_the_estimate_is_right_for_whole_processes(tmp_path, name):
    data = centre_out(**LARGE[name]) if name in LARGE else protocol.read(EXPERIMENTS / f"{name}.toml")
    environment = {**running.environment(), "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", MEASURE, json.dumps(data), str(tmp_path / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=True)
    peak, estimate = json.loads(done.stdout)
    assert 0.5 < estimate / peak < 2


def test_a_session_that_is_too_large_is_refused_before_anything_is_drawn(monkeypatch):
    monkeypatch.setattr(parameters, "individual", None)  # calling it would fail
    data = centre_out(population={"kind": "rnn", "units": 20_000}, decoder=OUTSIDE)
    with pytest.raises(ProtocolError) as caught:
        parameters.prepare(protocol.parse(data), limit=MemoryLimit(4 * 2**30, "--max-memory"))
    assert caught.value.field == "population.units"
    assert "needs about 16.2 GB (population 16.1 GB" in str(caught.value)
    assert "allowed are 4.29 GB (--max-memory)" in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"population": {"kind": "tuned", "units": 9000}}, "population.units"),
        ({"decoder": {"kind": "linear", "calibration": {"reaches": 1_000_000}}}, "decoder.calibration.reaches"),
        (
            {
                "population": {"kind": "rnn", "units": 2000},
                "decoder": OUTSIDE,
                "pretraining": {**PRETRAINING, "targets": 64, "reach_s": 60.0},
            },
            "pretraining.targets",
        ),
    ],
)
def test_the_field_is_that_of_the_largest_part(fields, field):
    with pytest.raises(ProtocolError) as caught:
        parameters.prepare(protocol.parse(centre_out(**fields)), limit=MemoryLimit(2**30, "--max-memory"))
    assert caught.value.field == field


def test_a_population_of_a_file_is_estimated_by_its_numbers_and_then_by_its_units(tmp_path):
    """Of such a file only the header says how large it is; how many units it has is known once it is read."""
    file = {"kind": "manifold", "file": str(individual(tmp_path / "one.npz", units=2000))}
    parsed = protocol.parse(centre_out(population=file, bin_ticks=5, decoder={"kind": "kalman", "calibration": BRIEF}))
    before, after = memory.of_session(parsed), memory.of_session(parsed, 2000)
    numbers = sum(array.size for array in np.load(file["file"]).values())
    assert before == {"program": memory.PROGRAM, "population": 8 * 5 * numbers}
    assert after["decoder"] == 8 * 10 * 2000**2
    limit = MemoryLimit(sum(before.values()) + 2**20, "--max-memory")
    with pytest.raises(ProtocolError, match=r"population.units: the session needs about .* \(decoder"):
        parameters.prepare(parsed, limit=limit)


def test_a_file_that_holds_more_than_is_allowed_is_not_read(tmp_path):
    """Zeros are compressed a thousandfold."""
    np.savez_compressed(tmp_path / "bomb.npz", counts=np.zeros((2**21, 8)))
    assert (tmp_path / "bomb.npz").stat().st_size < 2**20
    data = centre_out(population={"kind": "replay", "file": str(tmp_path / "bomb.npz")}, decoder=OUTSIDE)
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match=r"population.units: the session needs about"):
            parameters.prepare(protocol.parse(data), limit=MemoryLimit(2**28, "--max-memory"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**24


def test_components_without_an_estimate_count_as_nothing(tmp_path):
    file = {"kind": "replay", "file": str(recording(tmp_path / "counts.npz"))}
    found = memory.of_session(protocol.parse(centre_out(population=file, decoder=OUTSIDE)), 6)
    assert found["decoder"] == 0
    assert "updater" not in found


def test_memory_that_runs_out_all_the_same_is_an_error_of_ours(monkeypatch):
    def individual(*_):
        raise MemoryError("Unable to allocate 3.2 GiB")

    monkeypatch.setattr(parameters, "individual", individual)
    with pytest.raises(Shortage, match=r"Unable to allocate 3.2 GiB.*its estimate is 1.. MB"):
        parameters.prepare(protocol.parse(centre_out()))
