"""Opens files that a protocol names: regular files only, without waiting for a pipe or touching a device."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from decoderd.errors import DecoderdError

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
_REASONS = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "no such file: a part of its path is no directory",
    errno.EACCES: "may not be read by this user; give permission, or name another file",
    errno.ELOOP: "symbolic links lead in a circle; name the file itself",
    errno.ENAMETOOLONG: "the name is too long for a file",
    errno.EMFILE: "cannot be opened: this process has no file descriptor left (ulimit -n)",
    errno.ENFILE: "cannot be opened: this machine has no file descriptor left",
}


def open_regular(path: Path, error: type[DecoderdError]) -> BinaryIO:
    """The file open for reading in binary. Raises `error`, naming the file and what is right, if it is no regular file.

    A pipe, a device or a socket is refused at once, also one that takes the file's place meanwhile.
    """
    try:
        _check(path, os.stat(path).st_mode, error)  # first: opening a device can have effects
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError:
        raise error(f"{str(path)!r}: no file has a NUL character in its name; name a file that exists") from None
    except OSError as reason:
        raise error(f"{path}: {_REASONS.get(reason.errno or 0, reason.strerror)}") from None
    try:
        _check(path, os.fstat(handle).st_mode, error)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _check(path: Path, mode: int, error: type[DecoderdError]) -> None:
    if not stat.S_ISREG(mode):
        raise error(f"{path}: is {_KINDS.get(stat.S_IFMT(mode), 'no file')}, expected a regular file")
