"""Payloads of a session as messages with whole names, from the live stream or from a recording."""

from __future__ import annotations

from typing import Any

from decoderd.wire import topics
from decoderd.wire.message import Message
from decoderd.wire.messages import Counts, Day, Decoder, Tick, Trial

__all__ = ["Counts", "Day", "Decoder", "Message", "Tick", "Trial", "typed"]


def typed(topic: str, payload: dict[str, Any]) -> Message:
    """The message of a payload. Raises ValueError for a payload that lacks a key."""
    return topics.MODELS[topic].read(payload)
