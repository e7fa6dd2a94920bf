"""Bands and the rules that they follow from."""

import json
import math

import pytest

from decoderd.experiments.bands import Band, Power, relative, share, two_sd


def test_a_band_includes_its_ends():
    assert Band("x", 1.0, 1.0, 2.0).ok
    assert Band("x", 2.0, 1.0, 2.0).ok
    assert not Band("x", 2.0001, 1.0, 2.0).ok
    assert not Band("x", 0.9999, 1.0, 2.0).ok
    assert not Band("x", math.nan, 1.0, 2.0).ok
    assert Band("x", 5.0, 1.0, math.inf).ok


def test_a_band_as_json():
    assert Band("x", 1.5, 1.0, 2.0).plain() == {"name": "x", "value": 1.5, "low": 1.0, "high": 2.0, "ok": True}
    without_numbers = json.loads(json.dumps(Band("x", math.nan, 1.0, math.inf).plain(), allow_nan=False))
    assert without_numbers == {"name": "x", "value": None, "low": 1.0, "high": None, "ok": False}


def test_a_band_says_how_many_seeds_it_needs():
    band = Band("x", 1.5, 1.0, 2.0, Power(20, 57.0, None))
    assert band.plain() == {
        **band._replace(power=None).plain(),
        "seeds": 20,
        "seeds_needed": 57.0,
        "original_seeds": None,
    }
    assert Power(20, 57.0, None).text() == "20 / 57 / ?"
    assert Power(4, math.inf, 10).text() == "4 / over 9999 / 10"
    assert band._replace(power=Power(4, math.inf, 10)).plain()["seeds_needed"] is None


def test_ranges_of_two_sd_relative_and_share():
    assert two_sd("x", 3, 2.0, 0.5)[2:4] == (1.0, 3.0)
    assert relative("x", 3, 2.0, 0.25)[2:4] == (1.5, 2.5)
    assert relative("x", 3, -2.0, 0.25)[2:4] == (-2.5, -1.5)
    wide = 2 * math.sqrt(0.25 / 20 + 0.25 / 20)  # two standard errors of a difference of shares of one half
    assert share("x", 0.5, 0.5, 20)[2:4] == pytest.approx((0.5 - wide, 0.5 + wide))
    assert share("x", 0.1, 0.0, 20)[2:4] == (0.0, 0.1)
    assert share("x", 0.1, 1.0, 20)[2:4] == (0.9, 1.0)
