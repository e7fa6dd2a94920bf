"""Options of the manifold plug-in."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from decoderd.trigger import Trigger
from decoderd_client.plugins import installed
from decoderd_plugins.manifold import MANIFOLD, Config

LEAST = {"kind": "omp", "inject_at": "trial=81"}


def test_the_plug_in_is_installed():
    assert installed()["manifold"] is MANIFOLD


def test_triggers_from_the_command_line_and_from_toml():
    config = Config(**LEAST, washout_at="day=3,trial=5", until={"day": 4})
    assert config.inject_at == Trigger(trial=81)
    assert config.washout_at == Trigger(day=3, trial=5)
    assert config.until == Trigger(day=4)


def test_lists_from_the_command_line():
    config = Config(**LEAST, incremental="0.4, 0.9, 1", order="2,0,1", angle_deg="20,80")
    assert (config.incremental, config.order, config.angle_deg) == ((0.4, 0.9, 1.0), (2, 0, 1), (20.0, 80.0))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"inject_at": "trial=0"}, "greater than or equal to 1"),
        ({"inject_at": "trial:7"}, "old spelling: write trial=7"),
        ({"inject_at": "soon"}, "does not say when: write trial=81"),
        ({"inject_at": "tick=7,day=2"}, "tick cannot be combined with day or trial"),
        ({"inject_at": {}}, "needs tick, day, trial, or day and trial"),
        ({"washout_at": "trial=81"}, "washout_at = trial=81: must be later than inject_at = trial=81"),
        ({"washout_at": "trial=90", "until": "trial=85"}, "until = trial=85: must be later than washout_at"),
        ({"washout_at": "day=3,trial=2", "until": "day=3"}, "until = day=3: must be later than washout_at"),
        ({"incremental": "0.4,0.8"}, "must rise, and end with 1"),
        ({"incremental": "0.8,0.4,1"}, "must rise"),
        ({"angle_deg": "80,20"}, "must not exceed"),
        ({"kind": "both"}, "'wmp' or 'omp'"),
        ({"factors": 1}, "greater than or equal to 2"),
        ({"factors": "many"}, "factors"),
        ({"colour": 1}, "colour"),
    ],
)
def test_wrong_options_are_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        Config(**{**LEAST, **fields})
