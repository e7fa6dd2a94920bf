"""MATLAB files: what is written is read again, and what is none is named."""

import numpy as np
import pytest
from scipy.io import savemat

from decoderd.errors import ArrayError
from decoderd.matlab import load_mat, save_mat


def test_arrays_and_names_come_back(tmp_path):
    arrays = {"A": np.arange(6.0).reshape(2, 3), "binlen": np.array(0.1), "states": np.array(["hand_vx", "offset"])}
    with (tmp_path / "f.mat").open("wb") as stream:
        save_mat(stream, arrays)
    found = load_mat(tmp_path / "f.mat")
    assert set(found) == set(arrays)
    np.testing.assert_array_equal(found["A"], arrays["A"])
    assert found["binlen"].item() == 0.1
    assert [cell.item() for cell in found["states"].ravel()] == ["hand_vx", "offset"]


def test_a_padded_character_array_is_read_row_by_row(tmp_path):
    savemat(tmp_path / "f.mat", {"states": np.array(["hand_vx", "offset"])})
    assert [name.strip() for name in load_mat(tmp_path / "f.mat")["states"]] == ["hand_vx", "offset"]


def test_version_7_3_is_named(tmp_path):
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n" + bytes(80))
    with pytest.raises(ArrayError, match=r"version 7\.3 \(HDF5\); save it again with: save\(\.\.\., '-v7'\)"):
        load_mat(tmp_path / "new.mat")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "text.mat").write_text("no matrix in here, however long one reads it" * 9)
    with pytest.raises(ArrayError, match=r"text\.mat: not a readable MATLAB file"):
        load_mat(tmp_path / "text.mat")
    with pytest.raises(ArrayError, match=r"nowhere\.mat: no such file"):
        load_mat(tmp_path / "nowhere.mat")
