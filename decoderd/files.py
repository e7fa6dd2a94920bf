"""Text files that people write, read as text; and files and folders that replace others, whole or not at all."""

from __future__ import annotations

import codecs
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, with or without a byte order mark, as some editors put at the beginning.

    Raises OSError, and ValueError for a file that is no such text: the message says what it is, or which byte is wrong.
    """
    data = path.read_bytes()
    if data.startswith(_UTF16) or data[:2].count(0) == 1:
        raise ValueError("is UTF-16: save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not text in UTF-8: byte {error.start} is 0x{data[error.start]:02x}") from None


@contextmanager
def replacing_path(path: Path) -> Iterator[Path]:
    """A path at which a file or a folder is to be made, which takes the place of `path` when the context ends.

    What was made is synchronised before it gets its name, and the folder around it after: a power cut leaves the old
    one or the new one, never an empty one. A folder that is replaced is away for a moment. After an error the old one
    is in place, and nothing else. Raises OSError.
    """
    fresh, old = (path.with_name(f".{os.getpid()}{which}.{path.name}") for which in ("", ".old"))
    _remove(fresh)
    try:
        yield fresh
        for made in sorted(fresh.rglob("*")) if fresh.is_dir() else ():
            _synchronise(made)
        _synchronise(fresh)
        if path.is_dir():  # a folder takes the place of an empty one only
            os.rename(path, old)
        try:
            os.replace(fresh, path)
        except BaseException:
            if old.exists():
                os.rename(old, path)
            raise
    except BaseException:
        _remove(fresh)
        raise
    _remove(old)
    _synchronise(path.parent)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A stream whose contents take the place of `path` when the context ends without an error, see `replacing_path`."""
    with replacing_path(path) as fresh, fresh.open("wb") as stream:
        yield stream


def replace_text(path: Path, text: str) -> None:
    """Have a text, in UTF-8, take the place of a file. Raises OSError, with the old file in place."""
    with replacing(path) as out:
        out.write(text.encode())


def make_writable(folder: Path) -> None:
    """Make a folder where there is none, and check that files can be made in it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def _synchronise(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    """Remove a file or a folder, if there is one."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
