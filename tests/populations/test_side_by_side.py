"""Ticks of many sessions: the same whether sessions are the batch or stand in front of one."""

from __future__ import annotations

import numpy as np

from decoderd.populations import COUNTS
from decoderd.populations.side_by_side import in_batch, in_front
from decoderd.rng import Draws, Spec, open_streams
from decoderd.state import HOLD, REACH

SESSIONS, UNITS = 3, 4
GOAL = np.array([[0.1, 0.2], [np.nan, np.nan], [0.3, 0.4]])
PHASE = np.array([REACH, REACH, HOLD])
SEEN = np.arange(12.0).reshape(3, 4)


def rates(plan, weights, state, cue, seen, time, draws):
    """A network whose rates show all that it was given; a session without a goal has none."""
    goal = np.nan_to_num(cue.goal.sum(axis=-1, keepdims=True))
    hold = np.asarray(cue.phase == HOLD)[..., np.newaxis]
    found = goal + 10 * hold + 100 * time.bin_tick + seen[..., :1] + draws.row("noise")
    own = weights if found.ndim == 2 else weights[:, np.newaxis]
    return (state[0] + 1,), found * own, np.zeros((*found.shape[:-1], 2))


def spikes(plan, weights, state, rates, draws):
    return (state[0] * 2,), {COUNTS: rates + draws.row("noise")}


def tick(many):
    streams = open_streams((1, 2, 3), "test", {"noise": Spec("uniform", UNITS)})
    weights, states = np.arange(1.0, 4.0)[:, np.newaxis], (np.arange(3.0)[:, np.newaxis],)
    state = (np.concatenate([many.state((states[0][s : s + 1],))[0] for s in range(SESSIONS)]),)
    state, found = many.rates(None, weights, state, GOAL, PHASE, SEEN, 2, Draws(streams, 1, 5))
    state, counts = many.spikes(None, weights, state, found, Draws(streams, 1, 5))
    own = [many.from_arrays((state[0][s : s + 1],))[0] for s in range(SESSIONS)]
    return found, counts[COUNTS], np.concatenate(own)


def test_sessions_in_the_batch_and_in_front_of_it_are_the_same():
    for one, other in zip(tick(in_batch(rates, spikes)), tick(in_front(rates, spikes)), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


def test_each_session_has_its_own_goal_phase_cursor_and_numbers():
    noise = [
        open_streams((seed,), "test", {"noise": Spec("uniform", UNITS)})["noise"].row(1, 5)[0] for seed in (1, 2, 3)
    ]
    found, counts, states = tick(in_front(rates, spikes))
    for s, (goal, hold) in enumerate(((0.3, 0), (0.0, 0), (0.7, 10))):
        np.testing.assert_allclose(found[s], (goal + hold + 200 + SEEN[s, 0] + noise[s]) * (s + 1))
        np.testing.assert_allclose(counts[s], found[s] + noise[s])
    assert states.tolist() == [[2.0], [4.0], [6.0]]
