"""Trials put together from messages, and bursts in the tick of their first spike."""

from __future__ import annotations

import random

import numpy as np
import pytest

from decoderd.analysis.bursts import feedback_error
from decoderd_plugins.demultiplex import trials
from decoderd_plugins.demultiplex.trials import Layout, TrialAssembler
from tests.clients.plugins import building

LAYOUT = Layout(tick_s=0.01, bin_ticks=5, threshold_s=0.016, follow=0.1, delay_ticks=3, units=2)


def stream(ticks=60, ends=(29, 59), bin_ticks=10):
    """Messages of a session of `ticks`, whose trials end with the ticks `ends`; and its arrays."""
    draw = np.random.default_rng(0)
    counts = {channel: draw.integers(0, 2, (ticks, 2)) for channel in trials.CHANNELS}
    velocities = draw.normal(0, 0.1, (ticks, 4))
    messages = [
        building.tick(t, 1, 1, cursor=(0.0, 0.0, *velocities[t, 2:]), intended=tuple(velocities[t, :2]))
        for t in range(ticks)
    ]
    for last in range(bin_ticks - 1, ticks, bin_ticks):
        for channel, array in {"counts": counts["events"], **counts}.items():
            messages.append(building.counts(last, array[last + 1 - bin_ticks : last + 1], channel))
    start = 0
    for number, end in enumerate(ends, start=1):
        messages.append(building.trial(number, end, start))
        start = end + 1
    return messages, counts, velocities


def order_of_topics(messages, seed):
    """The messages shuffled, those of one topic in their order."""
    by_topic = {}
    for message in messages:
        by_topic.setdefault(message.topic, []).append(message)
    topics = [message.topic for message in messages]
    random.Random(seed).shuffle(topics)
    return [by_topic[topic].pop(0) for topic in topics]


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_bins_hold_what_was_sent_in_whatever_order_topics_arrive(seed):
    messages, counts, velocities = stream(ends=(26, 59))  # the first trial ends within a bin of the decoder
    assembler = TrialAssembler(LAYOUT)
    given = messages if seed is None else order_of_topics(messages, seed)
    found = [trial for message in given for trial in assembler.receive(message)]
    assert [(trial.number, trial.start_tick, len(trial.seen)) for trial in found] == [(1, 0, 5), (2, 27, 6)]
    error, _ = feedback_error.seen(velocities[:, :2], velocities[:, 2:], 0.1, feedback_error.at_rest(3))
    for trial in found:
        for k in range(len(trial.seen)):
            own = slice(trial.start_tick + 5 * k, trial.start_tick + 5 * k + 5)
            assert trial.sums.events[k].tolist() == counts["events"][own].sum(axis=0).tolist()
            assert trial.sums.at_risk_s[k].tolist() == counts["time_at_risk"][own].sum(axis=0).tolist()
            np.testing.assert_allclose(trial.seen[k], error[own].mean(axis=0))
        np.testing.assert_allclose(trial.sums.observed_s, 0.05)


def test_a_burst_is_counted_with_its_event():
    events, bursts = np.zeros((8, 2), int), np.zeros((8, 2), int)
    events[1, 0] = events[4, 0] = events[6, 1] = 1
    bursts[0, 1] = 1  # its event was in the trial before
    bursts[2, 0] = bursts[4, 0] = bursts[7, 1] = 1
    moved = trials.by_first_spike(events, bursts)
    assert np.argwhere(moved).tolist() == [[1, 0], [4, 0], [6, 1]]


def test_a_trial_that_is_too_long_is_left_out_and_its_memory_is_free(monkeypatch):
    monkeypatch.setattr(trials, "LONGEST_S", 0.25)
    messages, _, _ = stream(ends=(39, 49, 59))
    assembler = TrialAssembler(LAYOUT)
    found = [trial for message in order_of_topics(messages, 3) for trial in assembler.receive(message)]
    late = [message for message in messages if message.topic == "trial"]
    assert assembler.left_out + len(found) == len(late)
    messages.sort(key=lambda message: message.tick)
    assembler = TrialAssembler(LAYOUT)
    found = [trial for message in messages for trial in assembler.receive(message)]
    assert ([trial.number for trial in found], assembler.left_out) == ([2, 3], 1)


def test_a_new_day_begins_without_error():
    messages, _, velocities = stream(ends=(29,))
    messages.append(building.trial(2, 59, 30, day=2))
    assembler = TrialAssembler(LAYOUT)
    _, second = [trial for message in messages for trial in assembler.receive(message)]
    error, _ = feedback_error.seen(velocities[30:, :2], velocities[30:, 2:], 0.1, feedback_error.at_rest(3))
    np.testing.assert_allclose(second.seen[0], error[:5].mean(axis=0))
