"""What users get wrong about bursts: each is refused by an error that names the field and what would be right.

Here is the list. Each module's own tests have the variants.
"""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.analysis.bursts import changes
from decoderd.analysis.bursts.fraction import Sums
from decoderd.errors import ArrayError, ProtocolError
from tests import running
from tests.protocols import BRIEF, begun, centre_out

BURSTING = {"kind": "bursting", "units": 12}
PROTOCOLS = {
    "a threshold below the tick": (
        {"population": BURSTING, "tick_s": 0.02},
        "population.burst_threshold_s",
        r"burst_threshold_s = 0\.016: must be at least tick_s = 0\.02",
    ),
    "a refractory time below the threshold": (
        {"population": {**BURSTING, "refractory_s": 0.005}},
        "population",
        r"refractory_s = 0\.005: must be at least burst_threshold_s = 0\.016.*chance_bursts = true",
    ),
    "a channel that the population lacks": (
        {"population": BURSTING, "decoder": {"kind": "kalman", "channel": "burst", "calibration": BRIEF}},
        "decoder.channel",
        "'bursting' has the channels counts, events, bursts, time_at_risk",
    ),
    "a channel of bursts, of a population without": (
        {"decoder": {"kind": "kalman", "channel": "bursts", "calibration": BRIEF}},
        "decoder.channel",
        "'tuned' has the channels? counts",
    ),
    "feedback by a decoder without weights": (
        {"population": {**BURSTING, "feedback": "present"}, "decoder": {"kind": "external"}},
        "population",
        r"feedback = 'present': this decoder has no weight of each unit",
    ),
    "a burn-in longer than the day": (
        {
            "population": {"kind": "burst_layer", "units": 12},
            "plasticity": {"kind": "burst_dependent", "burn_in_s": 20.0},
            "schedule": {"days": 2, "blocks": [{"name": "only", "duration_s": 10.0}]},
        },
        "plasticity.burn_in_s",
        r"burn_in_s = 20: must be shorter than the blocks with plasticity of every day",
    ),
    "plasticity of a population that does not learn": (
        {"population": BURSTING, "plasticity": {"kind": "burst_dependent"}},
        "plasticity.kind",
        "this population cannot learn",
    ),
    "a gain of feedback in another unit": (
        {"population": {**BURSTING, "feedback_gain_s_m": 25_000.0}},
        "population.feedback_gain_s_m",
        r"feedback_gain_s_m = 25000\.0: must be at most 1000",
    ),
}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_is_refused_before_its_first_tick(name):
    fields, field, message = PROTOCOLS[name]
    with pytest.raises(ProtocolError, match=message) as caught:
        begun(centre_out(**fields))
    assert caught.value.field == field


@pytest.mark.parametrize("shape", [(11, 2), (2, 12), (12, 3), (12,)])
def test_K_of_a_wrong_shape_is_refused(tmp_path, shape):
    np.savez(tmp_path / "feedback.npz", K=np.ones(shape))
    population = {**BURSTING, "feedback": "file", "file": str(tmp_path / "feedback.npz")}
    with pytest.raises(ProtocolError, match=r"feedback\.npz: K: has shape .*, expected 12 x 2") as caught:
        begun(centre_out(population=population))
    assert caught.value.field == "population"


def test_too_few_events_are_refused():
    few, many = (Sums(np.full(5, events), *np.ones((3, 5))) for events in (3.0, 40.0))
    with pytest.raises(ArrayError, match="first: 15 events are too few; 20 are needed") as caught:
        changes.compare(few, many, 0.016, 0.02, 10, np.random.default_rng(1), "greater")
    assert caught.value.field == "first"


def test_the_command_line_says_so_in_a_line(tmp_path):
    protocol = running.write(tmp_path / "bad.toml", centre_out(population=BURSTING, tick_s=0.02))
    said = running.failure(running.cli("run", protocol, "--speed", "max"))
    assert "population.burst_threshold_s = 0.016: must be at least tick_s = 0.02" in said
