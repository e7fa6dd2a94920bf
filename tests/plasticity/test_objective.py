import numpy as np
import pytest

from decoderd.plasticity.objective import Objective, judge

TICK_S = 0.01


def trials(seed=0, ticks=6, batch=(2, 3)):
    """Random cursors, controls and goals of a batch of trials."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(ticks + 1, *batch, 4)), rng.normal(size=(ticks, *batch, 2)), rng.normal(size=(*batch, 2))


def plainly(objective, cursors, controls, goal):
    """The loss of one trial, term by term."""
    ticks = len(controls)
    held = max(1, round(objective.hold_s / TICK_S))
    total = 0.0
    for t in range(ticks - held + 1, ticks + 1):
        for axis in (0, 1):
            total += ((cursors[t, axis] - goal[axis]) / objective.position_scale_m) ** 2
            total += objective.velocity_weight * (cursors[t, 2 + axis] / objective.velocity_scale_m_s) ** 2
            change = (cursors[t, 2 + axis] - cursors[t - 1, 2 + axis]) / TICK_S
            total += objective.acceleration_weight * (change / objective.acceleration_scale_m_s2) ** 2
    total /= held
    total += objective.effort_weight / 2 * sum(u @ u for u in controls) / ticks
    return total / (1 if objective.axes == "sum" else 2)


EVERYTHING = {"acceleration_weight": 0.05, "effort_weight": 500.0, "hold_s": 0.03}


@pytest.mark.parametrize("fields", [{}, EVERYTHING, {**EVERYTHING, "axes": "mean"}])
def test_losses_are_those_of_the_formula(fields):
    objective = Objective(**fields)
    cursors, controls, goal = trials()
    losses = judge(objective, cursors, controls, goal, TICK_S).losses
    for i, j in np.ndindex(losses.shape):
        assert losses[i, j] == pytest.approx(
            plainly(objective, cursors[:, i, j], controls[:, i, j], goal[i, j]), rel=1e-12
        )


@pytest.mark.parametrize("fields", [{}, EVERYTHING, {**EVERYTHING, "axes": "mean"}])
def test_gradients_are_those_of_the_losses(fields):
    objective = Objective(position_scale_m=1.0, velocity_scale_m_s=1.0, acceleration_scale_m_s2=50.0, **fields)
    cursors, controls, goal = trials()
    judged = judge(objective, cursors, controls, goal, TICK_S)
    rng = np.random.default_rng(1)
    for _ in range(5):  # along random directions
        on_cursors, on_controls = rng.normal(size=cursors.shape), rng.normal(size=controls.shape)
        h = 1e-6
        ahead = judge(objective, cursors + h * on_cursors, controls + h * on_controls, goal, TICK_S).losses
        behind = judge(objective, cursors - h * on_cursors, controls - h * on_controls, goal, TICK_S).losses
        expected = (judged.cursors * on_cursors).sum((0, -1))
        if judged.controls is not None:
            expected = expected + (judged.controls * on_controls).sum((0, -1))
        np.testing.assert_allclose((ahead - behind) / (2 * h), expected, rtol=1e-6)


def test_without_effort_weight_controls_add_no_loss():
    cursors, controls, goal = trials()
    assert judge(Objective(), cursors, controls, goal, TICK_S).controls is None


def test_a_trial_that_ends_at_rest_on_the_target_has_no_loss():
    goal = np.array([[0.07, 0.0]])
    cursors = np.tile(np.array([0.07, 0.0, 0.0, 0.0]), (5, 1, 1))
    assert judge(Objective(), cursors, np.ones((4, 1, 2)), goal, TICK_S).losses == 0.0


def test_the_published_scales():
    """1 cm beside the target costs 1; 2 cm/s in the end cost the velocity's weight."""
    goal, cursors = np.zeros((1, 2)), np.zeros((3, 1, 4))
    cursors[-1, 0] = [0.01, 0.0, 0.0, 0.02]
    assert judge(Objective(), cursors, np.zeros((2, 1, 2)), goal, TICK_S).losses == pytest.approx(1.1)
