"""The agent as decoder: the loop that closes through it is the session's own, bit by bit."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import decoderd.gym  # noqa: F401
from decoderd.api import Simulation
from decoderd.decoders import Calibration
from decoderd.decoders.kalman import KALMAN, KalmanConfig
from decoderd.preparation.parameters import prepare
from tests.protocols import BRIEF, centre_out, perturbation
from tests.recorded import digest

TWO = {"schedule": {"blocks": [{"trials": 2}]}}


def made(data, **options):
    return gymnasium.make("decoderd/Decoder-v0", protocol=data, **options)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"bin_ticks": 1},
        {"readouts": {"units": [7, 2, 4]}},
        {"schedule": {"days": 2, "blocks": [{"duration_s": 1.23}]}, "population": {"kind": "tuned", "units": 12}},
        {"perturbations": [perturbation("rotation", "cursor", angle_rad=0.5)]},
        {
            "population": {"kind": "bursting", "units": 12},
            "decoder": {"kind": "kalman", "channel": "events", "calibration": BRIEF},
        },
    ],
)
def test_an_agent_that_computes_what_the_decoder_does_makes_the_same_session(fields):
    data = centre_out(**{**TWO, **fields})
    simulation = Simulation(data, seed=4)
    simulation.run()
    env = made(data, max_speed_m_s=100.0)
    observation, info = env.reset(seed=4)
    parameters, day, over = prepare(simulation.protocol).decoder, 0, False
    while not over:
        if info["day"] != day:
            day, state = info["day"], KALMAN.init(parameters, 1)  # it begins anew with every day
        counts = observation["counts"][np.newaxis].astype(np.float64)
        state, command = KALMAN.step(parameters, state, counts, None)
        observation, _, _, over, info = env.step(command.velocity[0])
    assert info["digest"] == digest(simulation.recorded)


def test_the_observation_has_the_counts_of_the_bin_and_the_cursor_and_no_goal():
    data = centre_out(**TWO)
    env = made(data)
    observed = [env.reset(seed=2)[0]]
    for _ in range(10):
        observed.append(env.step(np.array([0.3, 0.1], np.float32))[0])
    assert set(observed[0]) == {"counts", "cursor"}
    simulation = Simulation(env.unwrapped.running.session.protocol)
    for _ in range(11):
        simulation.give({"op": "kinematics", "velocity": [float(np.float32(0.3)), float(np.float32(0.1))]})
        simulation.step(5)
    counts, cursor = simulation.recorded.counts(per_bin=True), simulation.recorded.ticks()["cursor"]
    np.testing.assert_array_equal(observed[0]["counts"], counts[0])
    for bin, one in enumerate(observed):
        np.testing.assert_allclose(one["cursor"], cursor[5 * bin + 3], rtol=1e-6)


def test_actions_are_cut_off_at_the_fastest_velocity():
    env = made(centre_out(**TWO), max_speed_m_s=0.2)
    env.reset(seed=1)
    observation, *_ = env.step(np.array([5.0, -0.1], np.float32))
    np.testing.assert_allclose(observation["cursor"][2:], [0.2, -0.1], rtol=1e-6)


def test_the_reward_of_a_step_is_the_way_covered_to_the_goal():
    env = made(centre_out(**TWO))
    env.reset(seed=2)
    velocities = np.random.default_rng(1).uniform(-0.3, 0.3, (40, 2)).astype(np.float32)
    rewards = [env.step(velocity)[1] for velocity in velocities]
    simulation = Simulation(env.unwrapped.running.session.protocol)
    simulation.step(4)
    for velocity in velocities:
        simulation.give({"op": "kinematics", "velocity": velocity.tolist()})
        simulation.step(5)
    goal, cursor = (simulation.recorded.ticks()[name][:, :2] for name in ("goal", "cursor"))
    distance = np.hypot(*(cursor - goal).T)
    covered = np.where((goal[1:] == goal[:-1]).all(axis=1), distance[:-1] - distance[1:], 0.0)
    expected = 10 * covered[3:].reshape(40, 5).sum(axis=1)
    for trial in simulation.recorded.messages("trial"):
        expected[(trial.tick - 4) // 5] += trial.outcome == "success"
    np.testing.assert_allclose(rewards, expected, atol=1e-12)
    assert np.abs(rewards).max() > 0.1


def test_the_calibration_is_that_of_the_session():
    data = centre_out(decoder={"kind": "kalman"}, **TWO)
    env = made(data)
    env.reset(seed=9)
    fitted = KALMAN.fit(env.unwrapped.calibration(), Calibration(), KalmanConfig())
    expected = KALMAN.arrays(prepare(Simulation(data, seed=9).protocol).decoder)
    for name in "AWCQ":
        np.testing.assert_array_equal(fitted[name], expected[name])
