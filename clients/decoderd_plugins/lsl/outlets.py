"""LSL outlets of a session: each is declared from the table of streams and takes samples with their times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pylsl

from decoderd.wire.message import Message
from decoderd_plugins.lsl.streams import Stream, available, source_id


class Outlets:
    """Outlets of the chosen streams, which other programs see as soon as this exists.

    `chosen`: {stream as in the table: its name on LSL}. `sent` counts the samples of each stream.
    """

    def __init__(self, description: Mapping[str, Any], chosen: Mapping[str, str]) -> None:
        table = available(description)
        self._by_topic: dict[str, list[tuple[str, Stream, Any]]] = {}
        self.sent = dict.fromkeys(chosen, 0)
        for stream, name in chosen.items():
            outlet = pylsl.StreamOutlet(declaration(description, stream, name))
            for topic in table[stream].topics:
                self._by_topic.setdefault(topic, []).append((stream, table[stream], outlet))
        self._outlets = {stream: outlet for of in self._by_topic.values() for stream, _, outlet in of}

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics whose messages become samples."""
        return tuple(self._by_topic)

    @property
    def received(self) -> bool:
        """Whether a program receives any of the streams now."""
        return any(outlet.have_consumers() for outlet in self._outlets.values())

    def send(self, time_s: float, message: Message) -> None:
        """Send a message of one of `topics` as a sample of every stream that is made from it."""
        for name, stream, outlet in self._by_topic[message.topic]:
            sample = stream.sample(message)
            if sample is None:
                continue
            if isinstance(sample, np.ndarray):  # without a Python object for each unit
                outlet.push_chunk(sample[np.newaxis], time_s)
            else:
                outlet.push_sample(sample, time_s)
            self.sent[name] += 1


def declaration(description: Mapping[str, Any], stream: str, name: str) -> Any:
    """The pylsl.StreamInfo of a stream: rate, format, channels with units, maker, and the session's own figures."""
    session, table = description["session"], available(description)
    one = table[stream]
    info = pylsl.StreamInfo(name, one.content, len(one.channels), one.rate_hz, one.format, source_id(session, stream))
    root = info.desc()
    maker = root.append_child("acquisition")
    maker.append_child_value("manufacturer", "decoderd")
    maker.append_child_value("model", f"decoderd {description['decoderd']}")
    about = root.append_child("decoderd")
    for field in ("session", "seed", "speed", "tick_s", "bin_ticks", "units"):
        about.append_child_value(field, str(description[field]))
    about.append_child_value("stream", stream)
    channels = root.append_child("channels")
    for label, unit in one.channels:
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("type", one.content if one.format == "string" else label.rstrip("0123456789"))
        channel.append_child_value("unit", unit)
    return info
