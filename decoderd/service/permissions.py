"""Who else may change a file: by its mode and its owner, and by those of the folders above it.

It is decided as OpenSSH decides about a user's keys (StrictModes). Owners are root and the user that runs this process.
Of a symbolic link the target counts. The folders above are examined too, up to the root or the user's home: what is in
a folder can be replaced by those who may write it. Only above the keys a sticky folder such as /tmp is accepted:
there others may not rename or remove what is not theirs.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path
from typing import NamedTuple

from decoderd.errors import ServiceError


class Rule(NamedTuple):
    """What group and others must not be allowed, in words too, and the mode that is right."""

    refused: int
    words: str
    right: str


FOLDER = Rule(0o022, "write", "chmod 700")
PUBLIC = Rule(0o022, "write", "chmod 644")
SECRET = Rule(0o077, "read or write", "chmod 600")


def check(path: Path, rule: Rule) -> None:
    """Raise ServiceError if other users may do with `path` what `rule` refuses, OSError if it cannot be examined."""
    real = Path(os.path.realpath(path, strict=True))
    found = real.stat()
    if found.st_mode & rule.refused:
        raise ServiceError(
            f"{path}: group or others may {rule.words} it (mode {_mode(found)}); right is `{rule.right} {real}`"
        )
    _check_owner(path, real, found)
    home = Path(os.path.realpath(_home()))
    for parent in real.parents:
        found = parent.stat()
        if found.st_mode & FOLDER.refused and not found.st_mode & stat.S_ISVTX:
            raise ServiceError(
                f"{path}: group or others may replace it, since they may write {parent} (mode {_mode(found)}); "
                f"right is `chmod go-w {parent}`"
            )
        _check_owner(path, parent, found)
        if parent == home:
            break


def _check_owner(path: Path, owned: Path, found: os.stat_result) -> None:
    if found.st_uid in (0, os.geteuid()):
        return
    where = "it" if owned == path else str(owned)
    raise ServiceError(
        f"{path}: {_name(found.st_uid)} owns {where} and may change it; right is `chown {_name(os.geteuid())} {owned}`"
    )


def _mode(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _home() -> str:
    """The home that the system has for the user, whatever the environment says; the root without one."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return "/"
