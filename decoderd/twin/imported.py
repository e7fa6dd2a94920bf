"""Decoders of other programs in our format, with a population and a protocol that run them.

The population is the one that the decoder assumes: a `tuned` one, whose units fire as the rows of C say. The subject is
as fast as A and W say that velocities are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array, load_npz
from decoderd.decoders import bmi3d, influence, kalman, layout, plausibility
from decoderd.decoders.files import described, packed
from decoderd.errors import ArrayError, NumericalError, ProtocolError
from decoderd.input_warning import InputWarning
from decoderd.matlab import load_mat
from decoderd.twin import output, timing
from decoderd.twin.kinematics import protocol_text
from decoderd.twin.kinematics.arrays import States

ABOUT = (
    "Centre-out reaches through a decoder of another program, by the units that it assumes. Made by `decoderd import`."
)


class Summary(NamedTuple):
    """Files written, and what of the given filter they hold."""

    decoder: Path
    population: Path | None  # None where the filter does not say how its units fire
    protocol: Path | None
    units: int
    states: tuple[str, ...]  # the given states that ours are, in our order
    left_out: tuple[str, ...]  # the others
    bin_s: float
    warnings: tuple[InputWarning, ...]


def from_bmi3d(
    file: Path,
    out: Path,
    *,
    states: Sequence[str] | None = None,
    axes: Sequence[str] = bmi3d.PLANE,
    length_unit: str = bmi3d.LENGTH_UNIT,
    bin_s: float | None = None,
) -> Summary:
    """Write decoder.npz, and population.npz and protocol.toml where they follow from it, into the folder `out`.

    Args:
        file: an .npz or .mat file with the arrays that `decoders.bmi3d.read` takes; the other arguments are its own.
        out: made if need be.

    Raises ArrayError or NumericalError naming file and array, ProtocolError for a bin that no session can have.
    """
    given = load_mat(file) if file.suffix.lower() == ".mat" else load_npz(file)
    try:
        found = bmi3d.read(given, states, axes, length_unit, bin_s)
        contents = {"decoder.npz": packed(described(kalman.KALMAN, found.arrays, found.bin_s))}
        doubts = [*found.warnings, *influence.warnings(kalman.KALMAN, kalman.load(found.arrays))]
        why = unsaid(found.arrays["C"], len(found.arrays["A"]))
        if why is None:
            contents |= _twin(output.name(file.stem), found)
        else:
            doubts.append(InputWarning("C", f"C: {why}; a population and a protocol were not made"))
    except (ArrayError, NumericalError, ProtocolError) as error:
        raise type(error)(f"{file}: {error}", error.field) from None
    output.write(out, contents)
    population, protocol = (out / name if name in contents else None for name in ("population.npz", "protocol.toml"))
    return Summary(
        out / "decoder.npz",
        population,
        protocol,
        units=len(found.arrays["C"]),
        states=found.states,
        left_out=found.left_out,
        bin_s=found.bin_s,
        warnings=tuple(doubts),
    )


def unsaid(C: Array, n: int) -> str | None:
    """Why rates of units do not follow from C (N, n); None where they do."""
    if layout.NAMES[n][-1] != "1":
        return "the filter has no constant state, so that the units' baseline is unknown"
    if np.median(C[:, -1]) <= 0:
        return (
            "half of the units have a baseline of 0 or less, as of counts less their mean (if the other program "
            "normalises counts, save zscore, mFR and sdFR with the filter)"
        )
    return None


def weights(C: Array, bin_s: float) -> Array:
    """(4, N): rates in Hz = [vx, vy, |v|, 1] @ weights, from C (N, n): counts by velocities in m/s and a constant."""
    velocity = layout.of(C.shape[1]).velocity
    found: Array = np.vstack([C[:, velocity].T, np.zeros(len(C)), np.maximum(C[:, -1], 0.0)]) / bin_s
    return found


def _twin(name: str, found: bmi3d.Imported) -> dict[str, bytes]:
    """The files of the population and the protocol. Raises ProtocolError for a bin that no session can have."""
    model = kalman.load(found.arrays)
    where = layout.of(len(model.A))
    v = where.velocity
    sd = plausibility.velocity_sd(model.A[v, v], model.W[v, v], max(1, round(plausibility.REACH_S / found.bin_s)))
    how = protocol_text.reaching(sd / plausibility.SD_OF_TOP_SPEED, "kalman", model, found.bin_s)
    states: States = "velocity" if where.position is None else "position"
    ticks = timing.ticks_of(found.bin_s)
    text = protocol_text.protocol_text(name, "kalman", states, len(model.C), found.bin_s, ticks, how, ABOUT)
    population = packed({"weights": weights(model.C, found.bin_s)})
    return {"population.npz": population, "protocol.toml": text.encode()}
