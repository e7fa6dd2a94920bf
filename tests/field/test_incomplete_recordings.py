"""Bins without a target, without counts or with counts of some units are left out, and counted in a warning."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.arrays import load_npz
from decoderd.twin.recording import check
from tests.field.recordings import assert_same_twin, fitted, reaches

GONE = np.random.default_rng(5).random(480) < 0.2


def dotted(arrays, name, value, bins=GONE):
    """The arrays with `value` in some bins of one of them."""
    changed = np.array(arrays[name], dtype=float)
    changed[bins] = value
    return {**arrays, name: changed}


def kept(arrays, bins=~GONE):
    """The bins that are left."""
    return {name: value[bins] if np.shape(value)[:1] == (480,) else value for name, value in arrays.items()}


def assert_read_as(incomplete, expected):
    """The recording without what was left out is the expected one; returns the warnings."""
    found, whole = check(incomplete), check(expected)
    for name in ("counts", "target", "direction"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name), err_msg=name)
    return found.warnings


@pytest.mark.parametrize("value", [-1, -99, np.nan, np.iinfo(np.int64).min])
def test_bins_without_a_target_are_left_out(value):
    whole = reaches()
    warnings = assert_read_as(dotted(whole, "target", value), kept(whole))
    assert [w.field for w in warnings] == ["target"]
    assert f"left out {GONE.sum()} of 480 bins" in warnings[0].message


def test_the_twin_is_that_of_the_bins_with_targets(tmp_path):
    whole = reaches()
    made = fitted(tmp_path / "a", dotted(whole, "target", -1))
    assert_same_twin(made, fitted(tmp_path / "b", kept(whole)))
    assert (made.bins, len(made.warnings)) == (480 - GONE.sum(), 1)


def test_bins_of_a_target_without_an_angle_are_left_out():
    whole = reaches()
    ninth = {**dotted(whole, "target", 8), "target_angle_deg": np.append(whole["target_angle_deg"], np.nan)}
    assert [w.field for w in assert_read_as(ninth, kept(whole))] == ["target"]


def test_bins_without_counts_are_left_out():
    whole = reaches()
    warnings = assert_read_as(dotted(whole, "counts", np.nan), kept(whole))
    assert [w.message for w in warnings] == [f"left out {GONE.sum()} of 480 bins: no counts (NaN)"]


def test_bins_without_an_intended_direction_are_left_out():
    whole = reaches()
    angle = np.deg2rad(whole["target_angle_deg"][whole["target"]]) + np.random.default_rng(6).normal(0, 0.1, 480)
    whole["cursor_to_target"] = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    warnings = assert_read_as(dotted(whole, "cursor_to_target", np.nan), kept(whole))
    assert [w.field for w in warnings] == ["cursor_to_target"]


def test_bins_where_a_unit_is_missing_are_left_out():
    whole = reaches()
    warnings = assert_read_as(dotted(whole, "counts", np.nan, (GONE, 3)), kept(whole))
    assert [w.message for w in warnings] == [f"left out {GONE.sum()} of 480 bins: counts missing (NaN), of units 3"]


def test_a_unit_that_is_mostly_missing_is_left_out_and_keeps_its_place(tmp_path):
    whole = reaches()
    seen = np.arange(480) < 100
    made = fitted(tmp_path / "a", dotted(whole, "counts", np.nan, np.ix_(~seen, [2, 7])))
    others = fitted(tmp_path / "b", {**whole, "counts": np.delete(whole["counts"], [2, 7], axis=1)})
    population, decoder = load_npz(made.population), load_npz(made.decoder)
    without, filter_without = load_npz(others.population), load_npz(others.decoder)
    for name in ("baseline", "loadings", "private"):
        np.testing.assert_allclose(np.delete(population[name], [2, 7], axis=0), without[name], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(population["baseline"][[2, 7]], whole["counts"][seen][:, [2, 7]].mean(axis=0))
    assert not population["loadings"][[2, 7]].any()
    assert not decoder["fa_loadings"][[2, 7]].any()
    np.testing.assert_allclose(decoder["kf_C"], filter_without["kf_C"], rtol=1e-9, atol=1e-12)
    assert made.bins == 480
    assert len(made.warnings) == 1
    assert "2, 7" in made.warnings[0].message


def test_a_whole_recording_gives_no_warning(tmp_path):
    assert fitted(tmp_path, reaches()).warnings == ()
