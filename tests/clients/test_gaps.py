"""Gaps in sequence numbers: whatever is lost, doubled or late, each message once and in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoderd.wire import topics as wire_topics
from decoderd_client.gaps import Gap, SequenceNumbers


def deliver(sequence, topic, number, incarnation, out):
    """As a subscriber does: fetch what is missing, then ask again."""
    verdict = sequence.arrived(topic, number, incarnation)
    if isinstance(verdict, Gap):
        for missing in range(verdict.first, verdict.first + verdict.missing):
            sequence.following[topic] = missing + 1
            out.append((topic, missing))
        verdict = sequence.arrived(topic, number, incarnation)
    if verdict is True:
        out.append((topic, number))


topics = st.sampled_from(["tick", "trial", "counts"])


@given(st.lists(st.tuples(topics, st.integers(0, 40)), max_size=120), st.integers(0, 10))
def test_any_loss_and_any_repetition_end_complete_and_in_order(arrivals, first):
    sequence, out = SequenceNumbers(dict.fromkeys(["tick", "trial", "counts"], first)), []
    for topic, number in arrivals:
        deliver(sequence, topic, number, 1, out)
    published = {}
    for topic, number in arrivals:
        published[topic] = max(published.get(topic, 0), number + 1)
    assert sequence.behind(published) == []
    for topic, end in published.items():
        assert [number for name, number in out if name == topic] == list(range(first, end))


@given(st.integers(1, 50), st.integers(0, 49), st.integers(1, 30))
def test_what_a_resumed_session_publishes_again_is_not_delivered_again(received, back, more):
    sequence, out = SequenceNumbers({"tick": 0}), []
    for number in range(received):
        deliver(sequence, "tick", number, 1, out)
    for number in range(max(0, received - back), received + more):
        deliver(sequence, "tick", number, 2, out)
    assert out == [("tick", number) for number in range(received + more)]


@pytest.mark.parametrize("topic", wire_topics.OBSERVED)
def test_numbers_of_what_was_observed_and_lost_are_given_anew(topic):
    sequence = SequenceNumbers({topic: 5})
    assert sequence.arrived(topic, 5, 1) is True
    assert sequence.arrived(topic, 5, 1) is False
    assert sequence.arrived(topic, 4, 2) is True  # 4 and 5 were lost with the crash
    assert sequence.arrived(topic, 4, 2) is False


def test_the_tail_is_missed_by_what_was_published():
    sequence = SequenceNumbers({"tick": 3, "trial": 1})
    assert sequence.behind({"tick": 5, "trial": 1, "counts": 9}) == [Gap("tick", 3, 2)]
