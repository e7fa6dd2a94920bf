"""The arm: its equations in joint angles, mechanics that any arm has, and its limits."""

import numpy as np
import pytest
from pydantic import ValidationError

from decoderd.effectors.two_link_arm import TWO_LINK_ARM, Config
from decoderd.errors import ArrayError, ProtocolError
from decoderd.state import Command, Timing

L1, L2, CENTRE = 0.12, 0.16, np.array([0.0, 0.2])
NO_FRICTION = ((0.0, 0.0), (0.0, 0.0))


def planned(tick_s=0.01, **fields):
    return TWO_LINK_ARM.plan(Config(**fields), Timing(tick_s, 1))


def places(number=200):
    """Random places within reach: hands at 0.05 to 0.27 m from the shoulder, all around it."""
    draw = np.random.default_rng(1)
    far, angle = draw.uniform(0.05, 0.27, number), draw.uniform(-np.pi, np.pi, number)
    return far[:, np.newaxis] * np.stack([np.cos(angle), np.sin(angle)], axis=1) - CENTRE


def hand(q1, q2):
    """Forward kinematics of joint angles, from the shoulder."""
    return L1 * np.array([np.cos(q1), np.sin(q1)]) + L2 * np.array([np.cos(q1 + q2), np.sin(q1 + q2)])


# --- kinematics -------------------------------------------------------------------------------------------------


def test_inverse_kinematics_inverts_forward_kinematics():
    plan = planned()
    states = TWO_LINK_ARM.init(plan, places())
    np.testing.assert_allclose(TWO_LINK_ARM.cursor(plan, states)[:, :2], places(), rtol=0, atol=1e-12)
    bend = states[:, 1] - states[:, 0]
    assert ((bend > 0) & (bend < np.pi)).all()
    for state, place in zip(states, places(), strict=True):
        np.testing.assert_allclose(hand(state[0], state[1] - state[0]), place + CENTRE, rtol=0, atol=1e-12)


def test_at_the_centre_the_elbow_is_at_a_right_angle():
    """0.12, 0.16 and 0.2 are sides of one."""
    (a, b, *rest) = TWO_LINK_ARM.init(planned(), np.zeros(2))
    assert b - a == pytest.approx(np.pi / 2)
    assert a == pytest.approx(np.arctan2(0.12, 0.16))
    assert rest == [0, 0, 0, 0]


def test_the_velocity_of_the_hand_is_the_jacobian_times_joint_rates():
    plan, draw, e = planned(), np.random.default_rng(2), 1e-6
    for _ in range(50):
        a, b, a_rate, b_rate = draw.normal(0, [2, 2, 3, 3])
        q1, q2, w1, w2 = a, b - a, a_rate, b_rate - a_rate
        jacobian = np.stack(
            [(hand(q1 + e, q2) - hand(q1 - e, q2)) / (2 * e), (hand(q1, q2 + e) - hand(q1, q2 - e)) / (2 * e)], axis=1
        )
        found = TWO_LINK_ARM.cursor(plan, np.array([[a, b, a_rate, b_rate, 0.3, 0.4]]))[0]
        np.testing.assert_allclose(found[:2], hand(q1, q2) - CENTRE, atol=1e-14)
        np.testing.assert_allclose(found[2:], jacobian @ [w1, w2], rtol=0, atol=1e-9)


# --- dynamics ---------------------------------------------------------------------------------------------------


def in_joint_angles(dt, q, w, torque, u):
    """One tick as Li & Todorov (2004) write the arm, matrices in joint angles."""
    i1, i2, m2, d2 = 0.0018, 0.0012, 0.2, 0.075
    a1, a2, a3 = i1 + i2 + m2 * L1**2, m2 * L1 * d2, i2
    cosine, sine = np.cos(q[1]), np.sin(q[1])
    inertia = np.array([[a1 + 2 * a2 * cosine, a3 + a2 * cosine], [a3 + a2 * cosine, a3]])
    coriolis = a2 * sine * np.array([-w[1] * (2 * w[0] + w[1]), w[0] ** 2])
    friction = np.array([[0.05, 0.025], [0.025, 0.05]])
    acceleration = np.linalg.inv(inertia) @ (torque - coriolis - friction @ w)
    return q + dt * w, w + dt * acceleration, torque + dt / 0.04 * (u - torque)


def test_moves_as_the_equations_in_joint_angles_say():
    plan, draw = planned(), np.random.default_rng(3)
    state = TWO_LINK_ARM.init(plan, np.array([[0.02, -0.01]]))
    q = np.array([state[0, 0], state[0, 1] - state[0, 0]])
    w = torque = np.zeros(2)
    steady = draw.normal(0, 0.1, 2)
    for _ in range(150):
        u = steady + draw.normal(0, 0.3, 2)
        state = TWO_LINK_ARM.step(plan, state, Command(u[np.newaxis], None))
        q, w, torque = in_joint_angles(0.01, q, w, torque, u)
        expected = [q[0], q[0] + q[1], w[0], w[0] + w[1], *torque]
        np.testing.assert_allclose(state[0], expected, rtol=0, atol=1e-9)
    assert np.abs(w).max() > 0.5


def kinetic_energy(state):
    """From the velocities of the links' parts: of the upper arm about the shoulder, of the forearm's centre, and
    about that centre."""
    a, b, wa, wb = state[0, :4]
    elbow = L1 * wa * np.array([-np.sin(a), np.cos(a)])
    middle = elbow + 0.075 * wb * np.array([-np.sin(b), np.cos(b)])
    about_middle = 0.0012 - 0.2 * 0.075**2
    return 0.5 * (0.0018 * wa**2 + 0.2 * middle @ middle + about_middle * wb**2)


def test_without_torque_and_friction_energy_is_kept_to_the_order_of_the_integrator():
    lost = []
    for ticks in (400, 800, 1600):
        plan = planned(1.0 / ticks, friction_n_m_s_rad=NO_FRICTION)
        state = np.array([[0.6, 2.2, 3.0, -2.0, 0.0, 0.0]])
        before = kinetic_energy(state)
        for _ in range(ticks):
            state = TWO_LINK_ARM.step(plan, state, Command(np.zeros((1, 2)), None))
        lost.append(abs(kinetic_energy(state) / before - 1))
    print("relative change of energy in 1 s:", lost)
    assert lost[0] < 0.1
    assert lost[0] / lost[1] == pytest.approx(2, abs=0.3)  # half the tick, half the error
    assert lost[1] / lost[2] == pytest.approx(2, abs=0.3)


def test_angular_momentum_about_the_shoulder_is_kept_without_torque():
    lost = []
    for ticks in (400, 800):
        plan = planned(1.0 / ticks, friction_n_m_s_rad=NO_FRICTION)
        state = np.array([[0.6, 2.2, 3.0, -2.0, 0.0, 0.0]])

        def momentum(state):
            a, b, wa, wb = state[0, :4]
            return (0.0018 + 0.2 * L1**2) * wa + 0.0012 * wb + 0.2 * L1 * 0.075 * np.cos(b - a) * (wa + wb)

        before = momentum(state)
        for _ in range(ticks):
            state = TWO_LINK_ARM.step(plan, state, Command(np.zeros((1, 2)), None))
        lost.append(abs(momentum(state) - before))
    assert lost[0] / lost[1] == pytest.approx(2, abs=0.4)


def test_friction_brings_it_to_rest():
    plan = planned()
    state = np.array([[0.6, 2.2, 3.0, -2.0, 0.0, 0.0]])
    for _ in range(300):
        state = TWO_LINK_ARM.step(plan, state, Command(np.zeros((1, 2)), None))
    assert np.abs(state[0, 2:4]).max() < 1e-3


def test_torques_that_outweigh_friction_keep_a_straight_arm_turning():
    steady = np.array([[0.06, 0.03]])  # what friction takes at shoulder and elbow rates of 1.2 and 0 rad/s
    state = np.array([[0.5, 0.5, 1.2, 1.2, 0.06, 0.03]])
    for _ in range(100):
        state = TWO_LINK_ARM.step(planned(), state, Command(steady, None))
    np.testing.assert_allclose(state, [[1.7, 1.7, 1.2, 1.2, 0.06, 0.03]], rtol=0, atol=1e-12)


# --- limits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0.1, 5.0, 1e6])
def test_stays_finite_for_any_torques(size):
    plan, draw = planned(), np.random.default_rng(4)
    state = TWO_LINK_ARM.init(plan, places(50))
    reach = 0.0
    for _ in range(1000):
        state = TWO_LINK_ARM.step(plan, state, Command(draw.normal(0, size, (50, 2)), None))
        cursor = TWO_LINK_ARM.cursor(plan, state)
        assert np.isfinite(cursor).all()
        assert np.abs(state[:, 2:4]).max() <= 20
        reach = max(reach, np.hypot(*(cursor[:, :2] + CENTRE).T).max())
    assert reach <= L1 + L2 + 1e-12


def test_the_elbow_passes_through_straight():
    plan = planned()
    state = TWO_LINK_ARM.init(plan, np.array([[0.0, 0.079]]))
    for _ in range(100):
        state = TWO_LINK_ARM.step(plan, state, Command(np.array([[0.0, -0.05]]), None))
    assert state[0, 1] - state[0, 0] < -0.5
    assert np.isfinite(state).all()


@pytest.mark.parametrize("place", [(0.0, 0.0801), (0.3, 0.0), (0.0, -0.2), (0.0, -0.17)])
def test_a_place_out_of_reach_is_refused(place):
    with pytest.raises(ArrayError, match=r"out of reach: .* where the hand reaches from 0.04 to 0.28 m"):
        TWO_LINK_ARM.init(planned(), np.array([place]))


@pytest.mark.parametrize(("place", "bend"), [((0.0, 0.08), 0.0), ((0.0, -0.16), np.pi)])
def test_at_the_edge_of_its_reach_it_is_straight_or_folded(place, bend):
    plan = planned()
    state = TWO_LINK_ARM.init(plan, np.array([place]))
    assert state[0, 1] - state[0, 0] == pytest.approx(bend, abs=1e-6)
    np.testing.assert_allclose(TWO_LINK_ARM.cursor(plan, state)[0, :2], place, atol=1e-9)


def test_a_correction_moves_the_hand_as_far_as_it_reaches():
    plan = planned()
    state = TWO_LINK_ARM.init(plan, np.zeros((3, 2)))
    jumps = np.array([[0.02, -0.03], [0.0, 0.5], [0.0, -0.19]])
    moved = TWO_LINK_ARM.cursor(plan, TWO_LINK_ARM.step(plan, state, Command(np.zeros((3, 2)), jumps)))
    np.testing.assert_allclose(moved[:, :2], [[0.02, -0.03], [0.0, 0.08], [0.0, -0.16]], atol=1e-9)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"inertias_kg_m2": (0.002, 0.001)}, r"0.001 for the forearm, about the elbow: must be at least .* 0.001125"),
        ({"friction_n_m_s_rad": ((0.01, 0.05), (0.05, 0.01))}, "must be positive semidefinite, so that it brakes"),
        ({"centre_m": (0.0, 0.3)}, "must be more than 0.04 m and less than 0.28 m from the shoulder"),
        ({"centre_m": (0.03, 0.0)}, "must be more than 0.04 m and less than 0.28 m from the shoulder"),
    ],
)
def test_an_impossible_arm_is_an_error(fields, message):
    with pytest.raises(ValidationError, match=message):
        Config(**fields)


def test_a_tick_too_long_for_the_friction_is_refused():
    """The limit named is the one at which a straight arm's rates begin to grow by themselves."""
    with pytest.raises(ProtocolError, match=r"tick_s = 0.02: must be below 0.0128 s for this arm's inertias"):
        planned(0.02)
    for tick_s, grows in ((0.0126, False), (0.0130, True)):
        plan = planned(0.0126)._replace(tick_s=tick_s)
        state = np.array([[0.0, 0.0, 1e-6, -1e-6, 0.0, 0.0]])
        for _ in range(400):
            state = TWO_LINK_ARM.step(plan, state, Command(np.zeros((1, 2)), None))
        assert bool(np.abs(state[0, 2:4]).max() > 1e-6) is grows
