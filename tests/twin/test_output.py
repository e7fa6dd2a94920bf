"""Names and contents of the files of a fit; that all are written or none is tested with the fit itself."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

from decoderd.twin import output


@pytest.mark.parametrize(
    ("stem", "name"), [("Made up", "made-up"), ("J 2020_01", "j-2020-01"), ("__", "twin"), ("a" * 80, "a" * 64)]
)
def test_names_of_protocols(stem, name):
    assert output.name(stem) == name


def test_contents_are_those_of_an_npz():
    read = np.load(BytesIO(output.npz({"C": np.eye(2), "bin_s": 0.05})))
    assert sorted(read.files) == ["C", "bin_s"]
    np.testing.assert_array_equal(read["C"], np.eye(2))
