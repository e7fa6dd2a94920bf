"""From a recording to a closed loop: its decoder, a twin of its population, and a protocol that runs the two.

    recording --check--> Recording --decoder--> filter on factors --population--> the twin's parameters
                                                              `--subject-----> a subject who knows this decoder

A recording is an .npz of counts in decoder bins with the target of each bin, or an .nwb file (`decoderd.twin.nwb`).
T bins, N units, q factors, K targets; U is the recording's unit of length (mm unless told otherwise):

    counts            T x N   spikes of a bin
    target            T       index of the target, 0..K-1
    target_angle_deg  K       its direction from the centre
    bin_s             scalar  s
    cursor_to_target  T x 2   optional: unit vectors, the direction intended in a bin; else that of the target
    count_mean, count_scale (N), fa_loadings (N x q), fa_private_var (N)
                              optional: a factor-analysis model of (counts - count_mean) count_scale
    kf_A, kf_b (U/s), kf_Q (U^2/s^2), kf_C (s/U), kf_d, kf_R, factor_scale (q)
                              optional: a velocity Kalman filter on the scaled factors; may come with factor_mean (q)
                              and permutation (q), see `decoderd.decoders.intrinsic_manifold`
    target_radius_mm, cursor_radius_mm
                              optional scalars, mm as they say

What is not there is fitted: a factor analysis, or a filter to the intended directions. A mapping already worked out
(M1, M2, m0) is not read: the decoder is made of the filter and the factor analysis.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

from decoderd.arrays import Array, check_array, load_npz, require_arrays
from decoderd.decoders import Calibration, CalibrationData, fitting, intrinsic_manifold
from decoderd.errors import ArrayError, NumericalError, ProtocolError
from decoderd.populations import manifold
from decoderd.populations.subject import SubjectConfig
from decoderd.protocol import protocol
from decoderd.twin import factor_model, nwb

FACTOR_ANALYSIS = ("count_mean", "count_scale", "fa_loadings", "fa_private_var")
FILTER = (*intrinsic_manifold.FILTER, "factor_scale")
METRES = {"m": 1.0, "cm": 1e-2, "mm": 1e-3}

# The task of Sadtler et al. 2014 and Golub et al. 2018.
DISTANCE_M = 0.125
RADIUS_M = 0.02
TIMEOUT_S = 7.5
# Speed at full effort through a filter that had to be fitted, as the recording knows none: a target in about a second.
MEANT_SPEED_M_S = 0.15
FASTEST_M_S = 5.0
# On the recording of Golub et al. 2018 the cross-validated error of the latents falls by 18 % from no harmonic to one,
# by 0.8 % to two, stays at three and rises after. Three keep the means of 8 targets best.
MOST_HARMONICS = 3


class Recording(NamedTuple):
    """A checked recording."""

    counts: Array  # (T, N)
    target: NDArray[np.int64]  # (T,)
    direction: Array  # (T,) rad, intended
    bin_s: float
    factor_analysis: dict[str, NDArray[Any]]  # arrays FACTOR_ANALYSIS, or none
    filter: dict[str, NDArray[Any]]  # arrays FILTER in SI units and the optional two, or none
    radius_m: float
    cursor_radius_m: float


class Summary(NamedTuple):
    """What was read, what was made of it, and how like the recording it is. K targets."""

    population: Path
    decoder: Path
    protocol: Path
    bins: int
    units: int
    latents: int
    harmonics: int
    fitted: tuple[str, ...]  # of "factor analysis" and "filter", those that were not in the recording
    progress_m: Array  # (K,) m a bin, recorded counts through the decoder, for each target that occurs
    twin_progress_m: Array  # (K,) the same of the twin's mean counts
    tuning_correlation: float  # of mean counts a target, twin's with recorded, each unit's mean over targets removed
    rest_velocity_m_s: Array  # (2,) where the decoder settles at the recording's mean counts: its bias
    reference_speed_m_s: float
    lag_s: float


def fit(
    recording: Path,
    out: Path,
    *,
    length_unit: str = "mm",
    factors: int = 10,
    bin_ticks: int = 5,
    bin_s: float = 0.045,
) -> Summary:
    """Write population.npz, decoder.npz and protocol.toml into the folder `out`, made if need be.

    length_unit: of the recording's filter, "mm", "cm" or "m"; factors: of a factor analysis, where one is to be made;
    bin_ticks: ticks of the session in a decoder bin; bin_s: bin in which the spikes of an .nwb file are to be
    counted (an .npz brings its own). Everything is made and checked before anything is written.

    Raises ArrayError or NumericalError naming file and array, ProtocolError for arguments that no session can have.
    """
    given = nwb.read(recording, bin_s) if recording.suffix == ".nwb" else load_npz(recording)
    try:
        checked = check(given, length_unit)
        arrays = decoder(checked, factors)
        mapped = intrinsic_manifold.load(arrays)
        parameters = population(checked, arrays)
        intender = subject(checked, mapped)
        text = protocol_text(_name(recording.stem), checked, intender, bin_ticks)
        summary = _summary(out, checked, mapped, parameters, intender)
    except (ArrayError, NumericalError, ProtocolError) as error:
        raise type(error)(f"{recording}: {error}", error.field) from None
    _write(
        out, {"population.npz": _npz(parameters._asdict()), "decoder.npz": _npz(arrays), "protocol.toml": text.encode()}
    )
    return summary


# --- the recording ----------------------------------------------------------------------------------------------


def check(arrays: Mapping[str, NDArray[Any]], length_unit: str = "mm") -> Recording:
    """A recording's arrays, checked and in SI units. Raises ArrayError naming the first that does not fit."""
    if length_unit not in METRES:
        raise ProtocolError(f"length_unit = {length_unit!r}: must be one of {', '.join(METRES)}", "length_unit")
    require_arrays(arrays, ("counts", "target", "target_angle_deg", "bin_s"), "a recording")
    counts = _counts(arrays["counts"])
    angles = np.deg2rad(check_array("target_angle_deg", arrays["target_angle_deg"], (None,)))
    target = _targets(arrays["target"], len(counts), len(angles))
    bin_s = float(check_array("bin_s", arrays["bin_s"], ()))
    if bin_s <= 0:
        raise ArrayError(f"bin_s = {bin_s}: must be above 0 (seconds)", "bin_s")
    direction = _directions(arrays, angles[target])
    _enough(counts, target)
    model = _factor_analysis(arrays, counts.shape[1])
    filter_ = scaled(_filter(arrays), METRES[length_unit])
    if filter_ and not model:
        names = ", ".join(FACTOR_ANALYSIS)
        raise ArrayError(f"kf_C: a filter on factors needs the model that they are factors of: {names}", "fa_loadings")
    return Recording(counts, target, direction, bin_s, model, filter_, *_radii(arrays))


def _counts(value: Any) -> Array:
    counts = check_array("counts", value, (None, None))
    odd = np.argwhere((counts < 0) | (counts != np.round(counts)))
    if len(odd):
        row, unit = odd[0]
        raise ArrayError(f"counts[{row}, {unit}] = {counts[row, unit]:g}: must be whole numbers from 0", "counts")
    return counts


def _targets(value: Any, bins: int, targets: int) -> NDArray[np.int64]:
    target = check_array("target", value, (bins,))
    wrong = np.flatnonzero((target < 0) | (target >= targets) | (target != np.round(target)))
    if len(wrong):
        raise ArrayError(
            f"target[{wrong[0]}] = {target[wrong[0]]:g}: must be an index 0..{targets - 1} into target_angle_deg",
            "target",
        )
    return target.astype(np.int64)


def _directions(arrays: Mapping[str, NDArray[Any]], of_target: Array) -> Array:
    """(T,) rad: of cursor_to_target, or of each bin's target."""
    if "cursor_to_target" not in arrays:
        return of_target
    toward = check_array("cursor_to_target", arrays["cursor_to_target"], (len(of_target), 2))
    length = np.hypot(toward[:, 0], toward[:, 1])
    wrong = np.flatnonzero(np.abs(length - 1) > 1e-3)
    if len(wrong):
        raise ArrayError(
            f"cursor_to_target[{wrong[0]}]: has length {length[wrong[0]]:g}, expected unit vectors", "cursor_to_target"
        )
    return np.arctan2(toward[:, 1], toward[:, 0])


def _enough(counts: Array, target: NDArray[np.int64]) -> None:
    used = len(np.unique(target))
    if used < 3:
        raise ArrayError(f"target: {used} targets occur; at least 3 are needed to know any tuning", "target")
    if len(counts) < 10 * used:
        raise ArrayError(
            f"counts: {len(counts)} bins of {used} targets are too few; at least 10 a target are needed", "counts"
        )


def _group(
    arrays: Mapping[str, NDArray[Any]], prefix: str, names: tuple[str, ...], what: str, optional: tuple[str, ...] = ()
) -> dict[str, NDArray[Any]]:
    """The arrays `names`, and of `optional` those there; none where there is none of the `names` with this prefix."""
    if not any(name in arrays for name in names if name.startswith(prefix)):
        return {}
    require_arrays(arrays, names, what)
    return {name: arrays[name] for name in (*names, *optional) if name in arrays}


def _factor_analysis(arrays: Mapping[str, NDArray[Any]], units: int) -> dict[str, NDArray[Any]]:
    """The model of z-scored counts, or none."""
    given = _group(arrays, "fa_", FACTOR_ANALYSIS, "a factor-analysis model")
    model: dict[str, NDArray[Any]] = {
        name: check_array(name, value, (units, None) if name == "fa_loadings" else (units,))
        for name, value in given.items()
    }
    for name in ("count_scale", "fa_private_var") if model else ():
        unit = int(np.argmin(model[name]))
        if model[name][unit] <= 0:
            raise ArrayError(f"{name}[{unit}] = {model[name][unit]:g}: must be above 0", name)
    return model


def _filter(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The filter in the recording's units, or none."""
    given = _group(arrays, "kf_", FILTER, "a filter on factors", optional=("factor_mean", "permutation"))
    return {name: check_array(name, value, (None,) * np.ndim(value)) for name, value in given.items()}


def scaled(arrays: Mapping[str, NDArray[Any]], factor: float) -> dict[str, NDArray[Any]]:
    """A filter that decodes `factor` times the velocity: b scales as velocity does, Q as its square, C inversely."""
    power = {"kf_b": 1, "kf_Q": 2, "kf_C": -1}
    return {name: value * factor ** power.get(name, 0) for name, value in arrays.items()}


def _radii(arrays: Mapping[str, NDArray[Any]]) -> tuple[float, float]:
    """Radius of the target and of the cursor, m."""
    target = float(check_array("target_radius_mm", arrays.get("target_radius_mm", RADIUS_M * 1e3), ())) * 1e-3
    cursor = float(check_array("cursor_radius_mm", arrays.get("cursor_radius_mm", 0.0), ())) * 1e-3
    if not 0 <= cursor < target:
        raise ArrayError(
            f"cursor_radius_mm = {cursor * 1e3:g}: must be from 0 to below target_radius_mm = {target * 1e3:g}",
            "cursor_radius_mm",
        )
    return target, cursor


# --- the decoder ------------------------------------------------------------------------------------------------


def decoder(recording: Recording, factors: int = 10) -> dict[str, NDArray[Any]]:
    """Arrays of an intrinsic-manifold decoder in SI units: the recording's own as far as it has them, else fitted.

    A filter is fitted with the intended direction as velocity, and scaled: the recorded counts then move the cursor
    towards its targets at MEANT_SPEED_M_S. Raises ArrayError or NumericalError where a factor analysis is impossible
    or the arrays do not fit together, ProtocolError for a number of factors that none has.
    """
    if not 1 <= factors <= 100:
        raise ProtocolError(f"factors = {factors}: must be from 1 to 100", "factors")
    model = recording.factor_analysis or fitting.factor_analysis(recording.counts, factors)
    factor_model.independent(model["fa_loadings"], model["fa_private_var"])
    if recording.filter:
        return {**model, **recording.filter}
    meant = CalibrationData(recording.counts, None, _unit_vectors(recording.direction), recording.bin_s)
    arrays = fitting.intrinsic_manifold(meant, Calibration(speed_sd_m_s=math.sqrt(0.5)), model)
    return scaled(arrays, MEANT_SPEED_M_S / settled_speed(recording, intrinsic_manifold.load(arrays)))


def _unit_vectors(angle: Array) -> Array:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def progress(recording: Recording, counts: Array, mapped: intrinsic_manifold.Parameters) -> Array:
    """(T,) m a bin: how far `counts` (T, N) alone move the cursor towards the target, (M2 u + m0) . direction bin_s.

    The measure of performance of Golub et al. 2018.
    """
    velocity = counts @ mapped.mapping.M2.T + mapped.mapping.m0
    return (velocity * _unit_vectors(recording.direction)).sum(axis=1) * recording.bin_s


def population(recording: Recording, model: Mapping[str, NDArray[Any]]) -> manifold.Parameters:
    """The twin (`twin.population`) with as many harmonics as the targets tell apart, up to MOST_HARMONICS.

    Raises NumericalError where targets share their directions.
    """
    harmonics = min(MOST_HARMONICS, (len(np.unique(recording.target)) - 1) // 2)
    return factor_model.population(recording.counts, recording.direction, recording.bin_s, model, harmonics)


# --- the protocol -----------------------------------------------------------------------------------------------


def subject(recording: Recording, mapped: intrinsic_manifold.Parameters) -> SubjectConfig:
    """A subject who knows the decoder: `max_speed_m_s` is the speed at full effort, `lag_s` the decoder's smoothing.

    The speed is `settled_speed`, the lag that of M1. Costs follow Bryson's rule, each scaled by what is tolerable: a
    target's radius, this speed. There is no motor noise: what varied in the recording is in the population's
    covariances already.

    Raises NumericalError if at that speed targets could not be reached in time, or the cursor hardly be seen.
    """
    speed = settled_speed(recording, mapped)
    slowest = DISTANCE_M / TIMEOUT_S
    if not slowest <= speed <= FASTEST_M_S:
        raise NumericalError(
            f"kf_C: with the recorded counts the decoder's cursor goes towards the target at {speed:.3g} m/s, expected "
            f"{slowest:.2g} to {FASTEST_M_S:g} m/s; is the length unit right, and are the counts this decoder's?",
            "kf_C",
        )
    keep = float(np.trace(mapped.mapping.M1)) / 2
    lag = -recording.bin_s / math.log(keep) if 0 < keep < 1 else 0.0
    return SubjectConfig(
        lag_s=_four_digits(min(max(lag, recording.bin_s), 1.0)),
        position_scale_m=recording.radius_m,
        speed_scale_m_s=_four_digits(speed),
        effort_scale_m_s=_four_digits(speed),
        max_speed_m_s=_four_digits(speed),
        motor_noise_m_s=0.0,
    )


def settled(counts: Array, mapped: intrinsic_manifold.Parameters) -> Array:
    """(T, 2) m/s, where the decoder's velocity settles if counts (T, N) stay as they are: (I - M1)^-1 (M2 u + m0)."""
    M1, M2, m0, *_ = mapped.mapping
    return solve(np.eye(2) - M1, M2 @ counts.T + m0[:, np.newaxis]).T


def settled_speed(recording: Recording, mapped: intrinsic_manifold.Parameters) -> float:
    """m/s in the intended direction, mean over bins, once the decoder's velocity has settled on their counts."""
    velocity = settled(recording.counts, mapped)
    return float((velocity * _unit_vectors(recording.direction)).sum(axis=1).mean())


def _four_digits(value: float) -> float:
    return float(f"{value:.4g}")


def protocol_text(name: str, recording: Recording, intender: SubjectConfig, bin_ticks: int) -> str:
    """A centre-out protocol in TOML that runs population.npz and decoder.npz beside it. Raises ProtocolError."""
    if bin_ticks < 1:
        raise ProtocolError(f"bin_ticks = {bin_ticks}: must be at least 1", "bin_ticks")
    text = f"""\
# Centre-out reaches by the twin of a recording, through the recording's decoder. Made by `decoderd fit`.
name = "{name}"
seed = 1
tick_s = {recording.bin_s / bin_ticks!r}
bin_ticks = {bin_ticks}

[[schedule.blocks]]
name = "reaches"
trials = 80

[task]
kind = "centre_out"
targets = 8
distance_m = {DISTANCE_M}
radius_m = {recording.radius_m!r}
cursor_radius_m = {recording.cursor_radius_m!r}
centre_radius_m = {recording.radius_m!r}
centre_hold_s = 0.0
target_hold_s = 0.0
reach_timeout_s = {TIMEOUT_S}
recentre = true

[effector]
kind = "cursor"
half_width_m = 0.2

[population]
kind = "manifold"
file = "population.npz"
reference_speed_m_s = {intender.max_speed_m_s!r}  # at full effort, as in the recording

[population.subject]
lag_s = {intender.lag_s!r}  # the decoder's smoothing
position_scale_m = {intender.position_scale_m!r}
speed_scale_m_s = {intender.speed_scale_m_s!r}
effort_scale_m_s = {intender.effort_scale_m_s!r}
max_speed_m_s = {intender.max_speed_m_s!r}
motor_noise_m_s = {intender.motor_noise_m_s!r}  # the population's covariances hold what varied

[decoder]
kind = "intrinsic_manifold"
file = "decoder.npz"
"""
    try:
        protocol.parse(tomllib.loads(text))
    except ProtocolError as error:
        tick = f"{recording.bin_s:g} s / {bin_ticks}"
        raise ProtocolError(f"{error}\n(tick_s is bin_s / bin_ticks, {tick})", error.field) from None
    return text


def _name(stem: str) -> str:
    """A protocol's name made of a file's."""
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:64].rstrip("-") or "twin"


# --- writing ----------------------------------------------------------------------------------------------------


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    packed = BytesIO()
    np.savez(packed, **arrays)  # type: ignore[arg-type]
    return packed.getvalue()


def _write(out: Path, files: Mapping[str, bytes]) -> None:
    """All files, each under another name until all are whole. Raises ArrayError where the folder takes none."""
    written: list[tuple[Path, Path]] = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            written.append((out / f".{name}.{os.getpid()}", out / name))
            written[-1][0].write_bytes(content)
        for temporary, path in written:
            os.replace(temporary, path)
    except OSError as error:
        raise ArrayError(f"{out}: cannot be written ({error})") from None
    finally:
        for temporary, _ in written:
            temporary.unlink(missing_ok=True)


def _summary(
    out: Path,
    recording: Recording,
    mapped: intrinsic_manifold.Parameters,
    parameters: manifold.Parameters,
    intender: SubjectConfig,
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
        progress_m=by_target(recording.target, progress(recording, recording.counts, mapped)),
        twin_progress_m=by_target(recording.target, progress(recording, expected, mapped)),
        tuning_correlation=float(np.corrcoef(recorded_tuning.ravel(), twin_tuning.ravel())[0, 1]),
        rest_velocity_m_s=settled(recording.counts.mean(axis=0, keepdims=True), mapped)[0],
        reference_speed_m_s=intender.max_speed_m_s,
        lag_s=intender.lag_s,
    )


def by_target(target: NDArray[np.int64], values: Array) -> Array:
    """Means of values (T, ...) over the bins of each target that occurs, in the order of targets."""
    return np.stack([values[target == k].mean(axis=0) for k in np.unique(target)])


def _tuning(target: NDArray[np.int64], counts: Array) -> Array:
    means = by_target(target, counts)
    return means - means.mean(axis=0)
