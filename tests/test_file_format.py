"""Files of other programs are named by their content, or by their suffix where they have no signature."""

from __future__ import annotations

import gzip
import io
import pickle

import numpy as np
import pytest
import scipy.io

from decoderd.file_format import HDF5, LOOK, foreign


def matlab(version: str) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, {"counts": np.arange(6.0).reshape(2, 3)}, format=version)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "suffix", "said"),
    [
        (matlab("5"), ".npz", "is a MATLAB file; read it in Python with scipy.io.loadmat"),
        (matlab("4"), ".MAT", "is a MATLAB file"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + HDF5, ".mat", "version 7.3: with h5py"),
        *[(pickle.dumps({"A": np.eye(2)}, protocol=p), ".npz", "is a pickle") for p in (2, 3, 4, 5)],
        (pickle.dumps({"A": [1.0]}, protocol=0), ".pkl", "is a pickle"),
        (HDF5 + bytes(100), ".npz", "is an HDF5 file"),
        (gzip.compress(b"1 2 3", mtime=0), ".npz", "is compressed by gzip"),
    ],
)
def test_a_foreign_file_is_named(content, suffix, said):
    assert said in (foreign(content[:LOOK], suffix) or "")


@pytest.mark.parametrize("content", [b"", b"1,2,3\n", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"MATLAB"])
def test_other_files_are_not(content):
    assert foreign(content, ".npz") is None
