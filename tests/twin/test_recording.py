"""Recordings that are refused: which array is named, and that nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from decoderd.errors import ArrayError, DecoderdError, NumericalError, ProtocolError
from decoderd.twin import fit
from decoderd.twin.decoder import decoder
from decoderd.twin.recording import FACTOR_ANALYSIS, check
from tests.twin.simulated import Arrays, individual, recorded, saved


def with_value(name: str, index: Any, value: float) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        arrays[name] = np.array(arrays[name], dtype=float)
        arrays[name][index] = value

    return change


def without(*names: str) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        for name in names:
            del arrays[name]

    return change


def replaced(name: str, function: Callable[[Any], Any]) -> Callable[[Arrays], None]:
    return lambda arrays: arrays.update({name: function(arrays[name])})


REFUSED: list[tuple[Callable[[Arrays], None], str, str]] = [
    (without("counts"), "counts", "missing: counts"),
    (without("target"), "target", "missing: target"),
    (without("bin_s"), "bin_s", "missing: bin_s"),
    (replaced("counts", lambda c: c[:, 0]), "counts", "expected any x any"),
    (replaced("counts", lambda c: c[:, :0]), "counts", "is empty"),
    (replaced("counts", lambda c: c.astype(str)), "counts", "expected real numbers"),
    (with_value("counts", (3, 4), np.inf), "counts", r"counts\[3, 4\] = inf"),
    (with_value("counts", slice(None), np.nan), "target", "targets in 0 directions occur"),
    (with_value("counts", slice(None), 2), "counts", "no unit's count changes"),
    (with_value("counts", (3, 4), 1.5), "counts", r"counts\[3, 4\] = 1.5: must be whole"),
    (with_value("counts", (3, 4), -1), "counts", "must be whole numbers from 0"),
    (replaced("target", lambda t: t[1:]), "target", r"shape \(399,\), expected 400"),
    (with_value("target", 7, 8), "target", r"target\[7\] = 8: must be an index 0..7"),
    (replaced("target", lambda t: t % 2), "target", "targets in 2 directions occur; at least 3"),
    (with_value("target", slice(None), -1), "target", "targets in 0 directions"),
    (with_value("target", 7, 0.5), "target", r"target\[7\] = 0.5: must be an index"),
    (with_value("target_angle_deg", 2, np.inf), "target_angle_deg", r"target_angle_deg\[2\] = inf"),
    (replaced("bin_s", lambda b: b * 0), "bin_s", "above 0"),
    (with_value("cursor_to_target", (5, slice(None)), 0), "cursor_to_target", r"\[5\]: has length 0, expected unit"),
    (without("fa_private_var"), "fa_private_var", "missing: fa_private_var"),
    (with_value("fa_private_var", 3, 0), "fa_private_var", r"fa_private_var\[3\] = 0: must be above 0"),
    (replaced("fa_loadings", lambda x: x[1:]), "fa_loadings", "expected 40 x any"),
    (replaced("fa_loadings", lambda x: x[:, [0, 1, 1]]), "fa_loadings", "only 2 of the 3 factors are independent"),
    (with_value("count_scale", 6, 0), "count_scale", r"count_scale\[6\]"),
    (without("kf_d"), "kf_d", "missing: kf_d"),
    (with_value("kf_C", (0, 1), np.nan), "kf_C", r"kf_C\[0, 1\] = nan"),
    (replaced("kf_R", lambda x: x[:2]), "kf_R", "expected 3 x 3"),
    (replaced("kf_R", lambda x: 0 * x), "kf_R", "singular"),
    (replaced("kf_C", lambda x: -x), "kf_C", "is the length unit right"),
    (without(*FACTOR_ANALYSIS), "fa_loadings", "needs the factor-analysis model"),
    (lambda arrays: arrays.update(cursor_radius_mm=np.array(30.0)), "cursor_radius_mm", "below target_radius_mm = 20"),
]


@pytest.fixture(scope="module")
def whole() -> Arrays:
    """A recording with everything, in metres."""
    arrays = recorded(individual(), 400)
    return {**arrays, **decoder(check(arrays), 3)}


@pytest.mark.parametrize(("change", "field", "message"), REFUSED)
def test_a_wrong_array_is_named_and_nothing_written(
    change: Callable[[Arrays], None], field: str, message: str, whole: Arrays, tmp_path: Path
) -> None:
    arrays = dict(whole)
    change(arrays)
    path = saved(tmp_path, arrays)
    with pytest.raises((ArrayError, NumericalError), match=message) as raised:
        fit.fit(path, tmp_path / "out", length_unit="m")
    assert raised.value.field == field
    assert str(path) in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_the_unchanged_recording_is_accepted(whole: Arrays, tmp_path: Path) -> None:
    assert fit.fit(saved(tmp_path, whole), tmp_path / "out", length_unit="m").fitted == ()


@pytest.mark.parametrize(
    ("arguments", "field", "message"),
    [
        ({"length_unit": "inch"}, "length_unit", "one of m, cm, mm"),
        ({"length_unit": "mm"}, "kf_C", "is the length unit right"),
        ({"length_unit": "m", "bin_ticks": 0}, "bin_ticks", "at least 1"),
        ({"length_unit": "m", "bin_ticks": 100}, "tick_s", "tick_s is bin_s / bin_ticks, 0.05 s / 100"),
        ({"length_unit": "m", "factors": 0}, "factors", "from 1 to 100"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: dict[str, Any], field: str, message: str, whole: Arrays, tmp_path: Path
) -> None:
    with pytest.raises((NumericalError, ProtocolError), match=message) as raised:
        fit.fit(saved(tmp_path, whole), tmp_path / "out", **arguments)
    assert raised.value.field == field
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("bins", [0, 41, 69])
def test_too_few_bins_are_refused(bins: int, tmp_path: Path) -> None:
    per_bin = ("counts", "target", "cursor_to_target")
    arrays = {name: value[:bins] if name in per_bin else value for name, value in recorded(individual(), 400).items()}
    with pytest.raises(ArrayError, match="counts: ") as raised:
        fit.fit(saved(tmp_path, arrays), tmp_path / "out", factors=3)
    assert raised.value.field == "counts"
    assert not (tmp_path / "out").exists()


def test_more_factors_than_the_counts_allow_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DecoderdError, match="counts: 400 bins x 40 units are too few for 40 factors"):
        fit.fit(saved(tmp_path, recorded(individual(), 400)), tmp_path / "out", factors=40)


def test_a_file_that_is_not_an_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no arrays")
    for name, message in (("text.npz", "not a readable .npz"), ("absent.npz", "no such file")):
        with pytest.raises(ArrayError, match=message):
            fit.fit(tmp_path / name, tmp_path / "out")


def test_a_recording_may_name_the_unit_of_length_of_its_filter(whole: Arrays, tmp_path: Path) -> None:
    """As the decoder files of fits do: the option is for those that do not."""
    named = fit.fit(saved(tmp_path, {**whole, "length_unit": np.array("m")}), tmp_path / "a")
    np.testing.assert_array_equal(
        named.rest_velocity_m_s, fit.fit(saved(tmp_path, whole), tmp_path / "b", length_unit="m").rest_velocity_m_s
    )
    with pytest.raises(ProtocolError, match="length_unit = 'inch'"):
        fit.fit(saved(tmp_path, {**whole, "length_unit": np.array(["inch"])}), tmp_path / "c")


def test_a_recording_of_kinematics_without_targets_is_pointed_to_its_own_fit():
    given = {"counts": np.zeros((40, 3)), "bin_s": np.array(0.05), "cursor_velocity": np.zeros((40, 2))}
    with pytest.raises(ArrayError, match="--kinematics velocity"):
        check(given)
