"""Bands and the rules that they follow from."""

import json
import math

import pytest

from decoderd.experiments.bands import Band, Power, relative, two_samples, two_sd, two_shares


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


def test_ranges_of_two_sd_and_relative():
    assert two_sd("x", 3, 2.0, 0.5)[2:4] == (1.0, 3.0)
    assert relative("x", 3, 2.0, 0.25)[2:4] == (1.5, 2.5)
    assert relative("x", 3, -2.0, 0.25)[2:4] == (-2.5, -1.5)


def test_means_of_two_samples_may_differ_by_two_standard_errors():
    wide = 2 * math.sqrt(3.0**2 / 100 + 3.0**2 / 20)
    assert two_samples("x", 3, 100, 2.0, 20, 3.0)[2:4] == pytest.approx((2.0 - wide, 2.0 + wide))
    assert not two_samples("x", math.nan, 0, 2.0, 20, math.nan).ok


def test_shares_of_two_samples_may_differ_by_two_standard_errors():
    """100 % of 20 and 90 % of 100 could be of one share, 110 of 120; 75 % of 100 could not."""
    pooled = 110 / 120
    low = 1 - 2 * math.sqrt(pooled * (1 - pooled) * (1 / 20 + 1 / 100))
    assert two_shares("x", 0.9, 100, 1.0, 20)[2:4] == pytest.approx((low, 1.0))
    assert two_shares("x", 0.9, 100, 1.0, 20).ok
    assert not two_shares("x", 0.75, 100, 1.0, 20).ok
    assert two_shares("x", 0.0, 20, 0.0, 20)[2:4] == (0.0, 0.1)
