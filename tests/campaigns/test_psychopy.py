"""The centre-out task in PsychoPy, on a virtual screen, in an environment of its own (1.4 GB, made once in .envs).

Needs the network for it, Xvfb (`apt-get install xvfb`) and a Python that PsychoPy supports.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.protocols import centre_out
from tests.service.serving import lockstep, served

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".envs" / "psychopy"
DATA = centre_out(
    task={"kind": "external"},
    population={"kind": "tuned", "units": 40},
    schedule={"blocks": [{"name": "only", "duration_s": 300.0}]},
)


@pytest.fixture(scope="module")
def python():
    """The interpreter of an environment with PsychoPy and decoderd."""
    if shutil.which("xvfb-run") is None:
        pytest.skip("Xvfb is not installed: apt-get install xvfb")
    python = ENVIRONMENT / "bin" / "python"
    if (
        subprocess.run([python, "-c", "import psychopy, decoderd_client"], check=False).returncode
        if python.exists()
        else 1
    ):
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        done = subprocess.run(
            [python, "-m", "pip", "install", "-q", "psychopy-lib", "--editable", ROOT], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"PsychoPy cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    return python


@pytest.mark.campaign
@pytest.mark.parametrize("options", [(*lockstep("task"), "--silence", "600"), ()], ids=["lockstep", "realtime"])
def test_targets_are_reached(python, tmp_path, options):
    from PIL import Image

    picture = tmp_path / "frame.png"
    with served(tmp_path, DATA, *options) as (control, _, _):
        done = subprocess.run(
            ["xvfb-run", "-a", python, "centre_out_psychopy.py", control, "--trials", "4", "--picture", picture],
            cwd=ROOT / "examples",
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert done.returncode == 0, done.stderr
    reached = int(done.stdout.split()[0])
    assert reached >= 3
    assert "of 4 trials succeeded" in done.stdout
    colours = {colour for _, colour in Image.open(picture).convert("RGB").getcolors(100_000)}
    assert {(16, 20, 24), (242, 242, 242)} <= colours  # the background, the cursor
