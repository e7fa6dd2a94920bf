"""Text files that people write, read as text; and files that replace others, whole or not at all."""

from __future__ import annotations

import codecs
import os
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
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A stream whose contents take the place of `path` when the context ends without an error.

    The contents are synchronised before the file gets its name, and the folder after: a power cut leaves the old file
    or the new one, never an empty one. Raises OSError, with the old file in place.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    _synchronise(path.parent)


def replace_text(path: Path, text: str) -> None:
    """Have a text, in UTF-8, take the place of a file. Raises OSError, with the old file in place."""
    with replacing(path) as out:
        out.write(text.encode())


def make_writable(folder: Path) -> None:
    """Make a folder where there is none, and check that files can be made in it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def _synchronise(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
