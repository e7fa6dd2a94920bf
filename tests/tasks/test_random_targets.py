"""Random targets: uniform in their square, sought from wherever the cursor is."""

import numpy as np
from scipy import stats

from decoderd.rng import open_streams
from decoderd.state import TimeIndex, Timing
from decoderd.tasks.random_targets import RANDOM_TARGETS, Config
from decoderd.tasks.trial import HOLD, REACH, REST

TIMING = Timing(0.01, 5)


def goals(config, ticks, day=1):
    """(targets, phases) of a cursor that jumps to every goal."""
    plan = RANDOM_TARGETS.plan(config, TIMING)
    streams = open_streams((1,), "task", RANDOM_TARGETS.streams(config))
    state = RANDOM_TARGETS.init(plan, TimeIndex(0, day, 0, 0), 0)
    xy, found, phases = (1.0, 1.0), [], set()
    for tick in range(ticks):
        state, cue = RANDOM_TARGETS.step(plan, state, xy, TimeIndex(tick, day, tick, 0), streams)
        phases.add(cue.phase)
        assert cue.target == -1
        if any(event.phase == REACH for event in cue.events):
            found.append(cue.goal[0])
        if cue.goal is not None:
            xy = tuple(cue.goal[0].tolist())
    return np.array(found), phases


def test_targets_fill_the_square_evenly():
    quick = Config(half_width_m=0.05, inter_trial_s=0.01, target_hold_s=0)
    found, phases = goals(quick, 4000)
    assert len(found) >= 1500
    assert phases == {REST, REACH}  # a hold of no length is over in the tick in which it begins
    for axis in range(2):
        assert stats.kstest(found[:, axis], stats.uniform(-0.05, 0.1).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.1


def test_trials_begin_with_the_reach():
    assert goals(Config(), 1000)[1] == {REST, REACH, HOLD}


def test_places_depend_on_the_day():
    np.testing.assert_array_equal(goals(Config(), 500)[0], goals(Config(), 500)[0])
    assert not np.array_equal(goals(Config(), 500)[0], goals(Config(), 500, day=2)[0])
