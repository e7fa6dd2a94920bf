"""Makes a twin of a recording: its decoder, a population with counts like those recorded, a protocol that runs both.

    recording --check--> Recording --decoder--> filter on factors --population--> parameters of the twin
                                                              `--subject-----> a subject with a model of this decoder

A factor analysis or a filter that the recording lacks is fitted, the filter to the intended directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.decoders import files as decoder_files
from decoderd.decoders import intrinsic_manifold
from decoderd.errors import ArrayError, NumericalError, ProtocolError
from decoderd.input_warning import InputWarning
from decoderd.populations import manifold
from decoderd.populations.subject import SubjectConfig
from decoderd.twin import decoder, factor_model, output, protocol_text, timing
from decoderd.twin.recording import MOST_HARMONICS, Recording, check, read_arrays
from decoderd.twin.tuning import Tuning, tuning

# A harmonic is used where its standard error is at most as many times that for evenly spread directions.
MOST_TIMES_THE_ERROR = 10.0


class Summary(NamedTuple):
    """Files written by `fit`, sizes, and how similar the twin is to the recording. K targets."""

    population: Path
    decoder: Path
    protocol: Path
    bins: int
    units: int
    latents: int
    harmonics: int
    fitted: tuple[str, ...]  # "factor analysis", "filter": those that were not in the recording
    progress_m: Array  # (K,) m a bin, recorded counts through the decoder, for each target that occurs
    twin_progress_m: Array  # (K,) the same of the twin's mean counts
    tuning_correlation: float  # of mean counts a target, twin with recording, without each unit's mean over targets
    rest_velocity_m_s: Array  # (2,) where the decoder settles at the recording's mean counts: its bias
    reference_speed_m_s: float
    lag_s: float
    warnings: tuple[InputWarning, ...]  # what was left out of the recording, and what is doubtful in it
    tuning: Tuning  # mean rates by direction, of the recording and of the twin


def fit(
    recording: Path,
    out: Path,
    *,
    length_unit: str = "mm",
    factors: int = 10,
    bin_ticks: int | None = None,
    bin_s: float | None = None,
    direction: str | None = None,
) -> Summary:
    """Make a twin of a recording: write population.npz, decoder.npz and protocol.toml into the folder `out`.

    Everything is computed and checked before anything is written.

    Args:
        recording: an .npz or .nwb file, see `decoderd.twin.recording`.
        out: made if need be.
        length_unit: unit of length of the recording's filter: "mm", "cm" or "m".
        factors: number of factors, where a factor analysis has to be fitted.
        bin_ticks: ticks of the session in a decoder bin; by default 5, or fewer where a tick would be below 1 ms.
        bin_s: bin in which the spikes of an .nwb file are counted, s; None: its own decoder bins, or 0.045 s.
        direction: column of an .nwb file's trials with their direction or target, see `decoderd.twin.nwb_direction`.

    Raises ArrayError or NumericalError naming file and array, ProtocolError for arguments that no session can have.
    """
    given, doubts = read_arrays(recording, bin_s, direction)
    try:
        checked = check(given, length_unit)
        arrays = decoder.decoder(checked, factors)
        mapped = intrinsic_manifold.load(arrays)
        parameters = population(checked, arrays)
        subject = protocol_text.subject(checked, mapped)
        ticks = timing.ticks_of(checked.bin_s, bin_ticks)
        text = protocol_text.protocol_text(output.name(recording.stem), checked, subject, ticks)
        summary = _summary(out, checked, mapped, parameters, subject, (*doubts, *checked.warnings))
    except (ArrayError, NumericalError, ProtocolError) as error:
        raise type(error)(f"{recording}: {error}", error.field) from None
    described = decoder_files.described(intrinsic_manifold.INTRINSIC_MANIFOLD, arrays, checked.bin_s)
    population_file, decoder_file = decoder_files.packed(parameters._asdict()), decoder_files.packed(described)
    output.write(out, {"population.npz": population_file, "decoder.npz": decoder_file, "protocol.toml": text.encode()})
    return summary


def population(recording: Recording, model: Mapping[str, NDArray[Any]]) -> manifold.Parameters:
    """The twin's population, with as many harmonics as the directions of targets determine, up to MOST_HARMONICS.

    `model` is a factor-analysis model, see `factor_model.population`. Raises NumericalError where the intended
    directions do not determine them.
    """
    number = harmonics(recording.target_angle[recording.target])
    return factor_model.population(recording.counts, recording.direction, recording.bin_s, model, number)


def harmonics(direction: Array) -> int:
    """The most harmonics, 1 to MOST_HARMONICS, that directions (T,) rad determine.

    Directions that are evenly spread determine (n - 1) / 2 of them if n are distinct. The condition number of the waves
    is then sqrt(2), and its growth is that of the coefficients' standard error.
    """
    waves = np.hstack([np.ones((len(direction), 1)), manifold.harmonics(direction, MOST_HARMONICS)])
    for number in range(MOST_HARMONICS, 1, -1):
        if np.linalg.cond(waves[:, : 1 + 2 * number]) <= MOST_TIMES_THE_ERROR * np.sqrt(2):
            return number
    return 1


def _summary(
    out: Path,
    recording: Recording,
    mapped: intrinsic_manifold.Parameters,
    parameters: manifold.Parameters,
    subject: SubjectConfig,
    warnings: tuple[InputWarning, ...],
) -> Summary:
    expected = factor_model.expected_counts(parameters, recording.direction)
    recorded_tuning, twin_tuning = (_tuning(recording.target, counts) for counts in (recording.counts, expected))
    return Summary(
        out / "population.npz",
        out / "decoder.npz",
        out / "protocol.toml",
        bins=len(recording.counts),
        units=recording.counts.shape[1],
        latents=parameters.loadings.shape[1],
        harmonics=len(parameters.tuning) // 2,
        fitted=(() if recording.factor_analysis else ("factor analysis",)) + (() if recording.filter else ("filter",)),
        progress_m=by_target(recording.target, decoder.progress(recording, recording.counts, mapped)),
        twin_progress_m=by_target(recording.target, decoder.progress(recording, expected, mapped)),
        tuning_correlation=float(np.corrcoef(recorded_tuning.ravel(), twin_tuning.ravel())[0, 1]),
        rest_velocity_m_s=decoder.settled_velocity(recording.counts.mean(axis=0, keepdims=True), mapped)[0],
        reference_speed_m_s=subject.max_speed_m_s,
        lag_s=subject.lag_s,
        warnings=warnings,
        tuning=tuning(
            recording.direction,
            recording.counts,
            recording.bin_s,
            lambda rows: expected[rows],
            lambda directions: factor_model.expected_counts(parameters, directions),
        ),
    )


def by_target(target: NDArray[np.int64], values: Array) -> Array:
    """Means of values (T, ...) over the bins of each target that occurs, in the order of targets."""
    return np.stack([values[target == k].mean(axis=0) for k in np.unique(target)])


def _tuning(target: NDArray[np.int64], counts: Array) -> Array:
    means = by_target(target, counts)
    return means - means.mean(axis=0)
