"""What can be asked of the plug-in."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from decoderd_client.plugins import installed
from decoderd_plugins.manifold import MANIFOLD, Config

LEAST = {"kind": "omp", "inject_at": "trial:81"}


def test_it_is_installed():
    assert installed()["manifold"] is MANIFOLD


def test_moments_as_the_command_line_gives_them():
    config = Config(**LEAST, washout_at="day:3", until={"unit": "day", "number": 4})
    assert [str(moment) for moment in (config.inject_at, config.washout_at, config.until)] == [
        "trial:81",
        "day:3",
        "day:4",
    ]
    assert not config.inject_at.reached(79, 9)
    assert config.inject_at.reached(80, 1)
    assert config.washout_at.reached(5, 3)


def test_lists_as_the_command_line_gives_them():
    config = Config(**LEAST, incremental="0.4, 0.9, 1", order="2,0,1", angle_deg="20,80")
    assert (config.incremental, config.order, config.angle_deg) == ((0.4, 0.9, 1.0), (2, 0, 1), (20.0, 80.0))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"inject_at": "trial:0"}, "right are trial:81, day:3"),
        ({"inject_at": "tick:7"}, "is no moment"),
        ({"washout_at": "trial:81"}, "washout_at = trial:81: must be later than inject_at"),
        ({"washout_at": "trial:90", "until": "trial:85"}, "until = trial:85: must be later than washout_at"),
        ({"incremental": "0.4,0.8"}, "must rise, and end with 1"),
        ({"incremental": "0.8,0.4,1"}, "must rise"),
        ({"angle_deg": "80,20"}, "must not exceed"),
        ({"kind": "both"}, "'wmp' or 'omp'"),
        ({"factors": 1}, "greater than or equal to 2"),
        ({"factors": "many"}, "factors"),
        ({"colour": 1}, "colour"),
    ],
)
def test_what_is_not_understood(fields, message):
    with pytest.raises(ValidationError, match=message):
        Config(**{**LEAST, **fields})
