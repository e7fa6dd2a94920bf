"""Says what kind of file another program wrote, by its first bytes, and how its arrays get into an .npz file."""

from __future__ import annotations

import re
from typing import NamedTuple

HDF5 = b"\x89HDF\r\n\x1a\n"
# As many bytes as `foreign` looks at.
LOOK = 512

SAVE = 'save its arrays with numpy.savez("FILE.npz", NAME=ARRAY, ...)'


class Format(NamedTuple):
    """A format that is no .npz or .npy, and what to do with such a file."""

    signature: re.Pattern[bytes]  # of the first bytes
    suffixes: tuple[str, ...]  # of files that have no signature
    name: str
    remedy: str


FORMATS = (
    Format(
        re.compile(rb"MATLAB \d"),
        (".mat",),
        "a MATLAB file",
        'read it in Python with scipy.io.loadmat("FILE.mat") (version 7.3: with h5py), and ' + SAVE,
    ),
    Format(
        re.compile(rb"\x80[\x02-\x05]"),
        (".pkl", ".pickle", ".p"),
        "a pickle, which could run any program when it is read",
        "if you trust it, read it in Python with pickle.load, and " + SAVE,
    ),
    Format(re.compile(re.escape(HDF5)), (".h5", ".hdf5"), "an HDF5 file", "read it in Python with h5py, and " + SAVE),
    Format(re.compile(rb"\x1f\x8b"), (".gz",), "compressed by gzip", "decompress it first"),
)


def foreign(first: bytes, suffix: str) -> str | None:
    """What a file is that begins with `first`, and what to do with it; None if it is in no known foreign format."""
    by_content = [known for known in FORMATS if known.signature.match(first)]
    by_suffix = [known for known in FORMATS if suffix.lower() in known.suffixes]
    return next((f"is {known.name}; {known.remedy}" for known in by_content + by_suffix), None)
