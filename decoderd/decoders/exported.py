"""Our decoders as files for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from decoderd import files
from decoderd.decoders import bmi3d, kalman
from decoderd.decoders.files import packed, read
from decoderd.errors import ArrayError
from decoderd.matlab import save_mat


def to_bmi3d(
    decoder: Path,
    out: Path,
    *,
    axes: Sequence[str] = bmi3d.PLANE,
    length_unit: str = bmi3d.LENGTH_UNIT,
    bin_s: float | None = None,
) -> list[str]:
    """Write the arrays of `decoders.bmi3d.export` into an .npz or .mat file; returns the names of their states.

    Args:
        decoder: a Kalman filter of ours; `out` is written whole or not at all.
        axes: the axes of BMI3D that our x and y become.
        length_unit: unit of length of the written arrays.
        bin_s: for a file that does not say its bin.

    Raises ArrayError naming file and array, NumericalError for arrays that are no filter.
    """
    if out.suffix.lower() not in (".npz", ".mat"):
        raise ArrayError(f"{out}: must end with .npz or .mat", "out")
    given = read(decoder, kalman.KALMAN)
    bin_s = bin_s if bin_s is not None else given.bin_s
    if bin_s is None:
        raise ArrayError(f"{decoder}: bin_s: the file does not say the length of a bin; give it with --bin-s", "bin_s")
    model = kalman.load(given.arrays)
    arrays = bmi3d.export(model._asdict(), bin_s, axes, length_unit)
    try:
        with files.replacing(out) as stream:
            if out.suffix.lower() == ".mat":
                save_mat(stream, arrays)
            else:
                stream.write(packed(arrays))
    except OSError as error:
        raise ArrayError(f"{out}: cannot be written ({error.strerror})", "out") from None
    names: list[str] = arrays["states"].tolist()
    return names
