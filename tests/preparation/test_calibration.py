"""Calibrations: many reaches at once are those one by one, and their kinematics follow the intention."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd import registry
from decoderd.preparation import calibration
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol
from decoderd.rng import Draws, open_streams
from decoderd.state import REACH, Cue, TimeIndex
from tests.protocols import centre_out, individual

REACHES = 11
BRIEF = {"reaches": REACHES, "reach_s": 0.4}


def of(population, channel="counts", **fields):
    return protocol.parse(
        centre_out(
            population=population, decoder={"kind": "kalman", "channel": channel, "calibration": BRIEF}, **fields
        )
    )


KINDS = {
    "tuned": ("counts", {}),
    "refractory": ("time_at_risk", {"regularity": 4.0}),
    "bursting": ("events", {"feedback": "tuning"}),
    "two_compartment": ("events", {"feedback": "tuning", "substep_s": 0.0005}),
}


@pytest.fixture(params=[*KINDS, "manifold"])
def parsed(request, tmp_path):
    if request.param == "manifold":
        return of({"kind": "manifold", "file": str(individual(tmp_path / "individual.npz"))})
    channel, more = KINDS[request.param]
    return of({"kind": request.param, "units": 7, **more}, channel)


def one_by_one(parsed):
    """Counts (T, N) and velocities (T, 2), from the population's functions, a reach and a tick at a time."""
    kind, timing = registry.find("populations", parsed.population.kind), parsed.timing
    parameters = prepare(parsed).population
    plan = kind.plan(parsed.population, timing)
    streams = open_streams((parsed.seed,), "calibration", kind.streams(plan, parameters))
    counts, velocities = [], []
    for reach in range(REACHES):
        angle = reach % 8 * np.pi / 4
        goal, cursor = 0.07 * np.array([[np.cos(angle), np.sin(angle)]]), np.zeros((1, 4))
        state = kind.init(plan, parameters, cursor)
        for t in range(40):
            draws, time = Draws(streams, 0, 40 * reach + t), TimeIndex(t, 0, t, t % 5)
            cue = Cue(goal, 0.0, REACH, -1, 0, None if t else np.zeros((1, 2)), ())
            state, rates, intent = kind.rates(plan, parameters, state, cue, cursor, time, draws)
            state, found = kind.spikes(plan, parameters, state, rates, draws)
            counts.append(found[calibration.decoded_channel(parsed)][0])
            velocities.append(intent[0])
            cursor = np.hstack([cursor[:, :2] + intent * timing.tick_s, intent])
    in_bins = np.array(counts, float).reshape(-1, 5, len(counts[0])).sum(axis=1)
    return in_bins, np.array(velocities).reshape(-1, 5, 2).mean(axis=1)


@pytest.mark.parametrize("together", [1, 7 * 40 * 3, 10**9])
def test_reaches_together_are_those_one_by_one(parsed, together, monkeypatch):
    monkeypatch.setattr(calibration, "TOGETHER", together)
    progress: list[int] = []
    found = calibration.calibrate(parsed, prepare(parsed).population, progress.append)
    assert progress[-1] == REACHES
    assert progress == sorted(set(progress))
    counts, velocity = one_by_one(parsed)
    np.testing.assert_allclose(found.counts, counts, rtol=1e-9)
    np.testing.assert_allclose(found.velocity, velocity, rtol=1e-9, atol=1e-12)
