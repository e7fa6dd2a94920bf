"""Makes a decoder and a twin of a recording with kinematics.

arrays --check--> Kinematics --lag--> aligned --validation--> decoder, and how it decodes bins held out
                                              --tuning------> parameters of a `tuned` population
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd import registry
from decoderd.arrays import Array
from decoderd.decoders.files import described, packed
from decoderd.errors import ArrayError, NumericalError, ProtocolError
from decoderd.input_warning import InputWarning
from decoderd.twin import output, timing
from decoderd.twin.kinematics import lag, nwb, protocol_text, tuning, validation
from decoderd.twin.kinematics.arrays import Kinematics, States, check, fast_speed, usable
from decoderd.twin.kinematics.lag import Lags
from decoderd.twin.kinematics.validation import Choice
from decoderd.twin.recording import is_nwb, read_arrays

# A fold takes as long as so many lags: measured with 256 units.
LAGS_A_FOLD = 10
# (parts done, parts in all)
Progress = Callable[[int, int], None]


class Fitted(NamedTuple):
    """All that a fit finds."""

    recorded: Kinematics
    lags: Lags
    choice: Choice
    weights: Array  # (4, N) of the twin: rates in Hz = [vx, vy, |v|, 1] @ weights
    warnings: list[InputWarning]


class Summary(NamedTuple):
    """Files written, sizes, and how well held-out bins are decoded."""

    population: Path
    decoder: Path
    protocol: Path
    bins: int
    bins_used: int
    units: int
    lag_s: float
    setting: str  # what regularises the decoder, "" if nothing
    value: float
    axes: tuple[str, ...]
    r2: Array  # (k,)
    r2_interval: Array  # (k, 2)
    correlation: Array  # (k,)
    correlation_interval: Array  # (k, 2)
    speed_m_s: float
    warnings: list[InputWarning]
    fitted: Fitted


def fit(
    recording: Path,
    out: Path,
    *,
    kinematics: States,
    decoder: str = "kalman",
    length_unit: str = "mm",
    axes: str | None = None,
    series: Sequence[str] = (),
    noise_factors: int = 0,
    bin_ticks: int | None = None,
    bin_s: float | None = None,
    on_progress: Progress = lambda done, parts: None,
) -> Summary:
    """Fit a decoder and a twin to a recording: write population.npz, decoder.npz and protocol.toml into `out`.

    Everything is computed and checked before anything is written.

    Args:
        recording: an .npz or .nwb file, see `decoderd.twin.kinematics.arrays`.
        out: made if need be.
        kinematics: what the decoder estimates, "velocity", or "position" for position and velocity.
        decoder: a kind of decoder that can be fitted to kinematics.
        length_unit: unit of length of the recording's kinematics: "mm", "cm" or "m".
        axes: the two axes to use, such as "x,y"; needed where kinematics are in 3-D.
        series: names of the series of an .nwb file to use, where there are several.
        noise_factors: factors of the noise that the twin's units have in common; 0: they have none.
        bin_ticks: ticks of the session in a decoder bin; None: 5, or fewer where a tick would be below 1 ms.
        bin_s: bin in which the spikes of an .nwb file are counted, s; None: its own decoder bins, or 0.045 s.
        on_progress: called with the number of parts done, and of all.

    Raises ArrayError or NumericalError naming file and array, ProtocolError for arguments that no session can have.
    """
    given, unread, unit = read(recording, bin_s, length_unit, series)
    kind = registry.find("decoders", decoder)
    try:
        checked, doubts = check(given, kinematics, unit, axes)
        found = fitted(checked, [*unread, *doubts], decoder, kinematics, on_progress)
        arrays = {**found.choice.decoder.arrays, "lag_bins": np.array(found.lags.lag)}
        if kinematics == "position":
            arrays["centre_m"] = np.array(checked.centre_m)
        parameters = kind.load(arrays)
        population = {"weights": found.weights}
        if noise_factors:
            data = validation.data(found.recorded, usable(found.recorded))
            population["shared"] = tuning.shared(data, found.weights, noise_factors)
        top_speed = fast_speed(checked.velocity[usable(checked)])
        how = protocol_text.reaching(top_speed, decoder, parameters, checked.bin_s)
        name, units = output.name(recording.stem), checked.counts.shape[1]
        ticks = timing.ticks_of(checked.bin_s, bin_ticks)
        text = protocol_text.protocol_text(name, decoder, kinematics, units, checked.bin_s, ticks, how)
    except (ArrayError, NumericalError, ProtocolError) as error:
        raise type(error)(f"{recording}: {error}", error.field) from None
    contents = {
        "population.npz": packed(population),
        "decoder.npz": packed(described(kind, arrays, checked.bin_s)),
        "protocol.toml": text.encode(),
    }
    output.write(out, contents)
    return _summary(out, found, how.speed_m_s)


def read(
    recording: Path, bin_s: float | None, length_unit: str, series: Sequence[str]
) -> tuple[dict[str, NDArray[Any]], tuple[InputWarning, ...], str]:
    """Arrays of an .npz or .nwb file, what is doubtful about them, and their unit of length. Raises ArrayError."""
    if is_nwb(recording):
        return *nwb.read(recording, bin_s, series), "m"
    return *read_arrays(recording, bin_s), length_unit


def fitted(
    recorded: Kinematics,
    doubts: list[InputWarning],
    decoder: str,
    states: States,
    on_progress: Progress = lambda done, parts: None,
) -> Fitted:
    """Lag, decoder and twin of a checked recording. Raises ArrayError, NumericalError or ProtocolError."""
    lags, fold = lag.candidates(recorded), validation.folds(recorded)
    parts, done = len(lags) + LAGS_A_FOLD * (int(fold[-1]) + 1), 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        on_progress(done, parts)

    found = lag.chosen(recorded, lags, fold, lambda: advance(1))
    aligned = lag.aligned(recorded, found.lag)
    choice = validation.chosen(decoder, aligned, states, fold, lambda: advance(LAGS_A_FOLD))
    twin = tuning.weights(validation.data(aligned, usable(aligned)))
    return Fitted(aligned, found, choice, twin, doubts + _doubtful_lag(found, recorded.bin_s))


def _doubtful_lag(found: Lags, bin_s: float) -> list[InputWarning]:
    """A warning of a lag that motor units do not have, or that lies at an end of those compared."""
    if found.lag < 0:
        text = f"the lag is {found.lag * bin_s:g} s: counts follow the kinematics, as those of sensory areas do"
        return [InputWarning("counts", text)]
    if found.lag == found.lags[-1] and len(found.lags) > 1:
        text = f"the lag is {found.lag * bin_s:g} s, the longest tried; are counts and kinematics of one clock?"
        return [InputWarning("counts", text)]
    return []


def _summary(out: Path, found: Fitted, speed_m_s: float) -> Summary:
    recorded, choice = found.recorded, found.choice
    return Summary(
        out / "population.npz",
        out / "decoder.npz",
        out / "protocol.toml",
        bins=len(recorded.counts),
        bins_used=int(usable(recorded).sum()),
        units=recorded.counts.shape[1],
        lag_s=found.lags.lag * recorded.bin_s,
        setting=choice.decoder.setting,
        value=choice.decoder.value,
        axes=choice.axes,
        speed_m_s=speed_m_s,
        warnings=found.warnings,
        fitted=found,
        **choice.score._asdict(),
    )
