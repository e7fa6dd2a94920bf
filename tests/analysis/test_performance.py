"""The learning amount: against its definition as a picture."""

import numpy as np
import pytest

from decoderd.analysis import performance

FIRST, INTUITIVE = (0.2, 3.0), (0.9, 1.2)


def test_it_is_0_at_first_1_when_intuitive_and_even_in_between():
    steps = np.linspace(0, 1, 5)[:, np.newaxis]
    points = (1 - steps) * FIRST + steps * INTUITIVE
    np.testing.assert_allclose(performance.learning_amount(FIRST, INTUITIVE, points), steps[:, 0], atol=1e-12)


def test_what_lies_across_the_line_does_not_count():
    relative = np.array(FIRST) / INTUITIVE
    line = 1 - relative
    across = np.array([-line[1], line[0]])
    now = (relative + 0.3 * line + 2.0 * across) * INTUITIVE
    assert performance.learning_amount(FIRST, INTUITIVE, now) == pytest.approx(0.3)


def test_worse_than_at_first_is_negative():
    assert performance.learning_amount(FIRST, INTUITIVE, (0.1, 4.0)) < 0


@pytest.mark.parametrize(("first", "intuitive"), [(INTUITIVE, INTUITIVE), (FIRST, (0.0, 1.0)), (FIRST, (np.nan, 1.0))])
def test_without_a_line_there_is_none(first, intuitive):
    assert np.isnan(performance.learning_amount(first, intuitive, [FIRST, FIRST])).all()
