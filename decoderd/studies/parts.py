"""One part of a study: a session that is run and measured, or a batch of them, with the results as files.

A part is a plain call with plain arguments, so that any process that sees the study's folder can carry it out. What is
there already is not done again: neither a result, nor the ticks of a session that was interrupted.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from decoderd.checkpoint import Encoder
from decoderd.clock import now_ns
from decoderd.errors import Interrupted, Shortage, StoreError
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol as protocols
from decoderd.recording import database, session_file, summary
from decoderd.recording.reader import open_session
from decoderd.recording.store import open_store
from decoderd.run import realtime
from decoderd.run.runner import Begun, drive
from decoderd.session.assembly import assemble
from decoderd.session.step import initial
from decoderd.studies import folder, measures
from decoderd.studies.days import days_of
from decoderd.studies.study import StudyError

# Threads of one process share its BLAS threads, on whose number the last bits of a result depend.
ONE_AT_A_TIME = threading.Lock()


class Task(NamedTuple):
    """A session to be run: plain data, for other processes."""

    folder: str
    key: str
    protocol: Mapping[str, Any]
    measures: Sequence[str | Mapping[str, Any]]
    recorded: bool  # whether its recording is kept


def perform(task: Task) -> str | None:
    """Run a session and write its result, unless it is there; returns why it failed, None if it did not.

    What a session or a measure raises becomes the session's failure, which is written in place of a result.
    Raises StudyError where nothing can be written, and Interrupted where a signal stopped it: the same call goes on.
    """
    place = Path(task.folder)
    with ONE_AT_A_TIME, folder.locked(place, task.key):
        if folder.done(place, task.key, task.recorded):
            return None
        try:
            found = _measured(task, place)
        except (Interrupted, StudyError):
            raise
        except Exception as error:
            if not isinstance(error, StoreError | Shortage):  # with room on the disk, or memory, it can go on
                folder.remove_recording(place, task.key)
            said = str(error) or repr(error)
            folder.write_failure(place, task.key, said)
            return said
        folder.write_result(place, task.key, found)
        if not task.recorded:
            folder.remove_recording(place, task.key)
    return None


def _measured(task: Task, place: Path) -> dict[str, Any]:
    began, directory = now_ns(), folder.recording(place, task.key)
    asked = measures.asked(task.measures)
    reached = _run(task, directory)
    with realtime.repeatable(), open_session(directory) as recorded:
        days = days_of(recorded, any(one.measure.counts for one in asked))
        numbers = measures.gathered([measures.of_day(asked, day) for day in days])
        numbers = measures.with_session(numbers, asked, recorded)
    return {
        **{name: reached[name] for name in ("session", "days", "trials", "ticks", "digest")},
        **numbers,
        "wall_s": (now_ns() - began) * 1e-9,
        "versions": session_file.versions(),
    }


def _run(task: Task, directory: Path) -> dict[str, Any]:
    """Run a session to its end, from where it was interrupted; returns its summary."""
    begun = _resumed(directory) or _begun(task, directory)
    with begun.store:
        if begun.state.progress.done:
            return summary.stored(begun.store, begun.session, begun.state)
        reached = drive(*begun, "max")
    if not reached["done"]:
        raise Interrupted(f"session {reached['session']} was stopped at tick {reached['ticks']}; what it did is stored")
    return reached


def _resumed(directory: Path) -> Begun | None:
    """The session that was interrupted; None if there is none, or none that can go on."""
    if not (directory / database.FILE).exists():
        return None
    try:
        store = open_store(directory, writing=True)
    except StoreError:
        _remove(directory)
        return None
    try:
        return Begun(store, Encoder(), *session_file.restore(store))
    except StoreError:
        store.close()
        _remove(directory)
        return None


def _remove(directory: Path) -> None:
    folder.remove_recording(directory.parent.parent, directory.name)


def _begun(task: Task, directory: Path) -> Begun:
    parsed = protocols.parse(task.protocol)
    with realtime.repeatable():
        parameters = prepare(parsed)
        session = assemble(parsed, parameters)
        state = initial(session, parameters)
    return Begun(*session_file.begin(directory, session, state), session, state)
