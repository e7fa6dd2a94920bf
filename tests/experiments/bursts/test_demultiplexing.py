"""Trains and sessions from which burst fraction and error are recovered. The whole experiment is a campaign."""

import numpy as np
import pytest

from decoderd.analysis.bursts import fraction
from decoderd.experiments.bursts import demultiplexing
from decoderd.protocol import protocol


def test_trains_have_their_hazard_and_their_chance_bursts():
    draw = np.random.default_rng(1)
    rate = demultiplexing.event_rate(20.0, 0.2)
    sums = demultiplexing.trains(np.array([rate]), np.array([0.2]), 400, 300, draw)
    law = demultiplexing.LAW
    at_large = sums.events / (sums.observed_s - sums.bursts * 0.012 - sums.events * law.refractory_s)
    assert fraction.hazard(sums)[0] == pytest.approx(20.0, rel=0.05)
    assert at_large[0] < 20.0  # events by chance within the threshold are not among them
    assert fraction.event_rate(sums)[0] < rate
    q = 1 - np.exp(-20.0 * 0.014)
    assert fraction.burst_fraction(sums)[0] == pytest.approx(0.2 + 0.8 * q, abs=0.02)


@pytest.mark.parametrize("learns", [False, True])
def test_protocols_are_rotated_when_regressions_begin(learns):
    parsed = protocol.parse(demultiplexing.protocol(2, learns))
    assert parsed.perturbations[0].envelope.start.trial == demultiplexing.BEFORE + 1
    assert (parsed.plasticity.kind == "burst_dependent") == learns


def test_the_error_is_recovered_in_a_short_session(monkeypatch):
    for name, value in {"BEFORE": 2, "TRAINED": 12, "TESTED": 4, "GROUP": 4}.items():
        monkeypatch.setattr(demultiplexing, name, value)
    found = demultiplexing.recovered(1, learns=False)
    assert found.early[0] > 0.85
    assert found.held_out[0] > found.held_out[1]
    assert found.course.shape == (4, 4)


@pytest.mark.campaign
def test_all_bands_hold():
    found = demultiplexing.run(3, 2, lambda done, of: None)
    assert [band.name for band in found.bands if not band.ok] == []
