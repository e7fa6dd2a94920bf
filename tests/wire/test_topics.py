"""The table of topics, and the lists that are made from it."""

from __future__ import annotations

from typing import get_args

from decoderd.wire import codec, messages, topics
from decoderd.wire.message import Message
from tests.protocols import begun, lasting


def test_every_message_has_its_topic():
    models = {one for one in vars(messages).values() if isinstance(one, type) and issubclass(one, Message)}
    assert models - {Message} == {topic.model for topic in topics.TABLE} == set(get_args(messages.AnyMessage))
    assert len(set(topics.NAMES)) == len(topics.TABLE)
    assert all(topic.name == topic.model.__name__.lower() for topic in topics.TABLE)


def test_lists_of_topics_are_those_of_the_table():
    assert set(topics.COMPUTED) | set(topics.OBSERVED) == set(topics.NAMES)
    assert not set(topics.COMPUTED) & set(topics.OBSERVED)
    assert set(topics.NUMBERED) == set(topics.COMPUTED) - {"tick"}  # a tick is numbered by itself
    assert set(topics.OBSERVED) == {"health", "session"}
    assert get_args(topics.TopicName) == topics.NAMES
    assert (codec.TOPICS, codec.OBSERVED) == (topics.COMPUTED, topics.OBSERVED)
    assert {name: codec.topic(name) for name in topics.NAMES} == codec.FRAMES


def test_the_numbers_of_a_state_are_in_the_order_of_the_table():
    """A checkpoint holds them in that order."""
    _, state = begun(lasting(1.0))
    assert tuple(state.sequences) == topics.NUMBERED


def test_a_payload_is_read_by_its_topic():
    message = topics.read(
        "day", {"s": "a", "q": 0, "k": 9, "d": 1, "b": 2, "x": "end", "w": "last", "n": 4, "u": 3}, 2, 5
    )
    assert isinstance(message, messages.Day)
    assert (message.event, message.block_name, message.successes) == ("end", "last", 3)
    assert (message.incarnation, message.sent_ns) == (2, 5)
