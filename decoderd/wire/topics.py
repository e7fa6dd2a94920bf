"""The table of topics: their names, messages and numbering. All lists of topics come from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from decoderd.wire import messages
from decoderd.wire.message import Message, Payload
from decoderd.wire.messages import AnyMessage


class Topic(NamedTuple):
    """A topic and its properties.

    `computed`: the session computes its messages, so they are the same in every run and a replay compares them. The
    others are observed of one run and are different in another.
    `numbered`: its next sequence number is kept in the session's state. A tick is numbered by the tick itself; what is
    observed is numbered by the recorder.
    """

    model: type[Message]
    computed: bool = True
    numbered: bool = True

    @property
    def name(self) -> str:
        """The name, as in the topic frame: `tick` of `decoderd.2.tick`."""
        return self.model.topic


TABLE: tuple[Topic, ...] = (
    Topic(messages.Tick, numbered=False),
    Topic(messages.Counts),
    Topic(messages.Task),
    Topic(messages.Trial),
    Topic(messages.Plasticity),
    Topic(messages.Decoder),
    Topic(messages.Perturbation),
    Topic(messages.Metrics),
    Topic(messages.Day),
    Topic(messages.Health, computed=False, numbered=False),
    Topic(messages.Session, computed=False, numbered=False),
)

NAMES: tuple[str, ...] = tuple(topic.name for topic in TABLE)
COMPUTED: tuple[str, ...] = tuple(topic.name for topic in TABLE if topic.computed)
OBSERVED: tuple[str, ...] = tuple(topic.name for topic in TABLE if not topic.computed)
NUMBERED: tuple[str, ...] = tuple(topic.name for topic in TABLE if topic.numbered)
MODELS: dict[str, type[Message]] = {topic.name: topic.model for topic in TABLE}


def read(topic: str, payload: Payload, incarnation: int | None = None, sent_ns: int | None = None) -> AnyMessage:
    """The message of a payload of `topic`, with whole names (`Message.read`). Raises ValueError if a key is missing."""
    return cast(AnyMessage, MODELS[topic].read(payload, incarnation, sent_ns))


# The name of a topic in a request or a reply.
if TYPE_CHECKING:
    TopicName = str
else:
    TopicName = Literal[NAMES]
