"""Conditions, measures and bands of the closed loop; the sessions themselves are long."""

from typing import Any

import numpy as np
import pytest

from decoderd.experiments.bursts import closed_loop
from decoderd.experiments.bursts.closed_loop import AFTER, BEFORE, CHANGED, CONDITIONS, Course


@pytest.mark.parametrize("name", CONDITIONS)
def test_conditions_differ_in_what_is_fed_back_and_in_the_rule(name):
    protocol: Any = closed_loop.condition(name, 3)
    assert protocol.seed == 3
    assert protocol.schedule.blocks[0].trials == (320 if name == "new" else 280)
    assert protocol.population.feedback == {"old": "decoder", "random": "random", "new": "present"}.get(
        name.removeprefix("factors, "), "off"
    )
    by_gradient = name.endswith("gradient")
    assert protocol.plasticity.kind == ("batch" if by_gradient else "burst_dependent")
    assert protocol.decoder.channel == ("counts" if by_gradient else "events")
    change = protocol.perturbations[0]
    assert change.kind == ("permutation" if name.startswith("factors") else "rotation")
    assert (change.envelope.start.trial, change.envelope.stop.trial) == (41, 281)


def made_up(left, rise=1.8, after=0):
    """A course whose error falls from 6 cm to `left`, in m; bursts rise at once and weights change in 60 trials."""
    learning = np.clip(np.arange(CHANGED) / 60, 0, 1)
    during = 0.06 + (left - 0.06) * (np.arange(CHANGED) >= 30)
    errors = np.concatenate([np.full(BEFORE, 0.02), during, np.full(after, 0.05)])
    fractions = np.concatenate([np.full(BEFORE, 0.2), 0.2 * np.full(CHANGED, rise), np.full(after, 0.2)])
    return Course(errors, fractions, np.concatenate([np.zeros(BEFORE), learning, np.ones(after)]))


def test_measures_of_a_course():
    one = made_up(0.03, after=AFTER)
    assert closed_loop.recovered(one) == pytest.approx(0.75)
    assert closed_loop.recovered(one, made_up(0.05)) == pytest.approx(0.5)
    mild = one._replace(
        errors=np.select([one.errors == 0.06, one.errors == 0.03], [0.0201, 0.0198], 0.02)
    )  # a change that hardly matters
    assert closed_loop.recovered(mild) > 2
    assert closed_loop.recovered(one, mild) == pytest.approx(0.75, abs=0.01)
    assert closed_loop.burst_index(one) == pytest.approx(1.8)
    assert closed_loop.after_effect(one) == pytest.approx(2.5)
    assert closed_loop.halfway(one.weights[BEFORE : BEFORE + CHANGED]) == 32  # 31/60 is the first above 1/2
    assert closed_loop.risen(one) == 1
    assert closed_loop.risen(made_up(0.03, rise=1.2)) == CHANGED


def test_bands_hold_for_learning_by_the_new_decoder_alone_and_miss_the_rest():
    found = {name: [made_up(0.06)] for name in CONDITIONS}
    found["new"], found["factors, new"] = [made_up(0.021, after=AFTER)], [made_up(0.03)]
    assert [band.name for band in closed_loop.bands(found) if not band.ok] == []
    found["none"] = found["random"] = found["new"]
    found["new"] = [made_up(0.03, rise=1.2, after=AFTER)]
    assert [band.ok for band in closed_loop.bands(found)] == [False, False, False, False, False, True, True]


def test_a_session_is_measured_trial_by_trial(monkeypatch):
    """Six trials, too few to learn in: errors are those of its messages, and weights change after the burn-in."""
    monkeypatch.setattr(closed_loop, "BEFORE", 3)
    monkeypatch.setattr(closed_loop, "CHANGED", 6)
    found = closed_loop.course("none", 1)
    assert found.errors.shape == found.fractions.shape == found.weights.shape == (9,)
    assert (found.errors > 0.005).all()
    assert (found.errors < 0.08).all()
    assert np.abs(found.fractions.mean() - 0.2) < 0.03
    assert (found.weights[:7] == 0).all()  # 12 s of burn-in
    assert found.weights[8] > 0
