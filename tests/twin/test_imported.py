"""Imported decoders, with the population that they assume, and sessions of both."""

from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from decoderd.arrays import load_npz
from decoderd.decoders import offline
from decoderd.errors import ArrayError
from decoderd.protocol import protocol
from decoderd.twin import imported
from tests.decoders.theirs import NAMES, UNITS, as_there, saved
from tests.twin.simulated import success_rate, trials

BIN_S = 0.1


@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_the_decoder_decodes_as_theirs(tmp_path, suffix):
    draw = np.random.default_rng(1)
    arrays = saved(draw, states=np.array(NAMES), binlen=np.array(BIN_S))
    np.savez(tmp_path / "f.npz", **arrays)
    savemat(tmp_path / "f.mat", arrays)
    found = imported.from_bmi3d(tmp_path / f"f{suffix}", tmp_path / "out")
    assert (found.units, found.states, found.left_out) == (UNITS, ("px", "pz", "vx", "vz", "1"), ("py", "vy"))
    assert (found.bin_s, found.warnings) == (BIN_S, ())
    counts = draw.poisson(2.0, (200, UNITS))
    ours = load_npz(found.decoder)
    assert ours["states"].tolist() == ["px", "py", "vx", "vy", "1"]
    rows = offline.decode("kalman", {name: ours[name] for name in ("A", "W", "C", "Q", "x0", "P0")}, counts)
    np.testing.assert_allclose(100 * rows[:, :4], as_there(arrays, counts)[:, [0, 2, 3, 5]], rtol=0, atol=1e-9)


def test_units_fire_as_the_filter_assumes(tmp_path):
    arrays = saved(np.random.default_rng(2))
    np.savez(tmp_path / "f.npz", **arrays)
    found = imported.from_bmi3d(tmp_path / "f.npz", tmp_path / "out")
    weights = load_npz(found.population)["weights"]
    velocity = np.array([0.03, -0.02, 0.0, 1.0])  # m/s
    expected = arrays["C"] @ [0, 0, 0, 3, 0, -2, 1]  # cm/s
    np.testing.assert_allclose(velocity @ weights * BIN_S, expected)


def test_the_protocol_is_run_to_success(tmp_path):
    np.savez(tmp_path / "f.npz", **saved(np.random.default_rng(3)))
    found = imported.from_bmi3d(tmp_path / "f.npz", tmp_path / "out")
    parsed: Any = protocol.load(found.protocol)
    sd = np.sqrt(7.0 * (1 - 0.8**20) / (1 - 0.8**2))  # cm/s, after ten bins from rest
    assert parsed.population.subject.max_speed_m_s == pytest.approx(sd / 100 / 0.3, rel=5e-3)
    assert parsed.timing.bin_s == pytest.approx(BIN_S)
    assert success_rate(trials(found.protocol, "schedule.blocks.0.trials=16")) >= 0.9


def test_units_that_never_fire_are_named_and_have_no_rate(tmp_path):
    arrays = saved(np.random.default_rng(4))
    arrays["C"][[3, 7]] = arrays["Q"][[3, 7]] = arrays["Q"][:, [3, 7]] = 0.0
    np.savez(tmp_path / "f.npz", **arrays)
    found = imported.from_bmi3d(tmp_path / "f.npz", tmp_path / "out")
    (warning,) = found.warnings
    assert "3, 7" in warning.message
    assert not load_npz(found.population)["weights"][:, [3, 7]].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a["C"].__setitem__((slice(None), 6), 0.0), "half of the units have a baseline of 0 or less"),
        (lambda a: a.update(A=a["A"][:6, :6], W=a["W"][:6, :6], C=a["C"][:, :6]), "no constant state"),
    ],
)
def test_a_filter_that_does_not_say_how_units_fire_comes_alone(tmp_path, change, message):
    arrays = saved(np.random.default_rng(4))
    change(arrays)
    np.savez(tmp_path / "f.npz", **arrays)
    found = imported.from_bmi3d(tmp_path / "f.npz", tmp_path / "out")
    (warning,) = found.warnings
    assert message in warning.message
    assert (found.population, found.protocol) == (None, None)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["decoder.npz"]


def test_what_is_refused_names_the_file_and_writes_nothing(tmp_path):
    np.savez(tmp_path / "f.npz", **saved(np.random.default_rng(5)))
    with pytest.raises(ArrayError, match=r"f\.npz: axes: there is no state vw") as error:
        imported.from_bmi3d(tmp_path / "f.npz", tmp_path / "out", axes=("x", "w"))
    assert error.value.field == "axes"
    (tmp_path / "f.pkl").write_bytes(b"\x80\x04")
    with pytest.raises(ArrayError, match=r"f\.pkl: is a pickle"):
        imported.from_bmi3d(tmp_path / "f.pkl", tmp_path / "out")
    assert not (tmp_path / "out").exists()
