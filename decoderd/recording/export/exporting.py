"""Exports sessions: one file a day, each written under a temporary name and whole when it gets its own."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from decoderd import extras, files
from decoderd.errors import ProtocolError, StoreError
from decoderd.recording.export import days
from decoderd.recording.export.folder import ABOUT
from decoderd.recording.export.formats import FORMATS, Format
from decoderd.recording.export.provenance import digest, provenance
from decoderd.recording.export.reading import DayReader, DayTicks, days_of
from decoderd.recording.reader import RecordedSession, open_session


class Target(NamedTuple):
    """A day of a session, and the path that it is written to."""

    recorded: RecordedSession
    day: DayTicks
    path: Path


class Written(NamedTuple):
    """What was written: a file, or a folder of tables."""

    path: Path
    session: str
    day: int
    ticks: int


def export(
    runs: Sequence[Path],
    to: str,
    out: Path,
    chosen: str | None = None,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] = lambda ticks, of: None,
) -> list[Written]:
    """Export the sessions in the folders `runs`, which may be running.

    Args:
        runs: folders of sessions.
        to: a key of FORMATS.
        out: a file, where the name ends as those of the format do; else a folder, made if need be, in which each day
            gets a file, or a folder of tables: NAME, or NAME-day-003 in a session of several days, where NAME is that
            of the session's folder.
        chosen: days such as 3-5, see `days.chosen`; None: all.
        overwrite: whether exports that are there are replaced.
        on_progress: called with the number of ticks done, and of all.

    Raises ProtocolError for arguments that are wrong, MissingExtra for a package that is not installed, StoreError for
    a session that cannot be read or a file that cannot be written. Every file is written whole or not at all, and none
    before all arguments were checked.
    """
    if to not in FORMATS:
        raise ProtocolError(f"--to {to}: expected {', '.join(FORMATS)}", "to")
    form = FORMATS[to]
    if form.needs is not None:
        with extras.needed(form.needs.extra, f"export to {to}"):
            import_module(form.needs.module)
    with ExitStack() as opened:
        targets: list[Target] = []
        for run in runs:
            recorded = opened.enter_context(open_session(run))
            opened.enter_context(recorded.store.snapshot())
            targets += _targets(recorded, run, out, form, chosen)
        _check(targets, out, form, overwrite)
        return _write(targets, form, on_progress)


def _targets(recorded: RecordedSession, run: Path, out: Path, form: Format, chosen: str | None) -> list[Target]:
    """The days to be written of a session. Raises StoreError if it has no tick, ProtocolError for a day it lacks."""
    recorded_days = days_of(recorded)
    if not recorded_days:
        raise StoreError(f"{run}: no tick is stored yet; run it on with: decoderd resume {run}")
    several = recorded.protocol.schedule.days > 1
    return [
        Target(recorded, day, out if _is_file(out, form) else out / _name(run, day, several, form))
        for day in days.chosen(chosen, recorded_days, str(run))
    ]


def _is_file(out: Path, form: Format) -> bool:
    return bool(form.suffix) and out.suffix.lower() == form.suffix


def _name(run: Path, day: DayTicks, several: bool, form: Format) -> str:
    return run.resolve().name + (f"-day-{day.number:03}" if several else "") + form.suffix


def _check(targets: Sequence[Target], out: Path, form: Format, overwrite: bool) -> None:
    """Raise ProtocolError or StoreError unless every target has a path of its own where it may be written."""
    paths = [target.path for target in targets]
    if _is_file(out, form) and len(paths) > 1:
        raise ProtocolError(
            f"--out {out}: is one file, and there are {len(paths)} days to write, a file each: name a folder, or "
            f"choose a day with --days",
            "out",
        )
    twice = {path for path in paths if paths.count(path) > 1}
    if twice:
        raise ProtocolError(
            f"--out {out}: two sessions would be written to {min(twice)}: export folders of one name one by one", "out"
        )
    for path in paths:
        if not path.exists():
            continue
        if path.is_dir() != (form.suffix == ""):
            raise StoreError(f"{path}: is a {'folder' if path.is_dir() else 'file'}; name another place with --out")
        if not overwrite:
            raise StoreError(f"{path}: is there already; --overwrite replaces it")
        if path.is_dir() and not (path / ABOUT).is_file():
            raise StoreError(f"{path}: is a folder that no export made ({ABOUT} is not in it); it is not replaced")


def _write(targets: Sequence[Target], form: Format, on_progress: Callable[[int, int], None]) -> list[Written]:
    done, total = 0, sum(target.day.ticks for target in targets)
    digests: dict[Path, str] = {}
    written: list[Written] = []

    def on_ticks(ticks: int) -> None:
        nonlocal done
        done += ticks
        on_progress(done, total)

    for recorded, day, path in targets:
        store = recorded.store
        if store.path not in digests:
            digests[store.path] = digest(store)
        about = provenance(recorded, day, digests[store.path])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.replacing_path(path) as fresh, _uncollected():
                form.write(DayReader(recorded, day, on_ticks), fresh, about)
        except (OSError, RuntimeError) as error:  # HDF5 reports failed writes as RuntimeError, too
            before = f"; {len(written)} of {len(targets)} days are written" if len(targets) > 1 else ""
            raise StoreError(f"{path}: cannot be written: {error}{before}") from None
        written.append(Written(path, about["session"], day.number, day.ticks))
    return written


@contextmanager
def _uncollected() -> Iterator[None]:
    """Context without the collector of cyclic garbage: payloads have no cycles, and a batch is much to search."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
