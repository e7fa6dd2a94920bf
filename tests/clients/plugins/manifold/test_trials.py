"""Trials and their bins from messages, in whatever order topics arrive."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd_plugins.manifold.trials import CENTRE, REACH, TrialAssembler, outward_bins, pooled
from tests.clients.plugins import building

TICK_S, BIN = 0.01, 3
# Phases of the ticks of one trial after another: rest, centre, centre hold, reach, hold.
TRIALS = ([0] * 2 + [1] * 5 + [2] * 3 + [3] * 8 + [4] * 2, [0] * 3 + [3] * 10, [0] * 4 + [1] * 6)


def session():
    """(counts, ticks' phases, messages in order): the cursor moves by (1, 2) mm a tick."""
    phases = [phase for trial in TRIALS for phase in trial]
    counts = np.random.default_rng(1).integers(0, 9, (len(phases), 4)).astype("<u2")
    messages, begin = [], 0
    for number, trial in enumerate(TRIALS, 1):
        for offset, phase in enumerate(trial):
            tick = begin + offset
            goal = {0: None, 1: (0.0, 0.0), 2: (0.0, 0.0)}.get(phase, (0.05, 0.1 * number))
            place = (0.001 * (tick + 1), 0.002 * (tick + 1), 0.1, 0.2)
            messages.append(building.tick(tick, number, phase, goal, place, (0.0, tick), (tick, 0)))
            if (tick + 1) % BIN == 0:
                part = counts[tick + 1 - BIN : tick + 1]
                messages.append(building.counts(tick, part))
        go = begin + trial.index(REACH) if REACH in trial else -1
        begin += len(trial)
        outcome = "success" if go >= 0 else "centre_timeout"
        messages.append(building.trial(number, begin - 1, begin - len(trial), go, target=number, outcome=outcome))
    return counts, phases, messages


def assembled(messages, readouts=None):
    assembler = TrialAssembler(TICK_S, BIN, 4, readouts)
    return [trial for message in messages for trial in assembler.receive(message)]


@pytest.mark.parametrize("late", [None, "tick", "counts", "trial"])
def test_trials_are_whole_in_any_order_of_topics(late):
    counts, phases, messages = session()
    if late is not None:  # as when a topic's messages have to be fetched
        messages = [m for m in messages if m.topic != late] + [m for m in messages if m.topic == late]
    found = assembled(messages)
    assert [trial.number for trial in found] == [1, 2, 3]
    bounds = np.cumsum([0, *map(len, TRIALS)])
    for trial, low, high in zip(found, bounds, bounds[1:], strict=False):
        begins = [
            tick
            for tick in range(0, len(phases) - BIN + 1, BIN)
            if low <= tick and tick + BIN <= high and set(phases[tick : tick + BIN]) in ({CENTRE}, {REACH})
        ]
        expected = np.array([counts[tick : tick + BIN].sum(axis=0) for tick in begins])
        np.testing.assert_array_equal(trial.bins.counts, expected)
        np.testing.assert_array_equal(trial.bins.outward, [phases[tick] == REACH for tick in begins])
        before = np.outer(begins, (0.001, 0.002))
        goals = [(0.05, 0.1 * trial.number) if phases[tick] == REACH else (0, 0) for tick in begins]
        np.testing.assert_allclose(trial.bins.to_goal, goals - before, atol=1e-12)
        np.testing.assert_allclose(trial.bins.decoded[:, 1], np.array(begins) + BIN - 1)
        np.testing.assert_allclose(trial.bins.intended[:, 0], np.array(begins) + 1)
    assert [trial.ticks for trial in found] == [9, 9, 9]  # from the go cue, or the beginning, to the end
    assert sum(len(trial.bins.counts) for trial in found) > 5


def test_trials_that_began_before_the_first_tick_are_left_out():
    _, _, messages = session()
    at = next(i for i, message in enumerate(messages) if message.topic == "tick" and message.tick == 4)
    late = assembled(messages[at:])
    assert [trial.number for trial in late] == [2, 3]
    for one, whole in zip(late, assembled(messages)[1:], strict=True):
        np.testing.assert_array_equal(one.bins.counts, whole.bins.counts)


def test_a_short_bin_at_the_end_of_a_day():
    _, _, messages = session()
    found = assembled([*messages, building.counts(43, np.zeros((1, 4)))])
    assert [trial.number for trial in found] == [1, 2, 3]


def test_only_readouts_are_kept():
    _, _, messages = session()
    whole, some = assembled(messages), assembled(messages, [2, 0])
    np.testing.assert_array_equal(some[0].bins.counts, whole[0].bins.counts[:, [2, 0]])


def test_only_the_chosen_channel_is_kept():
    _, _, messages = session()
    others = [building.counts(m.tick, np.ones((BIN, 4)), "events") for m in messages if m.topic == "counts"]
    mixed = sorted([*messages, *others], key=lambda message: message.tick)
    for one, whole in zip(assembled(mixed), assembled(messages), strict=True):
        np.testing.assert_array_equal(one.bins.counts, whole.bins.counts)


def test_targets_are_numbered_and_the_centre_is_minus_one():
    _, _, messages = session()
    bins = pooled(assembled(messages))
    assert set(bins.target.tolist()) == {-1, 1, 2}
    np.testing.assert_allclose(np.linalg.norm(bins.towards, axis=1), 1)
    found = outward_bins(bins, np.array([1, 2]), 0.03)
    assert len(found.counts) == (bins.target > 0).sum()
    assert set(found.target.tolist()) == {0, 1}


def test_without_target_numbers_the_sector_of_direction_is_the_target():
    trials = [trial._replace(target=-1) for trial in assembled(session()[2])]
    bins = pooled(trials)
    outward = bins.target >= 0
    turn = np.degrees(np.arctan2(bins.towards[outward, 1], bins.towards[outward, 0]))
    assert (np.abs(turn - 45 * bins.target[outward]) % 360 <= 22.5).all()
