"""Files for other programs: a plain filter decodes them as ours, and what cannot be written is refused."""

import numpy as np
import pytest

from decoderd.arrays import load_npz
from decoderd.decoders import bmi3d, exported, files, kalman, offline
from decoderd.errors import ArrayError
from decoderd.matlab import load_mat
from tests.decoders.theirs import NAMES, as_there, saved


@pytest.fixture
def ours(tmp_path):
    found = bmi3d.read(saved(np.random.default_rng(1)))
    files.write(tmp_path / "ours.npz", kalman.KALMAN, found.arrays, found.bin_s)
    return tmp_path / "ours.npz"


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".MAT"])
def test_their_filter_decodes_as_ours(tmp_path, ours, suffix):
    out = tmp_path / f"theirs{suffix}"
    assert exported.to_bmi3d(ours, out) == list(NAMES)
    arrays = load_npz(out) if suffix == ".npz" else load_mat(out)
    assert arrays["binlen"].item() == 0.1
    counts = np.random.default_rng(2).poisson(2.0, (100, len(arrays["C"])))
    here = offline.decode("kalman", bmi3d.read(saved(np.random.default_rng(1))).arrays, counts)
    np.testing.assert_allclose(as_there(arrays, counts)[:, [0, 2, 3, 5]], 100 * here[:, :4], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(bmi3d.read(arrays).states, ["px", "pz", "vx", "vz", "1"])


def test_a_file_that_does_not_say_its_bin(tmp_path, ours):
    arrays = {name: load_npz(ours)[name] for name in "AWCQ"}
    np.savez(ours, **arrays)
    with pytest.raises(ArrayError, match=r"ours\.npz: bin_s: .* give it with --bin-s"):
        exported.to_bmi3d(ours, tmp_path / "theirs.npz")
    exported.to_bmi3d(ours, tmp_path / "theirs.npz", bin_s=0.05)
    assert load_npz(tmp_path / "theirs.npz")["binlen"] == 0.05


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("theirs.h5", {}, r"theirs\.h5: must end with \.npz or \.mat"),
        ("nowhere/theirs.npz", {}, "cannot be written"),
        ("theirs.npz", {"axes": ("x", "x")}, "expected two different axes"),
        ("theirs.npz", {"length_unit": "inch"}, "length_unit = inch: must be one of m, cm, mm"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, ours, out, options, message):
    with pytest.raises(ArrayError, match=message):
        exported.to_bmi3d(ours, tmp_path / out, **options)
    assert not (tmp_path / out).exists()
