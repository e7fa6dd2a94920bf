"""Exported files, seen by nwbinspector, pynapple and ephys-mcp, software that is not ours; and memory over 10^6 ticks.

nwbinspector and pynapple get an environment of their own where the one of the tests has them not.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from decoderd.recording.reader import open_session
from tests import protocols, running
from tests.running import cli, end, start, summary

pytestmark = pytest.mark.campaign

READERS = ("nwbinspector==0.7.2", "pynapple==0.11.4")
TURN = protocols.perturbation("rotation", "cursor", angle_rad=0.7)
UNITS = {"kind": "tuned", "units": 100}
SESSIONS = {
    "ordinary": {"schedule": {"blocks": [{"trials": 40}]}},
    "one-trial": {"schedule": {"blocks": [{"trials": 1}]}},
    "no-trial": {"schedule": {"blocks": [{"duration_s": 0.4}]}},
    "one-perturbation": {"schedule": {"blocks": [{"trials": 10}]}, "perturbations": [TURN]},
    "days": {"schedule": {"days": 25, "blocks": [{"trials": 4}]}},
    "bursting": {"population": {"kind": "bursting", "units": 20}},
    "two-targets": {"task": {"kind": "centre_out", "targets": 2, **protocols.EASY}},
}
INSPECT = """
import json, sys
from nwbinspector import inspect_nwbfile, load_config
found = [
    (path, message.check_function_name, message.message)
    for path in sys.argv[1:]
    for config in (None, load_config("dandi"))
    for message in inspect_nwbfile(nwbfile_path=path, config=config)
]
print(json.dumps(found))
"""
COUNT = """
import sys
import numpy as np, pynapple
day = pynapple.load_file(sys.argv[1])
counts = day["units"].count(0.05, ep=pynapple.IntervalSet(0, float(sys.argv[3])))
np.save(sys.argv[2], counts.values)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An interpreter that has the readers."""
    if all(importlib.util.find_spec(name.partition("=")[0]) for name in READERS):
        return sys.executable
    folder = tmp_path_factory.mktemp("readers")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", *READERS], check=True)
    return str(folder / "bin" / "python")


def messages(python, folder):
    """What nwbinspector says about the files of a folder, in both configurations."""
    paths = sorted(map(str, folder.glob("*.nwb")))
    assert paths
    done = subprocess.run([python, "-c", INSPECT, *paths], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", SESSIONS)
def test_nwbinspector_has_no_message(name, python, tmp_path):
    data = protocols.centre_out(**{"population": UNITS, **SESSIONS[name]})
    running.record(tmp_path / name, data)
    written = summary(cli("export", tmp_path / name, "--to", "nwb", "--out", tmp_path / "out", "--json"))["written"]
    assert len(written) == data["schedule"].get("days", 1)
    assert messages(python, tmp_path / "out") == []


def test_nwbinspector_has_no_message_about_a_running_session(python, tmp_path):
    running.write(tmp_path / "long.toml", protocols.lasting(600.0, population=UNITS))
    process = start("run", tmp_path / "long.toml", "--out", tmp_path / "run")
    try:
        time.sleep(20)
        (written,) = summary(cli("export", tmp_path / "run", "--to", "nwb", "--out", tmp_path / "out", "--json"))[
            "written"
        ]
        assert process.poll() is None
    finally:
        end(process)
    assert written["ticks"] > 100
    assert messages(python, tmp_path / "out") == []


@pytest.mark.parametrize("name", ["ordinary", "no-trial", "bursting"])
def test_pynapple_counts_what_was_recorded(name, python, tmp_path):
    running.record(tmp_path / "run", protocols.centre_out(**{"population": UNITS, **SESSIONS[name]}))
    cli("export", tmp_path / "run", "--to", "nwb", "--out", tmp_path / "day.nwb")
    with open_session(tmp_path / "run") as recorded:
        counts = recorded.counts(per_bin=True)
    seconds = str(len(counts) * 0.05)
    subprocess.run([python, "-c", COUNT, tmp_path / "day.nwb", tmp_path / "counts.npy", seconds], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "counts.npy"), counts)


# Peak memory of an export, in a process of its own.
PEAK = """
import resource, sys
from pathlib import Path
from decoderd.recording.export.exporting import export
export([Path(sys.argv[1])], sys.argv[2], Path(sys.argv[3]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.fixture(scope="module")
def short_and_long(tmp_path_factory):
    """Sessions of 100,000 and of 1,000,000 ticks of 100 units."""
    folder = tmp_path_factory.mktemp("long")
    for name, seconds in (("short", 1e3), ("long", 1e4)):
        running.record(folder / name, protocols.lasting(seconds, population=UNITS))
    return folder


@pytest.mark.parametrize("to", ["parquet", "csv", "npz", "nwb"])
def test_memory_does_not_grow_with_the_ticks(to, short_and_long):
    peaks = [
        float(
            subprocess.run(
                [sys.executable, "-c", PEAK, short_and_long / name, to, short_and_long / f"{name}-{to}"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for name in ("short", "long")
    ]
    print(f"{to}: {peaks[0]:.0f} MB for 100,000 ticks, {peaks[1]:.0f} MB for 1,000,000")
    assert peaks[1] < peaks[0] + 100  # ten times the ticks; a copy of the counts alone would be 200 MB more


# A reader that nobody of this project wrote, which needs Python 3.12.
DECODE = """
import json, sys
from ephys_mcp import server
session = server.open_session("nwb", {"path": sys.argv[1]})["session_id"]
fit = server.fit_decoder(session, kind="kalman", target="cursor_velocity", bin_s=0.05)
print(json.dumps(fit["test_r2_per_dim"]))
"""


def _runs(python):
    """Whether there is such an interpreter; a name on the path may stand for one that is not installed."""
    found = shutil.which(python)
    return found is not None and subprocess.run([found, "-c", "pass"], capture_output=True).returncode == 0


def test_a_decoder_of_others_reads_the_velocity_of_the_cursor(tmp_path):
    newer = next(filter(_runs, ("python3.12", "python3.13")), None)
    if newer is None:
        pytest.skip("ephys-mcp needs Python 3.12 or newer, and none is on the path that runs")
    subprocess.run([newer, "-m", "venv", tmp_path / "env"], check=True)
    subprocess.run([tmp_path / "env" / "bin" / "pip", "install", "--quiet", "ephys-mcp==0.5.1"], check=True)
    running.record(tmp_path / "run", protocols.lasting(100.0, population=UNITS, decoder={"kind": "kalman"}))
    cli("export", tmp_path / "run", "--to", "nwb", "--out", tmp_path / "day.nwb")
    python = tmp_path / "env" / "bin" / "python"
    done = subprocess.run([python, "-c", DECODE, tmp_path / "day.nwb"], capture_output=True, text=True, check=True)
    r2 = json.loads(done.stdout.splitlines()[-1])
    print(f"R2 of the cursor's velocity: {r2}")
    assert min(r2) >= 0.9
