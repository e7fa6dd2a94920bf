"""The bridge: follows a session's stream, puts it on LSL with the session's own times, and takes in other streams."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pylsl

from decoderd.wire.messages import AnyMessage
from decoderd_client.control import Session
from decoderd_client.plugins import Unable
from decoderd_plugins.lsl import Config
from decoderd_plugins.lsl.clock import Timestamps
from decoderd_plugins.lsl.inlets import Intake
from decoderd_plugins.lsl.outlets import Outlets
from decoderd_plugins.lsl.streams import available, full_name, ticks_per_s

OnProgress = Callable[[str], None]

QUIET_S = 1.0  # without a message for so long, none is expected soon
LINGER_S = 1.0  # for which receivers get the last samples: what is not sent when an outlet is closed is lost
OLDEST_S = 60.0  # that the first message's stamp may be
NOTICE = (
    "LSL listens on all network interfaces of this machine, whatever its configuration: any program that reaches it "
    "can read these streams"
)


def run(session: Session, config: Config, on_progress: OnProgress) -> None:
    """Bridge a running session until it ends or the user interrupts.

    Raises Unable for streams that the session does not have or cannot take, with nothing put out and nothing sent.
    """
    description = session.describe()
    names = chosen(config, description)
    given = (session, description, config.input_scale, config.wait_s, on_progress)
    intakes = [Intake(name, *given) for name in config.input]
    outlets = Outlets(description, names)
    on_progress(NOTICE)
    for stream, name in names.items():
        on_progress(f"{name}: {summary(description, stream)}")
    with ExitStack() as stack:
        for intake in intakes:
            intake.start()
            stack.callback(intake.close)
        stack.callback(_report, outlets, names, intakes, on_progress)
        try:
            follow(session, description, outlets, intakes)
            _linger(outlets)
        except KeyboardInterrupt:
            on_progress("interrupted")


def chosen(config: Config, description: Mapping[str, Any]) -> dict[str, str]:
    """{stream: its name on LSL}, in the order asked for. Raises Unable for a stream that the session does not have."""
    there = available(description)
    streams = dict.fromkeys((*config.streams, *config.map))
    for stream in streams:
        if stream not in there:
            raise Unable(f"no stream {stream!r}; this session has: {', '.join(there)}")
    return {stream: config.map.get(stream, full_name(description["session"], stream)) for stream in streams}


def summary(description: Mapping[str, Any], stream: str) -> str:
    """One line of text about a stream."""
    one = available(description)[stream]
    rate = f"{one.rate_hz:g} Hz" if one.rate_hz else "no regular rate"
    return f"{one.content}, {len(one.channels)} channels of {one.format}, {rate}"


def follow(session: Session, description: Mapping[str, Any], outlets: Outlets, intakes: Sequence[Intake]) -> None:
    """Send every message once until the session ends. Raises Unable if a stream that comes in has failed."""
    pace_s = 1 / (ticks_per_s(description) or 1 / description["tick_s"])
    timestamps = {topic: Timestamps(pace_s) for topic in outlets.topics}
    checked = False
    with session.subscribe(outlets.topics) as messages:
        while True:
            message = messages.next(timeout_s=QUIET_S)
            for intake in intakes:
                if intake.failure is not None:
                    raise intake.failure
            if message is None:
                for times in timestamps.values():
                    for time_s, one in times.quiet(pylsl.local_clock()):
                        outlets.send(time_s, one)
                if messages.over:
                    return
                continue
            if not checked and message.sent_ns is not None:
                check_clock(message, pylsl.local_clock())
                checked = True
            for time_s, one in timestamps[message.topic].receive(message):
                outlets.send(time_s, one)


def check_clock(message: AnyMessage, now_s: float) -> None:
    """Raise Unable if a message's stamp, which has just arrived, is not of this machine's monotonic clock."""
    age_s = now_s - (message.sent_ns or 0) / 1e9
    if not -0.001 < age_s < OLDEST_S:
        raise Unable(
            f"the session's clock is not that of this machine (they differ by {age_s:.3g} s): run the bridge on the "
            "session's machine; LSL carries its streams to others"
        )


def _linger(outlets: Outlets) -> None:
    if outlets.received:
        time.sleep(LINGER_S)


def _report(
    outlets: Outlets,
    names: Mapping[str, str],
    intakes: Sequence[Intake],
    on_progress: OnProgress,
) -> None:
    for stream, name in names.items():
        on_progress(f"{name}: {outlets.sent[stream]} samples sent")
    for intake in intakes:
        on_progress(f"{intake.name}: {intake.consumed} samples consumed by the session")
