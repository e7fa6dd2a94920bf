"""Runs a manifold experiment in a live session, in lockstep or beside its stream, or over a recorded session."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
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
from decoderd.wire.messages import Decoder
from decoderd_client.control import Session
from decoderd_client.participant import Participant
from decoderd_client.plugins import Unable
from decoderd_client.requests import ControlError, NoAnswer
from decoderd_plugins.manifold import Config, output
from decoderd_plugins.manifold.experiment import ManifoldExperiment
from decoderd_plugins.manifold.intuitive_decoder import Arrays
from decoderd_plugins.manifold.trials import TOPICS
from decoderd_plugins.progress import SessionProgress, progress_of

OnProgress = Callable[[str], None]


@contextmanager
def _errors_as_unable() -> Iterator[None]:
    try:
        with threadpool_limits(limits=1):  # sums then have one order, and the session keeps its core
            yield
    except (DecoderdError, OSError) as error:
        raise Unable(str(error)) from None


def run_live(session: Session, config: Config, on_progress: OnProgress) -> None:
    """Run the experiment in a running session, as a participant where the session declares one of that name.

    Raises Unable where the experiment is impossible in this session.
    """
    # It takes a second to import, in which a session at speed would run on.
    import_module("sklearn.decomposition")
    with _errors_as_unable():
        description = session.describe()
        mine = description["participants"].get(config.participant)
        if mine is not None and mine["unit"] == "day":
            raise Unable(f"{config.participant} grants days: declare it with --participant {config.participant}=trial")
        triggers = (config.inject_at, config.washout_at, config.until)
        progress = progress_of(session, [trigger for trigger in triggers if trigger is not None])
        experiment = ManifoldExperiment(description, _decoder_arrays(session), config, progress, on_progress)
        make_writable(config.out)
        over = True
        try:
            if mine is None:
                over = _follow_stream(session, experiment, on_progress)
            else:
                over = _take_part(session, experiment, config.participant, description["tick"])
        finally:
            _conclude(experiment, description["session"], on_progress)
        if not over:
            _publish(session, experiment.due_inputs(), on_progress)


def _decoder_arrays(session: Session) -> Arrays:
    reply = session.get_decoder()
    packed = {name: reply.array(field) for name, field in reply["arrays"].items()}
    return {name: np.frombuffer(data, dtype="<f8").reshape(shape) for name, (shape, data) in packed.items()}


def _take_part(session: Session, experiment: ManifoldExperiment, name: str, tick: int) -> bool:
    """Run as a participant: inputs go with the grant of the next trial or tick. Returns whether the session is over."""
    participant = Participant(session, name, want=TOPICS)
    try:
        while not experiment.over:
            inputs = experiment.due_inputs()
            passed = participant.step(inputs)
            for refused in passed.refused:
                raise ControlError(refused["code"], refused["message"], refused["field"])
            if passed.lost:
                raise Unable(f"a trial had {passed.lost} messages too many for one reply: declare {name}=tick")
            if any(given["op"] == "decoder" for given in inputs):
                experiment.decoder_consumed(tick)
            tick = passed.tick
            for message in passed.messages:
                experiment.receive(message)
            if passed.over:
                return True
        return False
    finally:
        with suppress(ControlError, NoAnswer):  # it may be over
            participant.leave()


def _follow_stream(session: Session, experiment: ManifoldExperiment, on_progress: OnProgress) -> bool:
    """Run beside the stream: inputs are sent at once, for the next tick. Returns whether the session is over."""
    with session.subscribe(TOPICS) as messages:
        for message in messages:
            experiment.receive(message)
            due = experiment.due_inputs()
            for given in due:
                if given["op"] == "decoder" and not messages.over:
                    experiment.decoder_consumed(session.send_input(given)["tick"])
            if not messages.over:
                _publish(session, [given for given in due if given["op"] == "metrics"], on_progress)
            if experiment.over:
                return messages.over
    return True


def _publish(session: Session, due: list[dict[str, Any]], on_progress: OnProgress) -> None:
    for given in due:
        try:
            session.send_input(given)
        except (ControlError, NoAnswer) as error:
            on_progress(f"measures were not published: {error}")


def run_recorded(directory: Path, config: Config, on_progress: OnProgress) -> None:
    """Run the experiment over a recorded session.

    A decoder counts as exchanged at the tick at which the recording has one given by a client; where it has none, at
    the tick after it became due. Raises Unable for a folder without a session and where the experiment is impossible.
    """
    with _errors_as_unable(), open_session(directory) as recorded:
        description, arrays = _description(recorded)
        experiment = ManifoldExperiment(description, arrays, config, SessionProgress(), on_progress)
        make_writable(config.out)
        decoders = map(Decoder.read, recorded.payloads("decoder"))
        exchanged = (decoder.tick for decoder in decoders if (decoder.source, decoder.event) == _BY_INPUT)
        messages = [message for topic in TOPICS for message in recorded.messages(topic)]
        # Stable: messages of one tick stay in the order of TOPICS.
        for message in sorted(messages, key=lambda message: message.tick):
            experiment.receive(message)
            if any(given["op"] == "decoder" for given in experiment.due_inputs()):
                experiment.decoder_consumed(next(exchanged, message.tick + 1))
            if experiment.over:
                break
        _conclude(experiment, description["session"], on_progress)


_BY_INPUT = ("input", "installed")


def _description(recorded: RecordedSession) -> tuple[Mapping[str, Any], Arrays]:
    """What `describe` and `get_decoder` replied before the session's first tick, as far as it is needed."""
    session, state = session_file.restore(recorded.store, newest=False)
    arrays = session.decoder.arrays(state.parameters.decoder)
    description = {
        "session": recorded.name,
        "tick_s": session.timing.tick_s,
        "bin_ticks": session.timing.bin_ticks,
        "units": session.units,
        "readouts": recorded.readouts,
        "decoder": {"kind": session.protocol.decoder.kind},
        "protocol": protocols.dump(session.protocol),
    }
    return description, arrays


def _conclude(experiment: ManifoldExperiment, session: str, on_progress: OnProgress) -> None:
    """Measure the trials that are left and write the files; without a calibration there are no files."""
    if experiment.fit is None:
        trials, needed = experiment.calibration_trials, experiment.config.calibration_trials
        on_progress(f"not calibrated: {trials} trials of {needed}; no decoder was exchanged")
        return
    folder = experiment.config.out
    experiment.conclude()
    output.write(folder, session, experiment)
    if find_spec("matplotlib") is None:
        on_progress(f"no figure: matplotlib is not installed ({extras.install('plot')})")
    else:
        from decoderd_plugins.manifold import figure

        figure.draw(folder / output.FIGURE, session, experiment)
    on_progress(f"{len(experiment.windows)} windows of trials measured, in {folder}")
