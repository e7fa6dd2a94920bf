"""The files of a fit: their names, and writing all of them or none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from decoderd import files
from decoderd.errors import ArrayError


def name(stem: str) -> str:
    """A protocol's name from the name of a file."""
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:64].rstrip("-") or "twin"


def write(out: Path, contents: Mapping[str, bytes]) -> None:
    """Write all files, each under a temporary name until all are whole. Raises ArrayError where that is impossible."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with ExitStack() as whole:
            streams = {name: whole.enter_context(files.replacing(out / name)) for name in contents}
            for name, content in contents.items():
                streams[name].write(content)
                streams[name].flush()
    except OSError as error:
        raise ArrayError(f"{out}: cannot be written ({error})") from None
