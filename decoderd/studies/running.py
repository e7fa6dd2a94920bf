"""Running a study: what is missing of it, on local processes or a cluster, and its tables after that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from decoderd.errors import Interrupted
from decoderd.studies import batch_parts, folder, parts, report, tables
from decoderd.studies.batch_parts import BatchTask
from decoderd.studies.parts import Task
from decoderd.studies.processes import Done, Part
from decoderd.studies.settings import Setting
from decoderd.studies.study import Study, StudyError
from decoderd.studies.tables import Results

# Calls every part and gives each as it is done, as `processes.completed` does.
Engine = Callable[[Sequence[Part]], Iterator[Done]]
OnProgress = Callable[[int, int], None]


class Shard(NamedTuple):
    """One of several shares of the sessions of a study, number 1 to `of`."""

    number: int
    of: int

    def has(self, setting: Setting) -> bool:
        """Whether a session is in this share. It depends on the session's protocol alone, not on the study."""
        return int(setting.identity, 16) % self.of == self.number - 1


def shard(text: str) -> Shard:
    """The share that is written as `1/4`. Raises StudyError."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise StudyError(f"--shard {text}: expected NUMBER/OF, such as 1/4 to 4/4", "shard")
    return Shard(int(match[1]), int(match[2]))


def missing(place: Path, settings: Sequence[Setting], share: Shard | None, recorded: bool) -> list[Setting]:
    """The sessions that are still to be run, each once even where two settings have the same protocol."""
    found = {one.key: one for one in settings if one.protocol is not None and (share is None or share.has(one))}
    return [one for key, one in found.items() if not folder.done(place, key, recorded)]


class Call(NamedTuple):
    """A part of a study, and the sessions that it runs."""

    part: Part
    sessions: Sequence[Setting]


def calls(given: Study, settings: Sequence[Setting], place: Path, recorded: bool) -> list[Call]:
    """The parts that run these sessions: each by itself, or seeds of one setting in batches."""
    where, measured = str(place.absolute()), given.measures
    if given.batch is None:
        return [
            Call(Part(parts.perform, (Task(where, one.key, one.protocol or {}, measured, recorded),)), [one])
            for one in settings
        ]
    found = []
    for _, several in groupby(settings, lambda one: one.values):
        for some in _batches(list(several), given.batch):
            keys = {one.seed: one.key for one in some}
            task = BatchTask(where, keys, some[0].protocol or {}, measured)
            found.append(Call(Part(batch_parts.perform, (task,)), some))
    return found


def _batches(settings: Sequence[Setting], size: int) -> list[Sequence[Setting]]:
    return [settings[first : first + size] for first in range(0, len(settings), size)]


def run(
    given: Study,
    settings: Sequence[Setting],
    place: Path,
    engine: Engine,
    share: Shard | None = None,
    recorded: bool = False,
    on_progress: OnProgress = lambda done, of: None,
) -> Results:
    """Run what is missing of a study in its folder, and write its tables.

    Args:
        given: the study.
        settings: its sessions, see `settings.settings`.
        place: its folder, which is made if it is not there.
        engine: what runs the parts, such as `processes.completed` with a number of processes.
        share: only the sessions of this share.
        recorded: whether recordings are kept.
        on_progress: called with the number of sessions done, and of all that are to be run now.

    Raises StudyError for the folder of another study, and where nothing can be written.
    """
    if recorded and given.batch is not None:
        raise StudyError("--keep recordings: sessions computed in batches have none; leave out batch", "keep")
    folder.begin(place, given)
    due = missing(place, settings, share, recorded)
    todo, number = calls(given, due, place, recorded), 0
    on_progress(0, len(due))
    for done in engine([call.part for call in todo]):
        if isinstance(done.error, StudyError | Interrupted):
            raise done.error
        for one in todo[done.place].sessions:
            if done.error is not None:
                folder.write_failure(place, one.key, str(done.error) or repr(done.error))
        number += len(todo[done.place].sessions)
        on_progress(number, len(due))
    return tabulate(given, settings, place)


def tabulate(given: Study, settings: Sequence[Setting], place: Path) -> Results:
    """Write tables and report of what is there. Shards that end at the same time do so one after the other."""
    with folder.locked(place, "tables"):
        results = tables.collect(place, settings)
        tables.write(place, results)
        report.write(place, given, results)
    return results


def failed(results: Results) -> list[tuple[Setting, str]]:
    """The sessions that failed, with the reasons."""
    pairs: Any = zip(results.settings, results.errors, strict=True)
    return [(setting, error) for setting, error in pairs if error is not None]
