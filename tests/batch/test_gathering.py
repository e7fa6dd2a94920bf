"""Bins that wait for the updaters of many sessions: what each is given is what it would have been given bin by bin."""

import numpy as np
import pytest

from decoderd.batch.gathering import MOST, Bins, Shown, gathered
from decoderd.batch.quiet import Quiet
from decoderd.state import REST, Cue
from decoderd.updaters import DecodedBin
from tests import protocols
from tests.batch.cases import leaves

DRAW = np.random.default_rng(4)
SESSIONS = 7
KINDS = ["smooth_batch", "refit", "recursive_ml"]


def session(kind):
    """A session with an updater of this kind, and its state before the first tick."""
    return protocols.begun(protocols.centre_out(updater={"kind": kind}))


def shown(at_rest=()):
    """Goals in sessions with different radii and phases; none in those `at_rest`."""
    goal = DRAW.normal(0, 0.05, (SESSIONS, 2))
    radius_m, phase = DRAW.choice([0.01, 0.05], SESSIONS), DRAW.integers(1, 5, SESSIONS)
    for s in at_rest:
        goal[s], radius_m[s], phase[s] = np.nan, 0.0, REST
    return Shown(goal, radius_m, phase)


def bins(count, units):
    """Counts, velocities and positions of bins of all sessions."""
    return [
        (
            DRAW.integers(0, 5, (SESSIONS, units)).astype(float),
            DRAW.normal(0, 0.1, (SESSIONS, 2)),
            DRAW.normal(0, 0.05, (SESSIONS, 2)),
        )
        for _ in range(count)
    ]


def quiet(observed=True):
    """A stretch of quiet ticks."""
    return Quiet(0, Cue(None, 0.0, REST, -1, 0, None, ()), None, (), observed)


@pytest.mark.parametrize("kind", KINDS)
def test_velocities_estimated_together_are_those_of_each_session(kind):
    updates = session(kind)[0].updates
    cues = shown(at_rest=(2, 5))
    ((counts, velocity, position),) = bins(1, 3)
    found = gathered(updates, counts, velocity, position, cues)
    for s in range(SESSIONS):
        goal = None if s in (2, 5) else cues.goal[s : s + 1]
        one = DecodedBin(velocity[s : s + 1], position[s : s + 1], goal, float(cues.radius_m[s]), int(cues.phase[s]))
        alone = updates.updater.intend(updates.plan, one)
        assert found.known[s] == (alone is not None)
        if alone is not None:
            np.testing.assert_array_equal(found.intended[s], alone[0])


def test_an_updater_observes_its_stretches_and_no_others():
    one, state = session("smooth_batch")
    updates, units = one.updates, one.units
    waiting, rows = Bins(SESSIONS), []
    for k, (counts, velocity, position) in enumerate(bins(6, units)):
        cues = shown(at_rest=(0,) if k == 4 else ())
        ended = gathered(updates, counts, velocity, position, cues)
        waiting.add(ended)
        rows.append((counts[0], position[0], ended.intended[0]))
        if k == 1:
            waiting.interrupt(0, quiet())
        if k == 2:
            waiting.interrupt(0, quiet(observed=False))  # bin 2 is not observed
    assert waiting.waiting(0) == 2
    found = waiting.observed(0, one, state, quiet())
    expected = state.updater.gathered
    for k in (0, 1, 3, 5):  # there is no goal in bin 4
        counts, position, intended = (part[np.newaxis] for part in rows[k])
        x, y = updates.observing.rows(state.parameters.decoder, counts, position, intended)
        expected = updates.updater.observe(updates.plan, expected, x, y)
    assert found.bins == state.updater.bins + 5
    for got, wanted in zip(leaves(found.gathered), leaves(expected), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_session_that_does_not_run_has_no_present_stretch():
    one, state = session("smooth_batch")
    waiting = Bins(SESSIONS)
    for counts, velocity, position in bins(2, one.units):
        waiting.add(gathered(one.updates, counts, velocity, position, shown()))
    assert waiting.observed(0, one, state, None) is state.updater
    waiting.begin(0)
    assert waiting.observed(0, one, state, quiet()) is state.updater


def test_bins_are_full_once_and_again():
    waiting = Bins(SESSIONS)
    for _ in range(2):
        for _ in range(MOST):
            assert not waiting.full
            waiting.add(None)
        assert waiting.full
        waiting.drop()
