"""Silenced units stop firing; the rates of others do not change."""

import numpy as np
import pytest
from pydantic import ValidationError

from decoderd.errors import Refused
from decoderd.perturbations.envelope import Block, Ramp
from decoderd.perturbations.silence import SILENCE, SilenceConfig
from decoderd.trigger import Trigger

RATES = np.arange(1.0, 17.0).reshape(2, 8)


def config(**fields):
    return SilenceConfig(name="quiet", **fields)


@pytest.mark.parametrize(("amount", "left"), [(1.0, 0.0), (0.25, 0.75), (0.0, 1.0)])
def test_rates_fall_to_1_minus_the_envelope(rig, amount, left):
    chosen = config(units=(0, 5))
    _, found = SILENCE.sites["neural"](chosen, SILENCE.begin(chosen, rig.host()), amount, RATES, None)
    assert isinstance(found, np.ndarray)
    for unit in range(8):
        np.testing.assert_allclose(found[:, unit], RATES[:, unit] * (left if unit in (0, 5) else 1.0))


@pytest.mark.parametrize(("fraction", "count"), [(0.0, 0), (0.25, 2), (0.5, 4), (1.0, 8)])
def test_a_fraction_is_drawn(rig, fraction, count):
    units = SILENCE.begin(config(fraction=fraction), rig.host())
    assert len(units) == len(set(units.tolist())) == count
    assert (np.diff(units) > 0).all()
    np.testing.assert_array_equal(units, SILENCE.begin(config(fraction=fraction), rig.host()))


def test_every_unit_is_drawn_equally_often(rig):
    drawn = np.concatenate([SILENCE.begin(config(fraction=0.5), rig.host(seed=seed)) for seed in range(400)])
    assert np.abs(np.bincount(drawn, minlength=8) - 200).max() < 45  # 4.5 SD of 400 draws at 1/2


def test_a_larger_fraction_silences_the_same_units_and_more(rig):
    few, many = (set(SILENCE.begin(config(fraction=f), rig.host()).tolist()) for f in (0.25, 0.75))
    assert few < many


@pytest.mark.parametrize("fields", [{}, {"units": (1,), "fraction": 0.5}])
def test_either_units_or_a_fraction_must_be_given(fields):
    with pytest.raises(ValidationError, match="give either units or fraction"):
        config(**fields)


def test_invalid_requests_are_refused(rig):
    with pytest.raises(Refused, match=r"units \[9\] are not there"):
        SILENCE.begin(config(units=(9,)), rig.host())
    with pytest.raises(Refused, match="recorded counts can be left out but not thinned") as caught:
        SILENCE.begin(config(units=(1,), envelope=Ramp(rise_s=1.0)), rig.host(drawn=False))
    assert caught.value.field == "envelope"
    block = Block(start=Trigger(tick=0), stop=Trigger(tick=9))
    assert SILENCE.begin(config(units=(1,), envelope=block), rig.host(drawn=False)).tolist() == [1]
