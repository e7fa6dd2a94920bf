"""The course beside a running session: in lockstep, or as fast as messages come; and over a session's file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from decoderd.errors import DecoderdError
from decoderd.protocol import protocol as protocols
from decoderd.recording import session_file
from decoderd.recording.reader import RecordedSession, open_session
from decoderd_client.control import Session
from decoderd_client.participant import Participant
from decoderd_client.plugins import Unable
from decoderd_client.requests import ControlError, NoAnswer
from decoderd_plugins.manifold import Config, reporting
from decoderd_plugins.manifold.course import Course
from decoderd_plugins.manifold.gathering import TOPICS
from decoderd_plugins.manifold.intuitive import Arrays

Tell = Callable[[str], None]


@contextmanager
def _plainly() -> Iterator[None]:
    try:
        with threadpool_limits(limits=1):  # sums then have one order, and the session keeps its core
            yield
    except (DecoderdError, OSError) as error:
        raise Unable(str(error)) from None


def live(session: Session, config: Config, tell: Tell) -> None:
    """Run the experiment beside a running session, as a participant where the session declares one of that name."""
    # It takes a second to import, in which a session at speed would run on.
    import_module("sklearn.decomposition")
    with _plainly():
        described = session.describe()
        mine = described["participants"].get(config.participant)
        if mine is not None and mine["unit"] == "day":
            raise Unable(f"{config.participant} grants days: declare it with --participant {config.participant}=trial")
        course = Course(described, _decoder(session), config, tell)
        reporting.prepare(config.out)
        over = True
        try:
            if mine is None:
                over = _follow(session, course, tell)
            else:
                over = _take_part(session, course, config.participant, described["tick"])
        finally:
            _conclude(course, described["session"], tell)
        if not over:
            _publish(session, course.due(), tell)


def _decoder(session: Session) -> Arrays:
    reply = session.get_decoder()
    packed = {name: reply.array(field) for name, field in reply["arrays"].items()}
    return {name: np.frombuffer(data, dtype="<f8").reshape(shape) for name, (shape, data) in packed.items()}


def _take_part(session: Session, course: Course, name: str, tick: int) -> bool:
    """What is due comes with the grant of the next trial or tick. Returns whether the session is over."""
    participant = Participant(session, name, want=TOPICS)
    try:
        while not course.over:
            inputs = course.due()
            passed = participant.step(inputs)
            for refused in passed.refused:
                raise ControlError(refused["code"], refused["message"], refused["field"])
            if passed.lost:
                raise Unable(f"a trial had {passed.lost} messages too many for one reply: declare {name}=tick")
            if any(given["op"] == "decoder" for given in inputs):
                course.consumed(tick)
            tick = passed.tick
            for message in passed.messages:
                course.hear(message.topic, message.payload)
            if passed.over:
                return True
        return False
    finally:
        with suppress(ControlError, NoAnswer):  # it may be over
            participant.leave()


def _follow(session: Session, course: Course, tell: Tell) -> bool:
    """What is due is sent at once, and consumed by the next tick. Returns whether the session is over."""
    with session.subscribe(TOPICS) as messages:
        for message in messages:
            course.hear(message.topic, message.payload)
            due = course.due()
            for given in due:
                if given["op"] == "decoder" and not messages.over:
                    course.consumed(session.send_input(given)["tick"])
            if not messages.over:
                _publish(session, [given for given in due if given["op"] == "metrics"], tell)
            if course.over:
                return messages.over
    return True


def _publish(session: Session, due: list[dict[str, Any]], tell: Tell) -> None:
    for given in due:
        try:
            session.send_input(given)
        except (ControlError, NoAnswer) as error:
            tell(f"numbers were not published: {error}")


def stored(directory: Path, config: Config, tell: Tell) -> None:
    """The same from a session's file: decoders were exchanged when the file says so, or might have been at once."""
    with _plainly(), open_session(directory) as recorded:
        described, given = _described(recorded)
        course = Course(described, given, config, tell)
        reporting.prepare(config.out)
        exchanged = iter(
            message["k"] for message in recorded.messages("decoder") if (message["w"], message["x"]) == _BY_INPUT
        )
        streams = {topic: recorded.messages(topic) for topic in TOPICS}
        # Stable: what is told of one tick stays in the order of TOPICS.
        for tick, topic, payload in sorted(
            chain.from_iterable([(one["k"], topic, one) for one in streams[topic]] for topic in TOPICS),
            key=lambda entry: entry[0],
        ):
            course.hear(topic, payload)
            if any(given["op"] == "decoder" for given in course.due()):
                course.consumed(next(exchanged, tick + 1))
            if course.over:
                break
        _conclude(course, described["session"], tell)


_BY_INPUT = ("input", "installed")


def _described(recorded: RecordedSession) -> tuple[Mapping[str, Any], Arrays]:
    """What `describe` and `get_decoder` said of the session before its first tick, as far as it is needed."""
    session, state = session_file.restore(recorded.store, newest=False)
    given = session.decoder.arrays(state.parameters.decoder)
    described = {
        "session": recorded.name,
        "tick_s": session.timing.tick_s,
        "bin_ticks": session.timing.bin_ticks,
        "units": session.units,
        "readouts": recorded.readouts,
        "trials": 0,
        "day": 1,
        "decoder": {"kind": session.protocol.decoder.kind},
        "protocol": protocols.dump(session.protocol),
    }
    return described, given


def _conclude(course: Course, session: str, tell: Tell) -> None:
    """Measure what is left, and leave the files; of an experiment that never began there are none."""
    if course.fit is None:
        tell(f"not calibrated: {course.trials} trials of {course.config.calibration_trials}; nothing was exchanged")
        return
    folder = course.config.out
    course.conclude()
    reporting.write(folder, session, course)
    if find_spec("matplotlib") is None:
        tell("no figure: matplotlib is not installed (pip install 'decoderd[plot]')")
    else:
        from decoderd_plugins.manifold import drawing

        drawing.draw(folder / reporting.FIGURE, session, course)
    tell(f"{len(course.stretches)} stretches of trials measured, in {folder}")
