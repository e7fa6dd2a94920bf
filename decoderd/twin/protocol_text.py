"""The protocol that runs a twin: its subject, from the decoder, and the TOML text."""

from __future__ import annotations

from decoderd.decoders import intrinsic_manifold
from decoderd.errors import NumericalError
from decoderd.populations.subject import SubjectConfig
from decoderd.twin import timing
from decoderd.twin.decoder import settled_speed
from decoderd.twin.recording import Recording

# The task of Sadtler et al. 2014 and Golub et al. 2018.
DISTANCE_M = 0.125
TIMEOUT_S = 7.5
FASTEST_M_S = 5.0


def subject(recording: Recording, mapped: intrinsic_manifold.Parameters) -> SubjectConfig:
    """A subject whose model of the decoder is right: its speed at full effort and its smoothing, as `lag_s`.

    The speed is `settled_speed`, the lag that of M1. Costs follow Bryson's rule, each scaled by what is tolerable: a
    target's radius, this speed. There is no motor noise: variability of the recording is in the population's
    covariances already.

    Raises NumericalError if at that speed targets could not be reached in time, or the cursor could not be seen.
    """
    speed = settled_speed(recording, mapped)
    slowest = DISTANCE_M / TIMEOUT_S
    if not slowest <= speed <= FASTEST_M_S:
        raise NumericalError(
            f"kf_C: with the recorded counts the decoder's cursor goes towards the target at {speed:.3g} m/s, expected "
            f"{slowest:.2g} to {FASTEST_M_S:g} m/s; is the length unit right, and are the counts of this decoder?",
            "kf_C",
        )
    return SubjectConfig(
        lag_s=_four_digits(timing.lag(timing.smoothing(mapped.mapping.M1, recording.bin_s), recording.bin_s)),
        position_scale_m=recording.radius_m,
        speed_scale_m_s=_four_digits(speed),
        effort_scale_m_s=_four_digits(speed),
        max_speed_m_s=_four_digits(speed),
        motor_noise_m_s=0.0,
    )


def _four_digits(value: float) -> float:
    return float(f"{value:.4g}")


def protocol_text(name: str, recording: Recording, subject: SubjectConfig, bin_ticks: int) -> str:
    """A centre-out protocol in TOML that uses population.npz and decoder.npz in its folder.

    Raises ProtocolError for a tick that no session can have.
    """
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
reference_speed_m_s = {subject.max_speed_m_s!r}  # at full effort, as in the recording

[population.subject]
lag_s = {subject.lag_s!r}  # the decoder's smoothing
position_scale_m = {subject.position_scale_m!r}
speed_scale_m_s = {subject.speed_scale_m_s!r}
effort_scale_m_s = {subject.effort_scale_m_s!r}
max_speed_m_s = {subject.max_speed_m_s!r}
motor_noise_m_s = {subject.motor_noise_m_s!r}  # variability is in the population's covariances

[decoder]
kind = "intrinsic_manifold"
file = "decoder.npz"
"""
    timing.check(text, recording.bin_s, bin_ticks)
    return text
