"""The subject: feedback gain against a written-out Riccati recursion, delay, and reaches to the target."""

import numpy as np
import pytest

from decoderd.errors import Refused
from decoderd.populations import subject
from decoderd.populations.subject import SubjectConfig
from decoderd.state import Timing
from decoderd.wire.inputs import Intent

TICK_S = 0.01
QUIET = SubjectConfig(motor_noise_m_s=0.0)


def one_axis_gain(config, tick_s):
    """(gain on position, gain on velocity) for p' = p + dt v, v' = v + (dt / lag)(u - v), by iterating
    P <- Q + A'PA - A'PB (R + B'PB)^-1 B'PA in scalars until nothing moves."""
    f = min(1.0, tick_s / config.lag_s)
    q_p, q_v, r = config.position_scale_m**-2, config.speed_scale_m_s**-2, config.effort_scale_m_s**-2
    a, b, c = q_p, 0.0, q_v  # P = [[a, b], [b, c]]
    for _ in range(200_000):
        # PB = f (b, c);  B'PA = f (b, b dt + c (1 - f));  A'PA entry by entry
        down = r + f * f * c
        g_p, g_v = f * b, f * (b * tick_s + c * (1 - f))
        new_a = q_p + a - g_p * g_p / down
        new_b = a * tick_s + b * (1 - f) - g_p * g_v / down
        new_c = q_v + a * tick_s**2 + 2 * b * tick_s * (1 - f) + c * (1 - f) ** 2 - g_v * g_v / down
        still = abs(new_a - a) < 1e-13 * a and abs(new_b - b) < 1e-13 * abs(b) and abs(new_c - c) < 1e-13 * c
        a, b, c = new_a, new_b, new_c
        if still:
            break
    down = r + f * f * c
    return f * b / down, f * (b * tick_s + c * (1 - f)) / down


@pytest.mark.parametrize(
    "config",
    [
        SubjectConfig(),
        SubjectConfig(lag_s=0.4, position_scale_m=0.05),
        SubjectConfig(effort_scale_m_s=0.5, speed_scale_m_s=0.05),
    ],
)
@pytest.mark.parametrize("tick_s", [0.005, 0.02])
def test_gain_solves_the_regulator_problem(config, tick_s):
    k_p, k_v = one_axis_gain(config, tick_s)
    expected = [[k_p, 0], [0, k_p], [k_v, 0], [0, k_v]]
    np.testing.assert_allclose(subject.gain(config, tick_s), expected, rtol=1e-7, atol=1e-12)


def reach(config, ticks, goal=(0.07, 0.0), lag_s=None, seed=None, start=(0.0, 0.0), jump=None):
    """Positions and intended velocities of a reach.

    The cursor's velocity follows the intended one with `lag_s`, by default that of the internal model; `jump`
    (tick, metres) moves the cursor along x.
    """
    plan = subject.plan(config, Timing(TICK_S, 5))
    follow = min(1.0, TICK_S / (lag_s or config.lag_s))
    cursor = np.array([[*start, 0.0, 0.0]])
    state = subject.init(plan, cursor)
    draw = np.random.default_rng(seed)
    positions, intents = [], []
    for tick in range(ticks):
        noise = np.zeros((1, 2)) if seed is None else draw.standard_normal((1, 2))
        state, u = subject.intend(plan, state, None if goal is None else np.array([goal]), cursor, noise)
        p, v = cursor[:, :2] + TICK_S * cursor[:, 2:], cursor[:, 2:] + follow * (u - cursor[:, 2:])
        cursor = np.hstack([p, v])
        if jump is not None and tick == jump[0]:
            cursor[0, 0] += jump[1]
        positions.append(cursor[0, :2])
        intents.append(u[0])
    return np.array(positions), np.array(intents)


def test_the_delay_is_compensated_if_the_internal_model_is_right():
    now, _ = reach(SubjectConfig(visual_delay_s=0.0, motor_noise_m_s=0.0), 200)
    late, _ = reach(SubjectConfig(visual_delay_s=0.25, motor_noise_m_s=0.0), 200)
    np.testing.assert_allclose(late, now, rtol=0, atol=1e-14)


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.1, 0.25])
def test_a_jump_of_the_cursor_is_corrected_once_it_is_seen(delay_s):
    config = SubjectConfig(visual_delay_s=delay_s, motor_noise_m_s=0.0)
    _, undisturbed = reach(config, 200)
    _, intents = reach(config, 200, jump=(100, 0.01))
    differs = np.flatnonzero(np.abs(intents - undisturbed).max(axis=1) > 1e-12)
    assert differs[0] == 101 + round(delay_s / TICK_S)


@pytest.mark.parametrize("goal", [(0.07, 0.0), (-0.05, 0.05), (0.0, -0.1)])
@pytest.mark.parametrize("lag_s", [0.05, 0.15, 0.2])
def test_the_cursor_reaches_the_target_and_stays(goal, lag_s):
    """Also with a cursor faster or slower than in the internal model."""
    positions, _ = reach(QUIET, 400, goal, lag_s)
    distance = np.hypot(*(positions - goal).T)
    assert distance[150:].max() < 0.012
    assert distance[-1] < 1e-3


def test_the_cursor_returns_after_a_jump():
    positions, _ = reach(QUIET, 400, jump=(150, 0.05))
    assert abs(positions[151, 0] - 0.12) < 0.005
    assert abs(positions[-1, 0] - 0.07) < 1e-3


def test_intended_speed_is_limited():
    config = SubjectConfig(max_speed_m_s=0.1, motor_noise_m_s=0.0)
    _, intents = reach(config, 300, goal=(0.3, 0.2))
    speed = np.hypot(*intents.T)
    assert speed.max() <= 0.1 + 1e-12
    assert (speed > 0.0999).sum() > 100
    np.testing.assert_allclose(intents[0] / speed[0], np.array([0.3, 0.2]) / np.hypot(0.3, 0.2))


def test_the_intended_velocity_is_zero_without_a_target():
    _, intents = reach(QUIET, 20, goal=None, start=(0.05, 0.05))
    assert not intents.any()


def test_noise_has_its_sd_over_100_ms():
    config = SubjectConfig(motor_noise_m_s=0.03)
    _, intents = reach(config, 20_000, goal=None, seed=1)
    means = intents.reshape(2000, 10, 2).mean(axis=1)
    assert means.std() == pytest.approx(0.03, rel=0.05)  # 3 standard errors
    assert intents.std() == pytest.approx(0.03 * np.sqrt(10), rel=0.02)


def test_directions_are_treated_alike():
    """The plane has no preferred direction: turn the target, and the reach turns with it."""
    along, _ = reach(QUIET, 100, (0.07, 0.0))
    angle = 0.7
    turned, _ = reach(QUIET, 100, (0.07 * np.cos(angle), 0.07 * np.sin(angle)))
    R = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(along @ R, turned, rtol=0, atol=1e-13)


# --- intents from outside ---------------------------------------------------------------------------------------

EXTERNAL = SubjectConfig(intent="external", motor_noise_m_s=0.0)


def driven(config=EXTERNAL, batch=1):
    plan = subject.plan(config, Timing(TICK_S, 5))
    return plan, subject.init(plan, np.zeros((batch, 4)))


def test_an_external_subject_rests_until_an_intent_and_holds_it():
    plan, state = driven(batch=2)
    goal, seen, none = np.full((2, 2), 0.05), np.zeros((2, 4)), np.zeros((2, 2))
    state, u = subject.intend(plan, state, goal, seen, none)
    np.testing.assert_array_equal(u, none)
    state = subject.take(state, Intent(velocity=(0.1, -0.05)))
    for _ in range(3):
        state, u = subject.intend(plan, state, None, seen, none)
        np.testing.assert_array_equal(u, [[0.1, -0.05]] * 2)


def test_an_intent_from_outside_is_limited_and_noisy_as_the_subjects_own():
    plan, state = driven(SubjectConfig(intent="external", max_speed_m_s=0.2, motor_noise_m_s=0.01))
    state = subject.take(state, Intent(velocity=(3.0, 4.0)))
    _, u = subject.intend(plan, state, None, np.zeros((1, 4)), np.array([[1.0, -2.0]]))
    sd = 0.01 * np.sqrt(0.1 / TICK_S)
    np.testing.assert_allclose(u, [[0.2 * 0.6 + sd, 0.2 * 0.8 - 2 * sd]], rtol=1e-12)


def test_an_external_subject_predicts_the_cursor_as_one_that_intends_the_same_by_itself():
    config = SubjectConfig(motor_noise_m_s=0.0)
    own = subject.plan(config, Timing(TICK_S, 5))
    plan, state = driven()
    regulated, goal, seen, none = (
        subject.init(own, np.zeros((1, 4))),
        np.full((1, 2), 0.05),
        np.zeros((1, 4)),
        np.zeros((1, 2)),
    )
    for tick in range(30):
        seen = seen + 0.001 * tick
        regulated, wanted = subject.intend(own, regulated, goal, seen, none)
        state, u = subject.intend(plan, subject.take(state, Intent(velocity=wanted[0].tolist())), None, seen, none)
        np.testing.assert_allclose(u, wanted, rtol=1e-12)
        np.testing.assert_allclose(state.model, regulated.model, rtol=1e-12)
        np.testing.assert_array_equal(state.seen, seen)
        np.testing.assert_allclose(
            subject.prediction_error(plan, state, seen), subject.prediction_error(own, regulated, seen), rtol=1e-12
        )


def test_a_subject_that_intends_by_itself_refuses_intents():
    plan = subject.plan(SubjectConfig(), Timing(TICK_S, 5))
    with pytest.raises(Refused, match=r"use population\.subject\.intent = 'external'"):
        subject.take(subject.init(plan, np.zeros((1, 4))), Intent(velocity=(0.1, 0.0)))
