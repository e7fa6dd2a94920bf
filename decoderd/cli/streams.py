"""Standard output and standard error of a command that may find them full, closed, or without a reader.

What standard output does not take is an error of its own, whichever way it was printed. What standard error does not
take is dropped, since there is no place left to report it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from decoderd.errors import DecoderdError


class OutputError(DecoderdError):
    """Standard output did not take what was printed. `unread`: its reader has ended, as of `decoderd ... | head -1`."""

    code = "output"

    def __init__(self, message: str, unread: bool = False) -> None:
        super().__init__(message)
        self.unread = unread


class _Stream:
    """A text stream that stands before `stream`, which is None if it was closed when the process began.

    After the first failure nothing is written any more.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream, self._lost = stream, False

    def write(self, text: str) -> int:
        """Write; returns the number of characters."""
        if not self._lost:
            with self._noticing():
                _open(self._stream).write(text)
        return len(text)

    def flush(self) -> None:
        """Write what was kept back so far."""
        if not self._lost and self._stream is not None:
            with self._noticing():
                self._stream.flush()

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._lost = True
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        """What cannot be written is dropped."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Output(_Stream):
    """Standard output: raises OutputError."""

    def _failed(self, error: OSError) -> None:
        raise OutputError(f"standard output cannot be written: {error.strerror}", error.errno == errno.EPIPE) from None


def install() -> None:
    """Replace the streams of this process; no file or socket that is opened later takes the place of a closed one."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free descriptor is this one
    sys.stdout, sys.stderr = _Output(sys.stdout), _Stream(sys.stderr)


def _open(stream: TextIO | None) -> TextIO:
    if stream is None:
        raise OSError(errno.EBADF, "it is closed")
    return stream
