"""A day of a session as an .npz file of NumPy: the arrays of a recording, and all tables.

    counts, bin_s, target, ...   in decoder bins, as `decoderd fit` and `decoderd decode` read them (`recorded_bins`)
    ticks.counts (T, N)          counts tick by tick; other channels of the population as ticks.NAME
    TABLE.COLUMN                 the columns of the other tables (`tables`)
    provenance                   JSON

The numbers of an array lie in a temporary file until it is complete, so that memory does not grow with it.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format

from decoderd.recording.export import recorded_bins
from decoderd.recording.export.columns import Batch
from decoderd.recording.export.reading import DayReader
from decoderd.recording.export.tables import Table, all_but_counts


def write(reader: DayReader, path: Path, about: Mapping[str, Any]) -> None:
    """Write a day into a new file; `about` is its provenance."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in recorded_bins.targets(reader).items():
            _write(archive, name, array)
        _stream(archive, recorded_bins.counts(reader), path.parent)
        _stream(archive, recorded_bins.kinematics(reader), path.parent)
        for channel in reader.channels:
            _stream(archive, ({f"ticks.{channel}": part} for _, part in reader.counts(channel)), path.parent)
        for table in all_but_counts(reader):
            _stream(archive, _named(table), path.parent)
        _write(archive, "provenance", np.array(json.dumps(about)))


def _named(table: Table) -> Iterator[Batch]:
    for batch in table.batches():
        yield {f"{table.name}.{name}": values for name, values in batch.items()}


def _write(archive: zipfile.ZipFile, name: str, array: Any) -> None:
    with archive.open(f"{name}.npy", "w") as member:
        npy_format.write_array(member, np.asarray(array), allow_pickle=False)


def _stream(archive: zipfile.ZipFile, batches: Iterable[Batch], folder: Path) -> None:
    """Write arrays that come in parts along their first axis; text is kept in memory."""
    files: dict[str, IO[bytes]] = {}
    last: Batch = {}
    rows, text = 0, dict[str, list[str]]()
    with ExitStack() as opened:
        for batch in batches:
            for name, part in batch.items():
                if isinstance(part, list):
                    text.setdefault(name, []).extend(part)
                    continue
                if name not in files:
                    files[name] = opened.enter_context(tempfile.TemporaryFile(dir=folder))
                files[name].write(np.ascontiguousarray(part).data)
            rows, last = rows + len(next(iter(batch.values()))), batch
        for name, lines in text.items():
            _write(archive, name, np.array(lines, dtype=np.str_))
        for name, file in files.items():
            file.seek(0)
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                shape = (rows, *last[name].shape[1:])
                form = {"descr": npy_format.dtype_to_descr(last[name].dtype), "fortran_order": False, "shape": shape}
                npy_format.write_array_header_1_0(member, form)
                shutil.copyfileobj(file, member, 1 << 20)
