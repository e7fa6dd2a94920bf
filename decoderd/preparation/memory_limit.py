"""The memory that a session may take: as given, or what the machine and the control group have left."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from decoderd.errors import ProtocolError

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
CGROUPS = Path("/sys/fs/cgroup")


class MemoryLimit(NamedTuple):
    """The most bytes, and who says so."""

    most: int
    source: str


def parse(text: str) -> MemoryLimit:
    """The limit of an option: bytes, or a number with K, M, G or T (of 1024). Raises ProtocolError."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if match is None or not float(match[1]):
        raise ProtocolError(f"--max-memory {text}: expected a size such as 4G, 512M or a number of bytes", "max_memory")
    return MemoryLimit(int(float(match[1]) * _UNITS[match[2].upper()]), "--max-memory")


def available(
    meminfo: Path = Path("/proc/meminfo"), own: Path = Path("/proc/self/cgroup"), cgroups: Path = CGROUPS
) -> MemoryLimit:
    """The memory available on this machine, or the limit of this process's control group if that is less.

    The arguments are where the kernel shows them; what it does not show limits nothing.
    """
    limits = [MemoryLimit(2**63, "no limit is known")]
    for line in _lines(meminfo):
        if line.startswith("MemAvailable:"):
            limits.append(MemoryLimit(int(line.split()[1]) * 1024, "available on this machine"))
    for line in _lines(own):
        group = cgroups / line.partition("::")[2].lstrip("/")
        for folder in (group, *group.parents) if line.startswith("0::") else ():
            for most in _lines(folder / "memory.max") if folder.is_relative_to(cgroups) else ():
                if most.isdigit():
                    limits.append(MemoryLimit(int(most), f"memory.max of the control group {folder}"))
    return min(limits)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def shown(size: int) -> str:
    """A size as "3.2 GB", with the unit that fits."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} bytes"
