"""Units that never fire in a recording have no weight; the twin and the decoder of the others are unchanged."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.arrays import load_npz
from decoderd.decoders import intrinsic_manifold
from decoderd.twin.recording import FACTOR_ANALYSIS
from tests.field.recordings import Session, fitted, reaches

SILENT = [0, 5, 6, 11]


def with_silent(counts, value=0):
    """Silent units come to lie at SILENT."""
    places = [place - k for k, place in enumerate(SILENT)]
    return np.insert(counts, places, value, axis=1)


def assert_unused(made, without, constant=0.0):
    """The units at SILENT have no weight and no tuning; the others are those of `without`."""
    population, others = load_npz(made.population), load_npz(without.population)
    for name in ("baseline", "loadings", "private"):
        np.testing.assert_allclose(np.delete(population[name], SILENT, axis=0), others[name], rtol=1e-9, atol=1e-12)
    for name in ("resting", "tuning"):
        np.testing.assert_allclose(population[name], others[name], rtol=1e-9, atol=1e-12)
    shared = [arrays["shared"] @ arrays["shared"].T for arrays in (population, others)]
    np.testing.assert_allclose(shared[0], shared[1], atol=1e-12)
    np.testing.assert_array_equal(population["baseline"][SILENT], constant)
    assert not population["loadings"][SILENT].any()
    assert not population["private"][SILENT].any()
    mapping, other = (intrinsic_manifold.load(load_npz(m.decoder)).mapping for m in (made, without))
    assert not mapping.M2[:, SILENT].any()
    np.testing.assert_allclose(np.delete(mapping.M2, SILENT, axis=1), other.M2, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(mapping.m0, other.m0, rtol=1e-9, atol=1e-12)


def test_silent_units_have_no_weight_and_one_warning_names_all(tmp_path):
    whole = reaches()
    made = fitted(tmp_path / "a", {**whole, "counts": with_silent(whole["counts"])})
    assert_unused(made, fitted(tmp_path / "b", whole))
    assert [w.message.split(";")[0] for w in made.warnings] == ["units that never fire: 0, 5, 6, 11"]


def test_units_with_another_constant_count(tmp_path):
    whole = reaches()
    made = fitted(tmp_path / "a", {**whole, "counts": with_silent(whole["counts"], 3)})
    assert_unused(made, fitted(tmp_path / "b", whole), constant=3.0)
    assert [w.message.split(";")[0] for w in made.warnings] == ["units with the same count in every bin: 0, 5, 6, 11"]


@pytest.mark.parametrize(
    "at_silent",
    [
        {"count_scale": np.inf, "fa_loadings": np.nan, "fa_private_var": np.nan},  # scaled by an SD of 0
        {"count_scale": 0.0, "fa_loadings": 0.0, "fa_private_var": 0.0},
        {"count_scale": 1.0, "fa_loadings": 0.0, "fa_private_var": 1e-12},  # as scikit-learn fits them
        {"count_mean": 4.0, "count_scale": 0.5, "fa_loadings": 0.3, "fa_private_var": 0.7},  # they fired before
    ],
)
def test_a_factor_analysis_of_the_recording_may_hold_anything_for_them(tmp_path, at_silent):
    whole = reaches()
    without = fitted(tmp_path / "b", whole)
    model = {name: load_npz(without.decoder)[name] for name in FACTOR_ANALYSIS}
    for name in model:
        model[name] = np.insert(model[name], [place - k for k, place in enumerate(SILENT)], 0.0, axis=0)
        model[name][SILENT] = at_silent.get(name, 0.0)
    made = fitted(tmp_path / "a", {**whole, "counts": with_silent(whole["counts"]), **model})
    assert made.fitted == ("filter",)
    assert_unused(made, without)
    assert len(made.warnings) == 1


def test_silent_units_of_an_nwb_file(tmp_path):
    session = Session()
    without = session.fit(tmp_path / "b")
    for place in SILENT:
        session.spikes.insert(place, np.zeros(0))
    made = session.fit(tmp_path / "a")
    assert_unused(made, without)
    assert [w.message.split(";")[0] for w in made.warnings] == ["units that never fire: 0, 5, 6, 11"]
