"""The folder of a study: which study it is, a file for each result, and the recordings of its sessions.

    study.json           the study, without its seeds: other seeds may be added, another study is refused
    results/KEY.json     the result of a session, written whole
    failures/KEY.json    why a session failed; removed when it succeeds
    recordings/KEY/      a session that runs, or that is kept
    locks/KEY            held while a session is run: no session runs twice at a time
    *.csv, *.parquet     the tables
    report.html

Everything is a file, so that processes of several machines that share the folder share the work.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from decoderd import files
from decoderd.recording import database
from decoderd.studies.study import Study, StudyError

STUDY = "study.json"
RESULTS, FAILURES, RECORDINGS, LOCKS = "results", "failures", "recordings", "locks"


def identity(given: Study) -> dict[str, Any]:
    """What makes a study another one: everything but its seeds."""
    found: dict[str, Any] = json.loads(json.dumps(given.model_dump(mode="json", exclude={"seeds"})))
    return found


def check(folder: Path, given: Study) -> None:
    """Raise StudyError if the folder holds another study, or files that are none of a study."""
    if folder.exists() and not folder.is_dir():
        raise StudyError(f"{folder}: is no folder", "out")
    try:
        known = json.loads((folder / STUDY).read_text(encoding="utf-8"))
    except FileNotFoundError:
        if folder.is_dir() and any(folder.iterdir()):
            raise StudyError(f"{folder}: holds other files and no study; choose a new folder", "out") from None
        return
    except NotADirectoryError:
        raise StudyError(f"{folder}: lies in something that is no folder", "out") from None
    except (OSError, ValueError) as error:
        raise StudyError(f"{folder / STUDY}: cannot be read ({error})", "out") from None
    mine = identity(given)
    differ = sorted(field for field in mine.keys() | known.keys() if mine.get(field) != known.get(field))
    if differ:
        raise StudyError(
            f"{folder}: holds another study, {known.get('name')!r}: it differs in {', '.join(differ)}. Choose another "
            "folder, or the study that it holds",
            "out",
        )


def begin(folder: Path, given: Study) -> None:
    """Make the folder of a study, or find that it is its folder already. Raises StudyError."""
    check(folder, given)
    with writing(folder):
        for name in (RESULTS, FAILURES, RECORDINGS, LOCKS):
            (folder / name).mkdir(parents=True, exist_ok=True)
        if not (folder / STUDY).exists():
            files.replace_text(folder / STUDY, json.dumps(identity(given), indent=1) + "\n")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Context that turns an OSError into a StudyError that says what cannot be written."""
    try:
        yield
    except OSError as error:
        where = error.filename or path
        raise StudyError(f"{where}: cannot be written: {error.strerror}", "out") from None


@contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock of this name, which is released when its process ends, in any way; waits for another holder."""
    with writing(folder):
        handle = os.open(folder / LOCKS / name, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def recording(folder: Path, key: str) -> Path:
    """Where the session with this key is recorded."""
    return folder / RECORDINGS / key


def remove_recording(folder: Path, key: str) -> None:
    """Remove the recording of a session, if there is one."""
    shutil.rmtree(recording(folder, key), ignore_errors=True)


def done(folder: Path, key: str, recorded: bool) -> bool:
    """Whether the result of a session is there, and with `recorded` its recording too."""
    return (folder / RESULTS / f"{key}.json").exists() and (
        not recorded or (recording(folder, key) / database.FILE).exists()
    )


def result(folder: Path, key: str) -> dict[str, Any] | None:
    """The result of a session; None if there is none. Raises StudyError for a file that cannot be read."""
    return _read(folder / RESULTS / f"{key}.json")


def failure(folder: Path, key: str) -> dict[str, Any] | None:
    """Why a session failed, as `error`; None if it did not."""
    return _read(folder / FAILURES / f"{key}.json")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: cannot be read ({error}); remove it, and the session is run again") from None
    return found


def write_result(folder: Path, key: str, found: Mapping[str, Any]) -> None:
    """Write the result of a session, whole or not at all. Raises StudyError."""
    _write(folder / RESULTS / f"{key}.json", found)
    (folder / FAILURES / f"{key}.json").unlink(missing_ok=True)


def write_failure(folder: Path, key: str, error: str) -> None:
    """Write why a session failed. Raises StudyError."""
    _write(folder / FAILURES / f"{key}.json", {"error": error})


def _write(path: Path, data: Mapping[str, Any]) -> None:
    with writing(path):
        files.replace_text(path, json.dumps(data, allow_nan=False) + "\n")
