"""The learning amount: against its definition as a picture."""

import numpy as np
import pytest

from decoderd.analysis import performance

FIRST, INTUITIVE = (0.2, 3.0), (0.9, 1.2)


def test_the_learning_amount_is_0_at_first_1_when_intuitive_and_linear_between():
    steps = np.linspace(0, 1, 5)[:, np.newaxis]
    points = (1 - steps) * FIRST + steps * INTUITIVE
    np.testing.assert_allclose(performance.learning_amount(FIRST, INTUITIVE, points), steps[:, 0], atol=1e-12)


def test_only_the_projection_on_the_line_counts():
    relative = np.array(FIRST) / INTUITIVE
    line = 1 - relative
    across = np.array([-line[1], line[0]])
    now = (relative + 0.3 * line + 2.0 * across) * INTUITIVE
    assert performance.learning_amount(FIRST, INTUITIVE, now) == pytest.approx(0.3)


def test_worse_than_at_first_is_negative():
    assert performance.learning_amount(FIRST, INTUITIVE, (0.1, 4.0)) < 0


@pytest.mark.parametrize(("first", "intuitive"), [(INTUITIVE, INTUITIVE), (FIRST, (0.0, 1.0)), (FIRST, (np.nan, 1.0))])
def test_equal_points_have_no_learning_amount(first, intuitive):
    assert np.isnan(performance.learning_amount(first, intuitive, [FIRST, FIRST])).all()
