"""Feedback learnt from the loop: the weights by which the events of each unit move the cursor."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.populations import learnt_feedback
from decoderd.preparation.feedback import velocity_weights
from decoderd.state import Timing
from tests import protocols
from tests.protocols import centre_out, lasting, perturbation

TIMING = Timing(0.01, 5)


def alike(K, D):
    """Cosine of the angle between two matrices."""
    return float((K * D).sum() / np.sqrt((K**2).sum() * (D**2).sum()))


def test_averages_are_those_of_the_equations():
    """Each unit alone, by numbers."""
    learning = learnt_feedback.plan(2.0, TIMING)
    draw = np.random.default_rng(1)
    surplus, velocity = draw.normal(0, 0.3, (40, 1, 3)), draw.normal(0, 0.1, (40, 1, 2))
    experience = learnt_feedback.begin(None, 1, 3)
    for tick in range(40):
        experience = learnt_feedback.seen(learning, experience, velocity[tick])
        experience = learnt_feedback.fired(learning, experience, surplus[tick])
    slopes = np.zeros((3, 2))
    for unit in range(3):
        x, moved, squared, before = 0.0, [0.0, 0.0], 0.0, [0.0, 0.0]
        for tick in range(40):
            now = velocity[tick, 0]
            moved = [m + 0.005 * (x * (now[axis] - before[axis]) - m) for axis, m in enumerate(moved)]
            squared, before = squared + 0.005 * (x * x - squared), now
            x = x * 0.81873075307798185 + surplus[tick, 0, unit]  # exp(-1/5)
        slopes[unit] = [m / squared for m in moved]
    K = learnt_feedback.matrix(experience)
    np.testing.assert_allclose(K[0], slopes / np.sqrt((slopes**2).sum() / 3), rtol=1e-9)


def test_what_is_learnt_is_what_events_do_and_not_what_units_are_tuned_to():
    """Poisson units, tuned to an intent that moves the cursor, too; the decoder has nothing to do with their tuning."""
    units, ticks = 20, 20_000
    draw = np.random.default_rng(2)
    tuning, D = draw.normal(0, 1, (units, 2)), draw.normal(0, 0.01, (units, 2))
    learning, experience = learnt_feedback.plan(1000.0, TIMING), learnt_feedback.begin(None, 1, units)
    intent, velocity, summed = np.zeros(2), np.zeros(2), np.zeros(units)
    for tick in range(ticks):
        if tick % 100 == 0:
            intent = draw.normal(0, 1, 2)
        if tick and tick % 5 == 0:
            velocity, summed = 0.8 * velocity + summed @ D + 0.02 * intent, np.zeros(units)
        expected = 0.2 * np.exp(0.3 * tuning @ intent)
        events = draw.poisson(expected)
        summed = summed + events
        experience = learnt_feedback.seen(learning, experience, velocity[np.newaxis])
        experience = learnt_feedback.fired(learning, experience, (events - expected)[np.newaxis])
    K = learnt_feedback.matrix(experience)[0]
    assert alike(K, D) > 0.9
    assert alike(K, tuning) == pytest.approx(alike(D, tuning), abs=0.15)
    assert (K**2).sum() == pytest.approx(units)


def test_without_experience_there_is_no_feedback():
    assert not learnt_feedback.matrix(learnt_feedback.begin(None, 2, 5)).any()


def test_a_day_begins_with_what_the_last_one_has_left():
    draw = np.random.default_rng(3)
    kept = learnt_feedback.Experience(
        draw.normal(size=(1, 2)), draw.normal(size=(1, 5)), draw.normal(size=(1, 5, 2)), draw.uniform(1, 2, (1, 5))
    )
    begun = learnt_feedback.begin(kept, 3, 5)
    assert not begun.velocity.any()
    assert not begun.trace.any()
    for one in learnt_feedback.matrix(begun):
        np.testing.assert_array_equal(one, learnt_feedback.matrix(kept)[0])


# --- in a session ---------------------------------------------------------------------------------------------------

LEARNT = {"kind": "bursting", "units": 30, "feedback": "learnt", "feedback_memory_s": 1000.0}


def learnt(state):
    """K (N, 2) of this tick."""
    return learnt_feedback.matrix(state.population.experience)[0]


def present(run, angle=0.0):
    """(N, 2) what an event of each unit moves, the cursor rotated."""
    c, s = np.cos(angle), np.sin(angle)
    first = run.states[0].parameters
    return (np.array([[c, -s], [s, c]]) @ velocity_weights(run.session.decoder, first, run.session.units)).T


def test_it_comes_to_be_the_transpose_of_the_rotated_decoder():
    run = protocols.run(
        lasting(70.0, population=LEARNT, perturbations=[perturbation("rotation", "cursor", angle_rad=1.2)])
    )
    found = [alike(learnt(run.states[at]), present(run, 1.2)) for at in (500, -1)]
    assert found[1] > 0.85 > found[0]
    assert found[1] > alike(learnt(run.states[-1]), present(run)) + 0.3


def test_burst_probabilities_are_driven_by_it():
    run = protocols.run(lasting(3.0, population={**LEARNT, "subject": {"visual_delay_s": 0.0}}))
    for before, after in zip(run.states[200:], run.states[201:], strict=False):
        K = learnt(after)
        cursor = run.session.effector.cursor(run.session.effector_plan, before.effector)
        error = before.population.subject.model[0, 2:] - cursor[0, 2:]
        P = 1 / (1 + np.exp(-(np.log(0.2 / 0.8) + 25.0 * K @ error)))
        np.testing.assert_allclose(after.population.probability[0], P, rtol=1e-9)


def test_a_night_keeps_it():
    data = centre_out(population=LEARNT, schedule={"days": 2, "blocks": [{"name": "only", "duration_s": 1.0}]})
    run = protocols.run(data)
    evening, morning = run.states[99], run.states[100]
    assert alike(learnt(evening), learnt(morning)) > 0.9  # not equal: one more tick has passed
    np.testing.assert_array_equal(learnt(morning), morning.parameters.population.K)
