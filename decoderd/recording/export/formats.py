"""The table of formats to which sessions are exported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from decoderd.recording.export import csv, npz, nwb, parquet
from decoderd.recording.export.reading import DayReader


class Write(Protocol):
    """Writes a day at a path where nothing is yet."""

    def __call__(self, reader: DayReader, path: Path, about: Mapping[str, Any], /) -> None:
        """`about` is the provenance. Raises OSError or RuntimeError where it cannot write."""


class Needs(NamedTuple):
    """A package that a format needs, and the extra of decoderd that installs it."""

    module: str
    extra: str


class Format(NamedTuple):
    """A format: how a day is written."""

    write: Write
    suffix: str  # of the file of a day; empty for a folder of tables
    needs: Needs | None = None


FORMATS = {
    "nwb": Format(nwb.write, ".nwb", Needs("pynwb", "nwb")),
    "parquet": Format(parquet.write, "", Needs("pyarrow", "parquet")),
    "csv": Format(csv.write, ""),
    "npz": Format(npz.write, ".npz"),
}
