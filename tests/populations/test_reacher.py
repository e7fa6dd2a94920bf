import numpy as np

from decoderd.populations import reacher
from decoderd.populations.reacher import ReacherConfig
from decoderd.state import Timing

TIMING = Timing(tick_s=0.01, bin_ticks=5)


def followed(config, goal, cursors):
    """Intents and errors (T, 2) of a subject that sees these cursors (T, 4)."""
    plan = reacher.plan(config, TIMING)
    state, found = reacher.init(plan, cursors[:1]), []
    for cursor in cursors:
        state, u = reacher.intend(plan, state, np.array([goal]), cursor[np.newaxis], np.zeros((1, 2)))
        found.append((u[0], state.error[0]))
    return map(np.array, zip(*found, strict=True))


def test_intents_head_for_the_goal_as_it_was_seen_a_visual_delay_ago():
    config = ReacherConfig(visual_delay_s=0.03, gain_per_s=2.0, max_speed_m_s=0.15)
    cursors = np.random.default_rng(0).normal(0, 0.05, (40, 4))
    intents, _ = followed(config, [0.08, 0.0], cursors)
    for t in range(40):
        way = np.array([0.08, 0.0]) - cursors[max(t - 3, 0), :2]
        speed = min(2.0 * np.hypot(*way), 0.15)
        np.testing.assert_allclose(intents[t], way / np.hypot(*way) * speed, rtol=1e-12)


def test_the_error_is_what_the_subject_predicted_less_what_it_saw():
    config = ReacherConfig(visual_delay_s=0.03, lag_s=0.1)
    cursors = np.random.default_rng(1).normal(0, 0.05, (40, 4))
    intents, errors = followed(config, [0.08, 0.0], cursors)
    model, due = np.zeros(2), []
    for t in range(40):
        due.append(model - cursors[t, 2:])
        expected = due[t - 3] if t >= 3 else np.zeros(2)
        np.testing.assert_allclose(errors[t], expected, atol=1e-12)
        model = model + 0.1 * (intents[t] - model)


def test_a_subject_that_is_put_somewhere_forgets_what_it_saw_before():
    plan = reacher.plan(ReacherConfig(), TIMING)
    state, u = reacher.intend(
        plan, reacher.placed(plan, np.array([[0.02, 0.0]])), None, np.ones((1, 4)), np.zeros((1, 2))
    )
    assert not u.any()
    assert not state.error.any()
    np.testing.assert_array_equal(state.line[0], [[0.02, 0, 0, 0]])
