"""A recording with kinematics becomes a decoder and a twin that reaches in closed loop."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.arrays import load_npz
from decoderd.decoders import offline
from decoderd.protocol import protocol
from decoderd.twin.kinematics import fit
from tests.twin.kinematics.simulated import recorded, truth
from tests.twin.simulated import saved, success_rate, trials


@pytest.mark.parametrize(("kind", "states"), [("kalman", "velocity"), ("linear", "velocity"), ("kalman", "position")])
def test_the_twin_of_a_recording_reaches_at_once(tmp_path, kind, states):
    arrays = recorded(truth(units=40), 2500, spring=4.0)
    arrays["cursor_position"] = 0.05 * np.cumsum(arrays["cursor_velocity"], axis=0) + [0.3, -0.2]
    found = fit.fit(saved(tmp_path, arrays), tmp_path / "out", kinematics=states, decoder=kind, length_unit="m")
    assert (found.bins, found.units, found.lag_s) == (2500, 40, 0.1)
    assert found.axes == (("vx", "vy") if states == "velocity" else ("px", "py", "vx", "vy"))
    assert (found.r2[-2:] > 0.5).all()
    assert protocol.dump(protocol.load(found.protocol))["population"]["file"] == str(found.population)
    assert success_rate(trials(found.protocol, "schedule.blocks.0.trials=16")) >= 0.75


def test_the_written_file_decodes_as_the_result_says(tmp_path):
    """The decoder of all bins on new counts of the same population is as good as on bins that were held out."""
    model = truth(units=30)
    path = saved(tmp_path, recorded(model, 3000))
    found = fit.fit(path, tmp_path / "out", kinematics="velocity", length_unit="m")
    arrays, new = load_npz(found.decoder), recorded(model, 3000, seed=9)
    assert int(arrays["lag_bins"]) == 2
    decoded = offline.decode("kalman", arrays, new["counts"])[:-2, :2]
    velocity = new["cursor_velocity"][2:]
    r2 = 1 - ((decoded - velocity) ** 2).sum(axis=0) / ((velocity - velocity.mean(axis=0)) ** 2).sum(axis=0)
    np.testing.assert_allclose(r2, found.r2, atol=0.05)


def test_the_twins_units_share_noise_if_asked(tmp_path):
    path = saved(tmp_path, recorded(truth(units=20), 1500))
    made = fit.fit(path, tmp_path / "out", kinematics="velocity", length_unit="m", noise_factors=2)
    assert load_npz(made.population)["shared"].shape == (20, 2)
    assert success_rate(trials(made.protocol, "schedule.blocks.0.trials=8")) >= 0.5


def test_the_same_recording_gives_the_same_bytes(tmp_path):
    path = saved(tmp_path, recorded(truth(units=8), 500))
    made = [fit.fit(path, tmp_path / name, kinematics="velocity", length_unit="m") for name in "ab"]
    for field in ("population", "decoder", "protocol"):
        assert getattr(made[0], field).read_bytes() == getattr(made[1], field).read_bytes()
