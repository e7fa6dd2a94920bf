"""The page about a fit to kinematics."""

import numpy as np
import pytest

from decoderd import html_page
from decoderd.twin.kinematics import fit, report
from tests.twin.kinematics.simulated import recorded, truth


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    arrays = recorded(truth(units=20), bins=1500)
    arrays["cursor_velocity"][100:200] = np.nan
    np.savez(folder / "recording.npz", **arrays)
    return fit.fit(folder / "recording.npz", folder / "out", kinematics="velocity", length_unit="m")


def test_what_the_page_says(found):
    page = report.html("recording.npz", found)
    assert "<h1>The twin of recording.npz</h1>" in page
    assert "100 of 1500 bins have no kinematics" in page
    assert f"<td>{1e3 * found.lag_s:g} ms</td>" in page
    assert page.count("data:image/png;base64,") == 6
    held_out = page.split("<h2>Held-out bins</h2>")[1].split("<h2>")[0]
    assert f'<tr><td>vx</td><td class="number">{found.r2[0]:.4g}</td>' in held_out
    assert held_out.count("<tr>") == 1 + 2
    assert page.split("<h2>Units</h2>")[1].split("<h2>")[0].count("<tr>") == 1 + 20


def test_without_matplotlib_there_are_tables(found, monkeypatch):
    monkeypatch.setattr(html_page, "can_draw", lambda: False)
    page = report.html("recording.npz", found)
    assert "data:image" not in page
    assert "<h2>Held-out bins</h2>" in page


def test_tuning_is_of_the_faster_half_of_the_bins(found):
    tuned = report.tuning_of(found.fitted)
    assert tuned.bins.sum() == pytest.approx(found.bins_used / 2, abs=1)
    moving = found.fitted.recorded.velocity
    speed = np.hypot(*moving.T)
    turn = np.arctan2(moving[:, 1], moving[:, 0])
    right = (speed >= np.nanmedian(speed)) & (np.abs(turn) < np.deg2rad(15))  # the sector around 0 degrees
    at = int(np.argmin(np.abs(np.angle(np.exp(1j * tuned.direction)))))
    assert tuned.bins[at] == right.sum()
    rates = found.fitted.recorded.counts[right].mean(axis=0) / found.fitted.recorded.bin_s
    np.testing.assert_allclose(tuned.recorded[at], rates)
    at_velocities = [np.array([*v, np.hypot(*v), 1]) @ found.fitted.weights for v in moving[right]]
    np.testing.assert_allclose(tuned.twin[at], np.maximum(at_velocities, 0).mean(axis=0))
