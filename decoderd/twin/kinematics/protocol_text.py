"""The protocol that runs a twin of a recording with kinematics: its task and subject, from the movements recorded."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from decoderd import registry
from decoderd.populations.subject import SubjectConfig
from decoderd.twin import timing
from decoderd.twin.kinematics.arrays import States

FITTED = "Centre-out reaches by the twin of a recording, through the decoder fitted to it. Made by `decoderd fit`."
# A reach at full speed takes this long, without the time to get there; the radius of a target is a part of its
# distance: about those of Orsborn et al. 2014.
REACH_S = 0.45
RADIUS = 0.17
# Costs and motor noise of the subject that sessions have by default, as parts of its speed or of the target's radius.
DEFAULT = SubjectConfig()
SPEED_SCALE, EFFORT_SCALE, MOTOR_NOISE = (
    value / DEFAULT.max_speed_m_s
    for value in (DEFAULT.speed_scale_m_s, DEFAULT.effort_scale_m_s, DEFAULT.motor_noise_m_s)
)
POSITION_SCALE = 0.8
# Bins after which a decoder's gain is that of its steady state.
SETTLING_BINS = 200
# A reach may take so many times as long as it would at full speed.
PATIENCE = 5


class Reaching(NamedTuple):
    """The subject's speed and lag, and reaches that suit them."""

    speed_m_s: float  # at full effort
    lag_s: float  # the decoder's smoothing
    distance_m: float
    radius_m: float
    timeout_s: float


def reaching(speed: float, kind: str, decoder: Any, bin_s: float) -> Reaching:
    """Reaches of a subject of this top speed, m/s, whose model of the decoder is right."""
    lag = timing.lag(smoothing(kind, decoder, bin_s), bin_s)
    distance = min(speed * REACH_S, 0.5)
    timeout = PATIENCE * (distance / speed + 2 * lag)
    return Reaching(*(_three_digits(x) for x in (speed, lag, distance, RADIUS * distance, timeout)))


def smoothing(kind: str, parameters: Any, bin_s: float) -> float:
    """Time constant, s, with which the velocity of a decoder follows its counts; 0 for one without memory."""
    decoder = registry.find("decoders", kind)
    if decoder.linear is None:
        return 0.0
    state = decoder.init(parameters, 1)
    for _ in range(SETTLING_BINS):
        state, _ = decoder.step(parameters, state, np.zeros((1, decoder.units(parameters))), np.zeros((1, 2)))
    settled = decoder.linear(parameters, state)
    return timing.smoothing(settled.H @ settled.F @ settled.H.T, bin_s)


def _three_digits(value: float) -> float:
    return float(f"{value:.3g}")


def protocol_text(
    name: str, kind: str, states: States, units: int, bin_s: float, bin_ticks: int, how: Reaching, about: str = FITTED
) -> str:
    """A centre-out protocol in TOML that uses population.npz and decoder.npz in its folder; `about` is its first line.

    Raises ProtocolError for a tick that no session can have.
    """
    text = f"""\
# {about}
name = "{name}"
seed = 1
tick_s = {bin_s / bin_ticks!r}
bin_ticks = {bin_ticks}

[[schedule.blocks]]
name = "reaches"
trials = 80

[task]
kind = "centre_out"
targets = 8
distance_m = {how.distance_m!r}
radius_m = {how.radius_m!r}
centre_radius_m = {how.radius_m!r}
centre_hold_s = 0.0
target_hold_s = 0.2
reach_timeout_s = {how.timeout_s!r}
recentre = true

[effector]
kind = "cursor"
half_width_m = {_three_digits(2 * how.distance_m)!r}

[population]
kind = "tuned"
file = "population.npz"
units = {units}
reference_speed_m_s = {how.speed_m_s!r}

[population.subject]
lag_s = {how.lag_s!r}  # the decoder's smoothing
position_scale_m = {_three_digits(POSITION_SCALE * how.radius_m)!r}
speed_scale_m_s = {_three_digits(SPEED_SCALE * how.speed_m_s)!r}
effort_scale_m_s = {_three_digits(EFFORT_SCALE * how.speed_m_s)!r}
max_speed_m_s = {how.speed_m_s!r}
motor_noise_m_s = {_three_digits(MOTOR_NOISE * how.speed_m_s)!r}  # as a part of the speed, that of sessions by default

[decoder]
kind = "{kind}"
file = "decoder.npz"
{_state(kind, states)}"""
    timing.check(text, bin_s, bin_ticks)
    return text


def _state(kind: str, states: States) -> str:
    """The field `state` of kinds that have one."""
    if "state" not in registry.find("decoders", kind).Config.model_fields:
        return ""
    return 'state = "position_velocity"\n' if states == "position" else 'state = "velocity"\n'
