"""Messages that the plug-ins use, and messages of recorded payloads."""

from __future__ import annotations

from typing import Any

from decoderd.wire import topics
from decoderd.wire.message import Message
from decoderd.wire.messages import Counts, Day, Decoder, Tick, Trial

__all__ = ["Counts", "Day", "Decoder", "Message", "Tick", "Trial", "typed"]


def typed(topic: str, payload: dict[str, Any]) -> Message:
    """The message of a recorded payload. Raises ValueError for a payload that lacks a key."""
    return topics.MODELS[topic].read(payload)
