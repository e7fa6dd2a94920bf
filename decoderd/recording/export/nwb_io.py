"""The HDF5 file of an export, written so that a full disk is an error and not the end of the process.

HDF5 cannot close a file that it failed to write: it tries again, also when the process ends, and crashes there. So it
writes through a file of ours, which takes everything, keeps the first error, and has it raised in the end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any


class Outfile:
    """A new file for HDF5 that never fails: `check` raises the first error, after which nothing is written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the OSError that there was."""
        if self._error is not None:
            raise self._error

    def write(self, data: Any) -> int:
        """Write at the place of the last `seek`; returns the number of bytes."""
        left = memoryview(data).cast("B")
        size = len(left)
        while len(left) and self._error is None:
            left = left[self._tried(partial(self._file.write, left)) or 0 :]
        return size

    def truncate(self, size: int) -> int:
        """Make the file so long."""
        self._tried(partial(self._file.truncate, size))
        return size

    def flush(self) -> None:
        """Nothing: there is no buffer."""

    def read(self, size: int = -1) -> bytes:
        """Read from the place of the last `seek`."""
        return self._file.read(size)

    def readinto(self, buffer: Any) -> int:
        """Read from the place of the last `seek`; returns the number of bytes."""
        return self._file.readinto(buffer) or 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; returns it."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The place."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _tried(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except OSError as error:
            self._error = self._error or error
            return None


@contextmanager
def created(path: Path, nwb_file: Any) -> Iterator[Outfile]:
    """Context with a `pynwb.NWBFile` written into a new file, whose datasets are then filled.

    Raises OSError in the end, or in `check`, if the file could not be written.
    """
    import h5py
    import pynwb

    out = Outfile(path)
    try:
        with h5py.File(out, "w") as file, pynwb.NWBHDF5IO(file=file, mode="w") as io:
            io.write(nwb_file)
            yield out
    except Exception:
        out.check()  # why HDF5 could not read what it had written
        raise
    finally:
        with suppress(OSError):
            out.close()
    out.check()
