"""Centre-out: where the targets are, and in which order they come."""

import numpy as np
import pytest

from decoderd.rng import Spec, open_streams
from decoderd.state import TimeIndex, Timing
from decoderd.tasks.centre_out import CENTRE_OUT, Config
from decoderd.tasks.trial import CENTRE, REACH, REST

TIMING = Timing(0.01, 5)


def cues(config, ticks, path=None, day=1, trials=0, seed=1):
    """The cues of a cursor that jumps to every goal, or follows `path`."""
    plan = CENTRE_OUT.plan(config, TIMING)
    streams = open_streams((seed,), "task", CENTRE_OUT.streams(config))
    state = CENTRE_OUT.init(plan, TimeIndex(0, day, 0, 0), trials)
    xy, out = (0.0, 0.0), []
    for tick in range(ticks):
        state, cue = CENTRE_OUT.step(plan, state, xy, TimeIndex(tick, day, tick, 0), streams)
        out.append(cue)
        if cue.goal is not None:
            xy = tuple(cue.goal[0].tolist())
        if path is not None:
            xy = path
    return out


def reached(found):
    return [(cue.target, cue.goal[0]) for cue in found if any(event.phase == REACH for event in cue.events)]


def test_target_k_lies_at_angle_2_pi_k_over_targets():
    places = dict(reached(cues(Config(targets=4, distance_m=0.05), 1500)))
    for k, place in {0: (0.05, 0), 1: (0, 0.05), 2: (-0.05, 0), 3: (0, -0.05)}.items():
        np.testing.assert_allclose(places[k], place, atol=1e-15)
    for k, place in reached(cues(Config(), 3000)):
        assert np.hypot(*place) == pytest.approx(0.07)
        assert np.arctan2(place[1], place[0]) % (2 * np.pi) == pytest.approx(np.pi / 4 * k)


def test_every_block_holds_every_target_once():
    order = [k for k, _ in reached(cues(Config(targets=5), 4000))]
    assert len(order) >= 20
    for block in range(len(order) // 5):
        assert sorted(order[5 * block : 5 * block + 5]) == list(range(5))


def test_the_order_depends_on_seed_and_day():
    def order(**which):
        return [k for k, _ in reached(cues(Config(), 3000, **which))]

    assert order() == order() == order(trials=40)
    assert order() != order(day=2)
    assert order() != order(seed=2)


def test_the_target_is_known_from_the_beginning_of_the_trial():
    for before, cue in zip((found := cues(Config(), 2000)), found[1:], strict=False):
        if cue.phase not in (REST, CENTRE):
            assert cue.target == before.target


def test_the_whole_cursor_has_to_be_inside_the_radius():
    plan = CENTRE_OUT.plan(Config(radius_m=0.02, centre_radius_m=0.015, cursor_radius_m=0.005), TIMING)
    assert plan.radii == pytest.approx((0.01, 0.015))


def test_recentring_puts_the_cursor_at_the_centre_when_a_trial_begins():
    found = cues(Config(recentre=True, inter_trial_s=0.1), 400)
    asked = [cue.trial for cue in found if cue.start is not None]
    assert asked == list(range(1, found[-1].trial + 1))
    assert all(cue.phase == CENTRE and not cue.start.any() for cue in found if cue.start is not None)
    assert all(cue.start is None for cue in cues(Config(), 400))


def test_a_row_of_the_stream_has_a_number_for_each_target():
    assert CENTRE_OUT.streams(Config(targets=3)) == {"order": Spec("uniform", 3)}
