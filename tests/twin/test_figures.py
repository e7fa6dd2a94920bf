"""Figures of a fit show the numbers that they are about."""

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from decoderd.twin import figures
from decoderd.twin.tuning import tuning

BIN_S = 0.05


@pytest.fixture
def made():
    """Twenty units whose depth falls with their number; the twin's preferred directions are turned by 0.2 rad."""
    draw = np.random.default_rng(1)
    preferred, depth = draw.uniform(0, 2 * np.pi, 20), np.linspace(3.0, 0.1, 20)

    def counts_at(direction, turn):
        return 4 + depth * np.cos(np.asarray(direction)[:, np.newaxis] - preferred - turn)

    direction = np.deg2rad(45.0 * (np.arange(80) % 8))
    return tuning(
        direction,
        counts_at(direction, 0.0),
        BIN_S,
        lambda rows: counts_at(direction[rows], 0.2),
        lambda angles: counts_at(angles, 0.2),
    )


def drawn(draw, *arguments):
    canvas = Canvas()
    draw(canvas, *arguments)
    canvas.canvas.draw()
    return canvas.axes


def test_curves_of_the_units_that_are_tuned_most_deeply(made):
    panels = drawn(figures.curves, made)
    assert [panel.get_title() for panel in panels] == [f"unit {unit}" for unit in range(12)]
    twin, recorded = panels[3].get_lines()[:2]
    np.testing.assert_allclose(twin.get_ydata(), made.curve[:, 3])
    np.testing.assert_allclose(recorded.get_xdata(), 45.0 * np.arange(8), atol=1e-9)
    np.testing.assert_allclose(recorded.get_ydata(), made.recorded[:, 3])


def test_fewer_units_than_panels(made):
    two = made._replace(
        recorded=made.recorded[:, :2], error=made.error[:, :2], twin=made.twin[:, :2], curve=made.curve[:, :2]
    )
    assert [panel.get_title() for panel in drawn(figures.curves, two)] == ["unit 0", "unit 1", "", "", "", ""]


def test_preferred_directions_of_recording_and_twin(made):
    recorded, twin, against = drawn(figures.preferred_directions, made)
    depth = [segment[1, 1] for segment in recorded.collections[0].get_segments()]
    np.testing.assert_allclose(depth, np.linspace(3.0, 0.1, 20) / BIN_S)
    angles = [[segment[0, 0] for segment in circle.collections[0].get_segments()] for circle in (recorded, twin)]
    np.testing.assert_allclose((np.array(angles[1]) - angles[0]) % (2 * np.pi), 0.2)
    x, y = against.collections[0].get_offsets().T
    np.testing.assert_allclose(y - x, np.rad2deg(0.2))


def test_means_of_every_unit_and_direction(made):
    rates, changes = drawn(figures.means, made)
    np.testing.assert_allclose(rates.collections[0].get_offsets()[:, 0], made.recorded.ravel())
    np.testing.assert_allclose(rates.collections[0].get_offsets()[:, 1], made.twin.ravel())
    change = changes.collections[0].get_offsets()[:, 0].reshape(8, 20)
    np.testing.assert_allclose(change.mean(axis=0), 0, atol=1e-9)


def test_progress_of_every_target_in_mm():
    figure = figures.progress(np.array([0.001, 0.002]), np.array([0.003, -0.001]))
    (panel,) = drawn(figure.draw)
    np.testing.assert_allclose([bar.get_height() for bar in panel.patches], [1, 2, 3, -1])
