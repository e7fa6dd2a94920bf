"""Processes of a folder, as the kernel lists them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from tests.service.serving import wait_for


def processes_in(folder: Path) -> dict[int, list[str]]:
    """{number: command line} of processes, other than this one, that work in a folder or have its name as argument."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            where = Path(os.readlink(entry / "cwd"))
            if words[0] and (where.is_relative_to(folder) or any(str(folder) in word for word in words)):
                found[int(entry.name)] = words
    return found


def end_all(folder: Path) -> None:
    """Kill the processes of a folder and wait until they are gone."""
    for pid in processes_in(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not processes_in(folder))


def resident_kib(pid: int) -> int:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])
