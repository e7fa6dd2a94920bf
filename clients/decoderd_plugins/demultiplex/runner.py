"""Takes apart the two signals of a live session, from its beginning, or of a recorded one."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from decoderd import extras
from decoderd.errors import DecoderdError
from decoderd.files import make_writable
from decoderd.protocol import protocol as protocols
from decoderd.recording import session_file
from decoderd.recording.reader import RecordedSession, open_session
from decoderd.wire import topics
from decoderd.wire.messages import AnyMessage
from decoderd_client.control import Session
from decoderd_client.plugins import Unable
from decoderd_client.requests import ControlError, NoAnswer
from decoderd_plugins.demultiplex import Config, output
from decoderd_plugins.demultiplex.measures import Window
from decoderd_plugins.demultiplex.plan import Arrays, make_plan
from decoderd_plugins.demultiplex.series import Series
from decoderd_plugins.demultiplex.trials import TOPICS

SOURCE = "demultiplex"

OnProgress = Callable[[str], None]


@contextmanager
def _errors_as_unable() -> Iterator[None]:
    try:
        with threadpool_limits(limits=1):  # the session keeps its core
            yield
    except (DecoderdError, OSError) as error:
        raise Unable(str(error)) from None


def run_live(session: Session, config: Config, on_progress: OnProgress) -> None:
    """Measure a running session from its beginning, and give the measures of each window back to it as metrics."""
    with _errors_as_unable():
        description = session.describe()
        series = Series(make_plan(description, _decoder_arrays(session), config), on_progress)
        make_writable(config.out)
        name = description["session"]
        with session.subscribe(TOPICS, from_start=True) as messages:
            for message in messages:
                for window in series.receive(message):
                    output.write(config.out, name, series)
                    _report(session, window, config.publish and not messages.over, on_progress)
        for window in series.conclude():
            _report(session, window, False, on_progress)
        _finish(series, name, on_progress)


def _decoder_arrays(session: Session) -> Arrays:
    reply = session.get_decoder()
    packed = {name: reply.array(field) for name, field in reply["arrays"].items()}
    return {name: np.frombuffer(data, dtype="<f8").reshape(shape) for name, (shape, data) in packed.items()}


def _report(session: Session, window: Window, publish: bool, on_progress: OnProgress) -> None:
    on_progress(output.summary(window))
    if not publish:
        return
    try:
        session.metrics(SOURCE, output.flat(window), window.day)
    except (ControlError, NoAnswer) as error:
        on_progress(f"trials {window.first} to {window.last}: not published: {error}")


def run_recorded(directory: Path, config: Config, on_progress: OnProgress) -> None:
    """Measure a recorded session. Raises Unable for a folder without a session, and for too few events."""
    with _errors_as_unable(), open_session(directory) as recorded:
        description, arrays = _description(recorded)
        series = Series(make_plan(description, arrays, config), on_progress)
        make_writable(config.out)
        each = [_messages(recorded, topic) for topic in TOPICS]
        for message in heapq.merge(*each, key=lambda message: message.tick):
            for window in series.receive(message):
                on_progress(output.summary(window))
        for window in series.conclude():
            on_progress(output.summary(window))
        _finish(series, recorded.name, on_progress)


def _messages(recorded: RecordedSession, topic: str) -> Iterator[AnyMessage]:
    """Messages of a topic, read one by one: those of all ticks at once may be more than the memory."""
    for payload in recorded.payloads(topic):
        yield topics.read(topic, payload)


def _description(recorded: RecordedSession) -> tuple[dict[str, Any], Arrays]:
    """What `describe` and `get_decoder` replied before the session's first tick, as far as it is needed."""
    session, state = session_file.restore(recorded.store, newest=False)
    arrays = session.decoder.arrays(state.parameters.decoder)
    description = {
        "tick_s": session.timing.tick_s,
        "units": session.units,
        "channels": list(session.population.channels),
        "readouts": recorded.readouts,
        "decoder": {"kind": session.protocol.decoder.kind},
        "protocol": protocols.dump(session.protocol),
    }
    return description, arrays


def _finish(series: Series, session: str, on_progress: OnProgress) -> None:
    """Write the files and draw the figure. Raises Unable, with no file, where no bin has events enough."""
    series.check_events()
    folder = series.plan.config.out
    output.write(folder, session, series)
    if series.left_out:
        on_progress(f"{series.left_out} trials were left out: they were too long, or had begun in one that was")
    if find_spec("matplotlib") is None:
        on_progress(f"no figure: matplotlib is not installed ({extras.install('plot')})")
    else:
        from decoderd_plugins.demultiplex import figure

        figure.draw(folder / output.FIGURE, session, series.windows)
    on_progress(f"{len(series.windows)} windows of trials measured, in {folder}")
