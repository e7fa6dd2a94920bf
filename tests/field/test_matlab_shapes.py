"""Arrays as MATLAB stores them: vectors and scalars are matrices, targets count from 1, counts are units x bins."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.errors import ArrayError
from decoderd.twin.recording import FACTOR_ANALYSIS, FILTER, SCALARS, VECTORS
from tests.field.recordings import assert_same_twin, fitted, reaches

ACCEPTED = ("counts", "target", "target_angle_deg", "bin_s", "target_radius_mm", *FACTOR_ANALYSIS, *FILTER)


@pytest.mark.parametrize("shape", [(-1, 1), (1, -1)])
def test_vectors_and_scalars_may_be_matrices(tmp_path, shape):
    plain = {**reaches(), "target_radius_mm": np.array(15.0)}
    whole = {**plain, **np.load(fitted(tmp_path / "b", plain).decoder)}
    matrices = {name: np.reshape(value, shape) if name in VECTORS + SCALARS else value for name, value in whole.items()}
    assert {np.ndim(value) for name, value in matrices.items() if name in ACCEPTED} == {2}
    one, other = (fitted(tmp_path / name, a, length_unit="m") for name, a in (("c", whole), ("d", matrices)))
    assert_same_twin(one, other)
    assert other.warnings == ()


@pytest.mark.parametrize("first", [0, 1])
def test_targets_that_count_from_1_are_named(tmp_path, first):
    """Also with 0 where there is no target."""
    arrays = reaches()
    target = arrays["target"] + 1
    target[: 100 * (1 - first)] = 0
    with pytest.raises(ArrayError, match="are targets counted from 1, as in MATLAB"):
        fitted(tmp_path, {**arrays, "target": target})


def test_a_target_far_outside_has_another_cause(tmp_path):
    arrays = reaches()
    with pytest.raises(ArrayError, match=r"= 45: must be an index 0..7") as refused:
        fitted(tmp_path, {**arrays, "target": arrays["target"] * 45})
    assert "MATLAB" not in str(refused.value)


def test_transposed_counts_are_named(tmp_path):
    arrays = reaches()
    with pytest.raises(ArrayError, match=r"counts: has shape \(16, 480\).*is it transposed") as refused:
        fitted(tmp_path, {**arrays, "counts": arrays["counts"].T})
    assert refused.value.field == "counts"
