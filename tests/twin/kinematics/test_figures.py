"""Figures of a fit to kinematics show the numbers that they are about."""

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from decoderd.twin.kinematics import figures
from decoderd.twin.kinematics.arrays import Kinematics
from decoderd.twin.kinematics.candidates import Candidate
from decoderd.twin.kinematics.fit import Fitted
from decoderd.twin.kinematics.lag import Lags
from decoderd.twin.kinematics.score import score
from decoderd.twin.kinematics.validation import Choice

BINS, BIN_S = 4000, 0.05


@pytest.fixture
def found():
    """4000 bins, of which 100 to 1200 and 1300 to 3999 are known without a gap."""
    draw = np.random.default_rng(1)
    recorded = draw.normal(0, 0.1, (BINS, 2))
    recorded[:100] = recorded[1201:1300] = np.nan
    decoded = recorded + draw.normal(0, 0.05, (BINS, 2))
    choice = Choice(
        Candidate("noise_shrinkage", 0.1, {}),
        np.array([0.0, 0.1, 1.0]),
        np.array([0.5, 0.6, 0.2]),
        ("vx", "vy"),
        recorded,
        decoded,
        score(decoded, recorded),
    )
    lags = Lags(2, np.arange(-2, 4), -(np.arange(6.0)[::-1] ** 2))
    counts = np.zeros((BINS, 3))
    return Fitted(Kinematics(counts, recorded, None, np.zeros(BINS, int), BIN_S), lags, choice, np.ones((4, 3)), [])


def drawn(draw, *arguments, **options):
    canvas = Canvas()
    draw(canvas, *arguments, **options)
    canvas.canvas.draw()
    return canvas.axes


def test_the_bins_shown_are_20_s_from_the_middle_of_the_longest_part(found):
    rows = figures.shown_bins(found)
    assert (rows[0], rows[-1], len(rows)) == (2450, 2849, 400)
    short = found._replace(recorded=found.recorded._replace(bin_s=1.0))
    assert len(figures.shown_bins(short)) == 20


def test_kinematics_in_time_in_cm(found):
    rows = figures.shown_bins(found)
    panels = drawn(figures.in_time, found.choice, rows, BIN_S)
    for axis, panel in enumerate(panels):
        recorded, decoded = panel.get_lines()
        np.testing.assert_allclose(recorded.get_xdata(), rows * BIN_S)
        np.testing.assert_allclose(recorded.get_ydata(), 100 * found.choice.recorded[rows, axis])
        np.testing.assert_allclose(decoded.get_ydata(), 100 * found.choice.decoded[rows, axis])
    assert [panel.get_ylabel() for panel in panels] == ["vx (cm/s)", "vy (cm/s)"]


def test_marks_of_known_bins(found):
    panels = drawn(figures.against, found.choice)
    marks = panels[1].collections[0].get_offsets()
    assert len(marks) == 1901  # every other one of 3801 known bins
    np.testing.assert_allclose(marks[0], 100 * np.array([found.choice.recorded[100, 1], found.choice.decoded[100, 1]]))
    assert panels[0].get_title() == f"R2 {found.choice.score.r2[0]:.3f}"


def test_what_was_chosen_is_marked(found):
    by_lag, by_setting = drawn(figures.compared, found)
    curve, mark = by_lag.get_lines()
    np.testing.assert_allclose(curve.get_xdata(), 50.0 * np.arange(-2, 4))
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (100.0, -1.0)
    mark = by_setting.get_lines()[1]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (0.1, 0.6)
    assert by_setting.get_xlabel() == "noise shrinkage"


def test_axes_of_positions_are_in_cm(found):
    choice = found.choice._replace(axes=("px", "py"))
    assert drawn(figures.against, choice)[0].get_xlabel() == "recorded px (cm)"
