"""BMI3D's own KFDecoder and the file imported from it decode the same, and ours is decoded there as here.

BMI3D needs an older NumPy than decoderd is tested with, so it gets a virtual environment of its own: the package
aolab-bmi3d without its dependencies, of which the modules of Kalman filters use NumPy, SciPy and PyTables alone.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from decoderd.arrays import load_npz
from decoderd.decoders import bmi3d, offline
from tests.running import cli

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "use-a-decoder-of-another-program.md"
NEEDED = ("numpy==1.26.*", "scipy<1.14", "tables<3.11")  # BMI3D calls numpy.mat, which NumPy 2 has not
BMI3D = "aolab-bmi3d==1.2.4"
BINS, UNITS = 1000, 40

# A decoder of theirs with random units, saved as the page says, and its states; then ours, made as the page says.
BUILD = """
import numpy as np
from riglib.bmi import kfdecoder, state_space_models
draw = np.random.default_rng(1)
ssm = state_space_models.StateSpaceEndpt{space}()
A, _, W = ssm.get_ssm_matrices(update_rate=0.1)
C = np.zeros(({units}, 7))
seen = [3, 5, 6] if "{space}" == "Vel2D" else [3, 4, 5, 6]
C[:, seen] = draw.normal(0, 0.1, ({units}, len(seen)))
C[:, 6] = draw.uniform(0.5, 3, {units})
mixed = draw.normal(0, 0.2, ({units}, {units}))
Q = mixed @ mixed.T + np.diag(C[:, 6])
kf = kfdecoder.KalmanFilter(A, W, C, Q, is_stochastic=ssm.is_stochastic)
decoder = kfdecoder.KFDecoder(kf, [(k + 1, 1) for k in range({units})], ssm, binlen=0.1, mFR=0.0, sdFR=1.0)
{save}
counts = draw.poisson(2.0, ({bins}, {units}))
np.save("counts.npy", counts)
np.save("states.npy", decoder.decode(counts.T))
"""
RUN = """
{load}
np.save("back.npy", decoder.decode(np.load("counts.npy").T))
"""


def program(name):
    (found,) = re.findall(rf"^```python {name}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return found


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of an environment with BMI3D."""
    folder = tmp_path_factory.mktemp("bmi3d")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    for arguments in (NEEDED, ("--no-deps", BMI3D)):
        subprocess.run([str(folder / "bin" / "pip"), "install", "-q", *arguments], check=True)
    return folder / "bin" / "python"


def there(python, folder, text):
    subprocess.run([str(python), "-c", text], cwd=folder, check=True)


@pytest.mark.campaign
@pytest.mark.parametrize("suffix", ["npz", "mat"])
def test_the_imported_file_decodes_as_theirs_and_ours_there_as_here(tmp_path, python, suffix):
    there(python, tmp_path, BUILD.format(space="Vel2D", units=UNITS, bins=BINS, save=program("bmi3d")))
    theirs, counts = (np.load(tmp_path / name) for name in ("states.npy", "counts.npy"))
    cli("import", "bmi3d", "bmi3d.npz", "--out", "imported", cwd=tmp_path)
    arrays = load_npz(tmp_path / "imported" / "decoder.npz")
    ours = offline.decode("kalman", {name: arrays[name] for name in ("A", "W", "C", "Q", "x0", "P0")}, counts)
    assert len(ours) == BINS
    np.testing.assert_allclose(100 * ours[:, :4], theirs[:, [0, 2, 3, 5]], rtol=0, atol=1e-9)

    cli("export-decoder", "imported/decoder.npz", "--out", f"ours.{suffix}", cwd=tmp_path)
    load = program("to bmi3d")
    if suffix == "mat":
        load = load.replace('np.load("ours.npz")', 'loadmat("ours.mat")').replace(
            "import numpy as np", "import numpy as np\nfrom scipy.io import loadmat"
        )
        load = load.replace('float(ours["binlen"])', 'ours["binlen"].item()')
    there(python, tmp_path, RUN.format(load=load))
    np.testing.assert_allclose(np.load(tmp_path / "back.npy"), theirs, rtol=0, atol=1e-9)


@pytest.mark.campaign
def test_a_plane_of_a_filter_in_three_dimensions(tmp_path, python):
    """Near theirs, by as much as the warning says of counts of the model; these are of no model at all."""
    there(python, tmp_path, BUILD.format(space="Vel3D", units=UNITS, bins=BINS, save=program("bmi3d")))
    theirs, counts = (np.load(tmp_path / name) for name in ("states.npy", "counts.npy"))
    found = bmi3d.read(load_npz(tmp_path / "bmi3d.npz"), axes=("x", "y"))
    velocity = 100 * offline.decode("kalman", found.arrays, counts)[:, 2:4]
    apart = np.sqrt(((velocity - theirs[:, 3:5]) ** 2).mean() / (theirs[:, 3:5] ** 2).mean())
    assert len(found.warnings) == 1
    assert apart < 0.2
