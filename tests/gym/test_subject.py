"""The agent as subject: what it sees, and that the population is driven by what it intends."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import decoderd.gym  # noqa: F401
from decoderd.api import Simulation
from decoderd.errors import ProtocolError
from decoderd.populations import subject
from decoderd.state import Timing
from tests.protocols import centre_out, lasting, outside, perturbation
from tests.recorded import digest


def made(data):
    return gymnasium.make("decoderd/Subject-v0", protocol=data)


@pytest.mark.parametrize("turned", [[], [perturbation("rotation", "feedback", angle_rad=0.5)]])
def test_an_agent_that_intends_as_the_regulator_does_makes_the_same_session(turned):
    blind = {"visual_delay_s": 0.0, "motor_noise_m_s": 0.0}
    data = lasting(3.0, population={"kind": "tuned", "units": 12, "subject": blind}, bin_ticks=1, perturbations=turned)
    simulation = Simulation(data, seed=4)
    simulation.run()
    env = made(data)
    plan = subject.plan(subject.SubjectConfig(**blind), Timing(0.01, 1))
    observation, info = env.reset(seed=4)
    over, inner = False, env.unwrapped
    while not over:
        driven = inner.running.ahead()  # what is observed, in double precision
        seen, goal = subject.of(driven.population).seen, driven.begun.cue.goal
        np.testing.assert_allclose(observation["goal"], seen[0, :2] if goal is None else goal[0], atol=1e-7)
        _, intent = subject.intend(plan, subject.init(plan, np.zeros((1, 4))), goal, seen, np.zeros((1, 2)))
        observation, _, _, over, info = env.step(intent[0])
    assert simulation.state.progress.trials >= 1
    # Equal to rounding: an intent that is limited already is limited again.
    again = Simulation(inner.running.session.protocol)
    for tick, given in inner.running.journal():
        again.run(until=lambda state, tick=tick: state.tick == tick) if tick else None
        again.give(given)
    again.run()
    assert info["digest"] == digest(again.recorded)
    np.testing.assert_array_equal(again.recorded.counts(), simulation.recorded.counts())
    for name in ("cursor", "intended"):
        np.testing.assert_allclose(again.recorded.ticks()[name], simulation.recorded.ticks()[name], atol=1e-12)


def test_the_agent_sees_the_cursor_as_displayed_and_the_goal_where_one_is_shown():
    data = lasting(2.0, perturbations=[perturbation("gain", "feedback", factor=2.0)])
    env = made(data)
    observed = [env.reset(seed=2)[0]]
    for _ in range(20):
        observed.append(env.step(np.array([0.1, -0.05], np.float32))[0])
    simulation = Simulation(env.unwrapped.running.session.protocol)
    for _ in range(20):
        simulation.give({"op": "intent", "velocity": np.float32([0.1, -0.05]).tolist()})
        simulation.step(5)
    simulation.step()
    ticks = simulation.recorded.ticks()
    shown = 0
    for bin, one in enumerate(observed):
        goal, k = ticks["goal"][5 * bin], 5 * bin
        assert one["shown"][0] == (not np.isnan(goal[0]))
        displayed = 2 * ticks["cursor"][k - 1] if k else np.zeros(4)
        np.testing.assert_allclose(one["cursor"], displayed, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(one["goal"], goal if one["shown"][0] else displayed[:2], rtol=1e-6, atol=1e-9)
        shown += int(one["shown"][0])
    assert 0 < shown < len(observed)


def test_a_population_without_such_a_subject_is_refused():
    with pytest.raises(ProtocolError, match="population"):
        made(centre_out(population={"kind": "rnn", "units": 12}))
    assert made(outside()).action_space.high[0] == np.float32(0.25)
