"""`decoderd wire`: the specification of the wire protocol, its JSON Schemas and its test vectors."""

from __future__ import annotations

import importlib.resources
import shutil
from pathlib import Path
from typing import Annotated

import typer

from decoderd.cli import output
from decoderd.errors import DecoderdError

SPECIFICATION = Path(str(importlib.resources.files("decoderd.wire"))) / "specification"


class FolderError(DecoderdError):
    """A folder that files cannot be written to."""

    code = "folder"


def wire(
    schemas: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the JSON Schemas into this folder.")
    ] = None,
    vectors: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the test vectors into this folder.")
    ] = None,
) -> None:
    """Print the specification of the wire protocol; or write its schemas or test vectors into a new folder."""
    chosen = {part: folder for part, folder in (("schemas", schemas), ("vectors", vectors)) if folder is not None}
    if not chosen:
        print((SPECIFICATION / "README.md").read_text(encoding="utf-8"), end="")
    for part, folder in chosen.items():
        _check(part, folder)
    for part, folder in chosen.items():
        output.line(f"{part}: {_write(part, folder)} files in {folder}")


def _check(part: str, folder: Path) -> None:
    """Raise FolderError for a folder that is there and not empty: files of another version may not stay in it."""
    try:
        if folder.exists() and any(folder.iterdir()):
            raise FolderError(f"--{part} {folder}: is not empty; give a new folder, or an empty one", part)
    except OSError as error:
        raise FolderError(f"--{part} {folder}: cannot be used: {error.strerror}", part) from None


def _write(part: str, folder: Path) -> int:
    """Write the files of a part of the specification, all or none; returns their number. Raises FolderError."""
    sources = sorted((SPECIFICATION / part).iterdir())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in sources:
            shutil.copyfile(source, folder / source.name)
    except BaseException as error:
        for source in sources:
            (folder / source.name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise FolderError(f"--{part} {folder}: cannot be written: {error.strerror}", part) from None
        raise
    return len(sources)
