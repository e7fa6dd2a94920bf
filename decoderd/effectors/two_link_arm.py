"""Two-link arm: planar, moved by torques at shoulder and elbow. The cursor is its hand.

Equations of motion as in Li & Todorov (2004, Proc. ICINCO): no gravity, viscous friction at the joints, moments of
inertia about the proximal joint; hence only the forearm's mass and centre of mass enter. They are written here in the
directions (a, b) of upper arm and forearm, as angles from the x axis, which is equivalent to the joint angles
(a, b - a):

    I1' a" + k b" - h b'^2 = T_shoulder - T_elbow,    k = m d l1 cos(b - a),    I1' = I1 + m l1^2
    k a" + I2 b" + h a'^2 = T_elbow,                  h = m d l1 sin(b - a)

with T the torque at a joint minus its friction. Torque follows the command through a low-pass filter, as muscle force
does. A tick is a step of explicit Euler: all values on the right are those of the tick before, so that a command moves
the hand two ticks later.

These equations are singular in no posture. The elbow may straighten and bend to the other side. Joint angles have no
limits; the angular speed of a link has one, which keeps all values finite for any torques.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from decoderd.arrays import Array
from decoderd.config import ComponentConfig, Coordinate, Metres
from decoderd.effectors import Effector
from decoderd.errors import ArrayError, ProtocolError
from decoderd.state import Command, Timing

# State, one array (..., 6): directions of upper arm and forearm (rad), their rates (rad/s), torques at shoulder and
# elbow (N m).
DIRECTION, RATE, TORQUE = slice(0, 2), slice(2, 4), slice(4, 6)

Inertia = Annotated[float, Field(strict=True, gt=0, le=10)]
Friction = Annotated[float, Field(strict=True, ge=-10, le=10)]


class Config(ComponentConfig):
    """Settings. Pairs are (upper arm, forearm) or (shoulder, elbow)."""

    kind: Literal["two_link_arm"] = "two_link_arm"
    lengths_m: tuple[Metres, Metres] = (0.12, 0.16)
    inertias_kg_m2: tuple[Inertia, Inertia] = (0.0018, 0.0012)
    forearm_mass_kg: Annotated[float, Field(strict=True, gt=0, le=100)] = 0.20
    forearm_com_m: Metres = 0.075
    friction_n_m_s_rad: tuple[tuple[Friction, Friction], tuple[Friction, Friction]] = ((0.05, 0.025), (0.025, 0.05))
    tau_s: Annotated[float, Field(strict=True, gt=0, le=1)] = 0.04
    centre_m: tuple[Coordinate, Coordinate] = (0.0, 0.2)
    max_rate_rad_s: Annotated[float, Field(strict=True, gt=0, le=200)] = 20.0

    @model_validator(mode="after")
    def _can_exist(self) -> Self:
        least = self.forearm_mass_kg * self.forearm_com_m**2
        if self.inertias_kg_m2[1] < least:
            raise ValueError(
                f"inertias_kg_m2 has {self.inertias_kg_m2[1]:g} for the forearm, about the elbow: must be at least "
                f"forearm_mass_kg forearm_com_m^2 = {least:g}"
            )
        friction = np.array(self.friction_n_m_s_rad)
        if np.linalg.eigvalsh(friction + friction.T).min() < -1e-9:
            raise ValueError(
                f"friction_n_m_s_rad = {self.friction_n_m_s_rad}: must be positive semidefinite, so that it brakes"
            )
        low, high = abs(self.lengths_m[0] - self.lengths_m[1]), sum(self.lengths_m)
        if not low < np.hypot(*self.centre_m) < high:
            raise ValueError(
                f"centre_m = {self.centre_m}: must be more than {low:g} m and less than {high:g} m from the shoulder"
            )
        return self


class Plan(NamedTuple):
    """Constants of a session."""

    length: Array  # (2,) m
    centre: Array  # (2,) m, from the shoulder
    inertia: Array  # (2,) kg m^2: I2, I1' (each multiplies the force of the other link)
    coupling: float  # kg m^2: m d l1
    drive: Array  # (4, 2): generalised forces are (rates, torques) @ drive
    stay: Array  # (6, 6): the next state, but for accelerations, is state @ stay + torques @ move
    move: Array  # (2, 6)
    tick_s: float
    max_rate: float  # rad/s


# Joint angles are directions @ JOINTS, and generalised forces of directions are joint torques @ JOINTS.T.
JOINTS = np.array([[1.0, -1.0], [0.0, 1.0]])


def plan(config: Config, timing: Timing) -> Plan:
    """The equations above as matrices. Raises ProtocolError for a tick too long for the friction of a straight arm."""
    (l1, l2), (i1, i2) = config.lengths_m, config.inertias_kg_m2
    dt, m = timing.tick_s, config.forearm_mass_kg
    upper, coupling = i1 + m * l1**2, m * config.forearm_com_m * l1
    friction = JOINTS @ np.array(config.friction_n_m_s_rad).T @ JOINTS.T
    # Euler is stable while tick times decay rate is below 2. Decay is fastest in a straight or folded arm.
    straight = [np.array([[upper, sign * coupling], [sign * coupling, i2]]) for sign in (1, -1)]
    fastest = max(np.abs(np.linalg.eigvals(np.linalg.solve(inertia, friction.T))).max() for inertia in straight)
    if dt * fastest >= 2:
        raise ProtocolError(
            f"tick_s = {dt:g}: must be below {2 / fastest:.3g} s for this arm's inertias_kg_m2 and friction_n_m_s_rad",
            "tick_s",
        )
    follow = min(1.0, dt / config.tau_s)
    stay = np.kron(np.array([[1.0, 0.0, 0.0], [dt, 1.0, 0.0], [0.0, 0.0, 1.0 - follow]]), np.eye(2))
    return Plan(
        np.array([l1, l2]),
        np.array(config.centre_m),
        np.array([i2, upper]),
        coupling,
        np.vstack([-friction, JOINTS.T]),
        stay,
        np.kron([0.0, 0.0, follow], np.eye(2)),
        dt,
        config.max_rate_rad_s,
    )


def init(plan: Plan, place: Array) -> Array:
    """(..., 6) at rest with the hand at `place`, the elbow bent counter-clockwise, by 0 to pi.

    Raises ArrayError for a place out of reach.
    """
    low, high = abs(plan.length[0] - plan.length[1]), plan.length.sum()
    far = np.hypot(*np.moveaxis(place + plan.centre, -1, 0))
    if not ((low <= far) & (far <= high)).all():
        raise ArrayError(
            f"place: {place.tolist()} m is out of reach: it is {far.tolist()} m from the shoulder, where the hand "
            f"reaches from {low:g} to {high:g} m",
            "place",
        )
    directions = _directions(plan, place)
    return np.concatenate([directions, np.zeros_like(directions), np.zeros_like(directions)], axis=-1)


def _directions(plan: Plan, place: Array) -> Array:
    """Inverse kinematics: directions (..., 2) in rad. Out of reach, the arm is stretched or folded towards it."""
    (l1, l2), hand = plan.length, place + plan.centre
    x, y = hand[..., 0], hand[..., 1]
    cosine = np.clip((x * x + y * y - l1**2 - l2**2) / (2 * l1 * l2), -1.0, 1.0)
    bend = np.arccos(cosine)
    upper = np.arctan2(y, x) - np.arctan2(l2 * np.sin(bend), l1 + l2 * cosine)
    return np.stack([upper, upper + bend], axis=-1)


class _Motion(NamedTuple):
    """Terms of the equations of motion, for `step` and its adjoint: all (..., 2), of (upper arm, forearm)."""

    k: Array  # twice the same
    h: Array  # h, -h
    squares: Array  # squared rates of the other link
    force: Array  # generalised forces, those of the motion included
    determinant: Array  # of the inertia matrix, twice the same
    acceleration: Array  # rad/s^2


def _motion(plan: Plan, state: Array) -> _Motion:
    direction, rate = state[..., DIRECTION], state[..., RATE]
    bend = direction[..., ::-1] - direction  # b - a, a - b
    k, h = plan.coupling * np.cos(bend), plan.coupling * np.sin(bend)
    squares = (rate * rate)[..., ::-1]
    force = state[..., 2:] @ plan.drive
    force += h * squares
    determinant = plan.inertia[0] * plan.inertia[1] - k * k
    acceleration = (plan.inertia * force - k * force[..., ::-1]) / determinant
    return _Motion(k, h, squares, force, determinant, acceleration)


def step(plan: Plan, state: Array, command: Command) -> Array:
    """Move for one tick. A correction moves the hand, as far as it reaches; rates and torques do not change."""
    moved = state @ plan.stay
    moved += command.velocity @ plan.move
    rate = moved[..., RATE]  # a view
    rate += plan.tick_s * _motion(plan, state).acceleration
    np.maximum(rate, -plan.max_rate, out=rate)
    np.minimum(rate, plan.max_rate, out=rate)
    if command.correction is not None:
        hand = cursor(plan, moved)[..., :2]
        moved[..., DIRECTION] = _directions(plan, hand + command.correction)
    return moved


def cursor(plan: Plan, state: Array) -> Array:
    """Forward kinematics: position and velocity of the hand, from the centre."""
    along, across, rate = plan.length * np.cos(state[..., DIRECTION]), _across(plan, state), state[..., RATE]
    parts = np.stack([along, across, -across * rate, along * rate], axis=-2)
    found = np.add.reduce(parts, axis=-1)
    found[..., :2] -= plan.centre
    return found


def _across(plan: Plan, state: Array) -> Array:
    return plan.length * np.sin(state[..., DIRECTION])


def back(plan: Plan, state: Array, command: Command, gradient: Array) -> tuple[Array, Array]:
    """Adjoint of `step`: a rate at its limit has gradient 0. Raises ArrayError for a correction."""
    if command.correction is not None:
        raise ArrayError("correction: the adjoint of the arm is for commands without one", "correction")
    now, rate = _motion(plan, state), state[..., RATE]
    gradient = gradient.copy()
    gradient[..., RATE] *= np.abs(rate + plan.tick_s * now.acceleration) < plan.max_rate
    scaled = plan.tick_s * gradient[..., RATE] / now.determinant
    of_force = plan.inertia * scaled - now.k * scaled[..., ::-1]
    of_k = scaled * (2 * now.k * now.acceleration - now.force[..., ::-1])
    of_bend = of_force * now.squares * now.k - of_k * now.h
    of_state = gradient @ plan.stay.T
    of_state[..., DIRECTION] += of_bend[..., ::-1] - of_bend
    of_state[..., 2:] += of_force @ plan.drive.T
    of_state[..., RATE] += 2 * rate * (of_force * now.h)[..., ::-1]
    return of_state, gradient @ plan.move.T


def cursor_back(plan: Plan, state: Array, gradient: Array) -> Array:
    """Adjoint of `cursor`."""
    along, across, rate = plan.length * np.cos(state[..., DIRECTION]), _across(plan, state), state[..., RATE]
    gx, gy, gvx, gvy = (gradient[..., n : n + 1] for n in range(4))
    of_rate = gvy * along - gvx * across
    of_direction = gy * along - gx * across - rate * (gvx * along + gvy * across)
    return np.concatenate([of_direction, of_rate, np.zeros_like(of_rate)], axis=-1)


TWO_LINK_ARM = Effector(Config, plan, init, step, cursor, back, cursor_back)
