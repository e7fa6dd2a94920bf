"""Gains of cursor, display and rates."""

import numpy as np
import pytest
from pydantic import ValidationError

from decoderd.errors import Refused
from decoderd.perturbations.gain import GAIN, GainConfig
from decoderd.state import Command


def config(**fields):
    return GainConfig(**{"name": "gain", "site": "cursor", "factor": 3.0, **fields})


@pytest.mark.parametrize(("amount", "factor"), [(1.0, 3.0), (0.5, 2.0), (0.0, 1.0)])
def test_the_envelope_scales_from_1_to_the_factor(rig, amount, factor):
    v, jump = np.array([[0.1, -0.2]]), np.array([[0.01, 0.02]])
    _, found = GAIN.sites["cursor"](config(), None, amount, Command(v, jump), rig.context())
    np.testing.assert_allclose(found.velocity, factor * v)
    np.testing.assert_allclose(found.correction, factor * jump)


def test_a_pair_is_for_x_and_y(rig):
    v = np.array([[0.1, -0.2], [1.0, 1.0]])
    _, found = GAIN.sites["cursor"](config(factor=(2, -1)), None, 1.0, Command(v, None), rig.context())
    np.testing.assert_allclose(found.velocity, [[0.2, 0.2], [2, -1]])
    seen = np.array([[0.1, 0.2, 0.3, 0.4]])
    _, found = GAIN.sites["feedback"](config(site="feedback", factor=(2, -1)), None, 1.0, seen, rig.context())
    np.testing.assert_allclose(found, [[0.2, -0.2, 0.6, -0.4]])
    _, found = GAIN.sites["feedback"](config(site="feedback", factor=2), None, 0.5, seen, rig.context())
    np.testing.assert_allclose(found, 1.5 * seen)


def test_rates_of_some_units(rig):
    chosen = config(site="neural", factor=0.5, units=(7, 2, 2))
    memory, rates = GAIN.begin(chosen, rig.host()), np.arange(1.0, 9.0)[np.newaxis]
    _, found = GAIN.sites["neural"](chosen, memory, 1.0, rates, None)
    np.testing.assert_allclose(found, [[1, 2, 1.5, 4, 5, 6, 7, 4]])
    np.testing.assert_array_equal(rates, np.arange(1.0, 9.0)[np.newaxis])


def test_rates_of_all_units(rig):
    chosen = config(site="neural", factor=2)
    _, found = GAIN.sites["neural"](chosen, GAIN.begin(chosen, rig.host()), 0.5, np.ones((2, 8)), None)
    np.testing.assert_allclose(found, 1.5)


@pytest.mark.parametrize(
    ("fields", "drawn", "says", "field"),
    [
        ({"units": (1,)}, True, "a gain of the cursor has no units; use site = 'neural'", "units"),
        ({"site": "neural", "factor": -1}, True, "factor = -1.0: firing rates are multiplied by one factor", "factor"),
        ({"site": "neural", "factor": (1, 2)}, True, "firing rates are multiplied by one factor", "factor"),
        ({"site": "neural"}, False, "recorded counts have no rates to multiply", "site"),
        ({"site": "neural", "units": (8,)}, True, r"units \[8\] are not there", "units"),
    ],
)
def test_invalid_requests_are_refused(rig, fields, drawn, says, field):
    with pytest.raises(Refused, match=says) as caught:
        GAIN.begin(config(**fields), rig.host(drawn=drawn))
    assert caught.value.field == field


def test_a_factor_has_its_limits():
    with pytest.raises(ValidationError):
        config(factor=11)
