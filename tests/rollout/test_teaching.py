"""What bursts propose in a session: against the pure layers, against the gradient, and in the closed loop."""

from types import SimpleNamespace

import numpy as np
import pytest

from decoderd import api
from decoderd.errors import ProtocolError
from decoderd.plasticity import burstprop
from decoderd.plasticity.burstprop import Network
from decoderd.populations import feedforward
from decoderd.populations.feedforward import FEEDFORWARD, FeedforwardConfig, Ticks
from decoderd.rollout.teaching import taught_direction
from decoderd.state import Timing
from tests.learners import reaching

FIELDS = ("W1", "W2", "R", "c")


@pytest.fixture
def made():
    """A loop, an individual, and the trace of five ticks of two trials."""
    config = FeedforwardConfig(units=3, hidden_units=4, inputs=4, feedback="random", subject={"visual_delay_s": 0.01})
    parameters, draw = feedforward.load(config, np.random.default_rng(1), {}), np.random.default_rng(2)
    x, noise, away = (draw.uniform(size=(5, 2, n)) for n in (4, 3, 2))
    h = burstprop.sigmoid(x @ parameters.W1.T + parameters.c[:4])
    e = burstprop.sigmoid(h @ parameters.W2.T + parameters.c[4:])
    trace = Ticks(x, h, e, noise, away, draw.normal(0, 0.02, (5, 2, 2)))
    plan = feedforward.plan(config, Timing(0.01, 5))
    loop = SimpleNamespace(population=FEEDFORWARD, population_plan=plan, tick_s=0.01)
    return loop, parameters, trace


def test_the_direction_is_that_of_the_layers_summed_over_ticks_and_trials(made):
    loop, parameters, trace = made
    found = taught_direction(loop, parameters, SimpleNamespace(trace=trace), np.array([1.0, 3.0]), FIELDS)
    network = Network(
        (parameters.W1, parameters.W2), (parameters.c[:4], parameters.c[4:]), (parameters.B,), (parameters.R,)
    )
    expected = dict.fromkeys(FIELDS, 0.0)
    for t in range(4):  # the error of a tick is seen one later
        for trial, amount in enumerate((1.0, 3.0)):
            rates = [field[t, trial][np.newaxis] for field in (trace.x, trace.h, trace.e)]
            error = 5.0 * parameters.K @ trace.error[t + 1, trial]
            one = burstprop.direction(network, rates, error[np.newaxis])
            parts = {"W1": one.W[0], "W2": one.W[1], "R": one.R[0], "c": np.concatenate(one.c)}
            expected = {name: expected[name] + amount * 0.01 * parts[name] for name in FIELDS}
    for name in FIELDS:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-10, atol=1e-15)


def test_at_the_read_units_it_is_the_gradient_of_the_taught_error(made):
    """e moves towards target = e + error: the negative gradient of |target - e|^2 / 2 by W2, times p0 and 10 ms."""
    loop, parameters, trace = made
    found = taught_direction(loop, parameters, SimpleNamespace(trace=trace), np.ones(2), FIELDS)
    target = trace.e[:4] + 5.0 * trace.error[1:] @ parameters.K.T

    def loss(W2):
        e = burstprop.sigmoid(trace.h[:4] @ W2.T + parameters.c[4:])
        return 0.5 * np.sum((target - e) ** 2)

    gradient = np.zeros_like(parameters.W2)
    for index in np.ndindex(*gradient.shape):
        ahead, behind = parameters.W2.copy(), parameters.W2.copy()
        ahead[index] += 1e-6
        behind[index] -= 1e-6
        gradient[index] = (loss(ahead) - loss(behind)) / 2e-6
    np.testing.assert_allclose(found["W2"], -0.2 * 0.01 * gradient, rtol=1e-6, atol=1e-12)


def turned(trials=28, **fields):
    """Reaches with the cursor turned by 60 degrees from the ninth on, and learning from there."""
    return {
        "name": "turned",
        "seed": 1,
        "tick_s": 0.02,
        "bin_ticks": 5,
        "schedule": {
            "days": 1,
            "blocks": [{"name": "before", "trials": 8, "plasticity": False}, {"name": "turned", "trials": trials}],
        },
        "task": {"kind": "timed_reach", "targets": 8, "radius_m": 0.08, "reach_s": 1.6},
        "population": {"kind": "feedforward", "units": 40, "hidden_units": 40, "feedback": "present"},
        "decoder": {"kind": "kalman", "calibration": {"reaches": 40}},
        "plasticity": {"kind": "burstprop", "input_rate": 5.0, "output_rate": 0.5, "bias_rate": 0.5},
        "perturbations": [
            {
                "name": "turn",
                "kind": "rotation",
                "site": "cursor",
                "angle_rad": 1.0472,
                "envelope": {"shape": "block", "start": {"trial": 9}, "stop": {"trial": 1000}},
            }
        ],
        **fields,
    }


def distances(protocol):
    """Mean distance to the target in each trial, m."""
    recorded = api.simulate(protocol)
    cursors, trials = recorded.ticks()["cursor"][:, :2], recorded.trials()
    goals = np.stack([trials["target_x_m"], trials["target_y_m"]], axis=1)
    spans = zip(trials["start_tick"], trials["end_tick"], goals, strict=True)
    return np.array([np.linalg.norm(cursors[a : b + 1] - goal, axis=1).mean() for a, b, goal in spans])


def test_a_rotation_is_learnt_in_the_closed_loop_and_not_without_teaching():
    taught = distances(turned())
    before, at_first, at_last = taught[:8].mean(), taught[8:12].mean(), taught[-8:].mean()
    assert at_first > 1.5 * before
    assert at_last < before + 0.3 * (at_first - before)
    alone = distances(turned(population={**turned()["population"], "feedback": "off"}))
    assert alone[-8:].mean() > before + 0.6 * (alone[8:12].mean() - before)


def test_a_population_without_layers_is_refused():
    with pytest.raises(ProtocolError, match=r"use population\.kind = 'feedforward'") as error:
        api.simulate({**reaching(), "plasticity": {"kind": "burstprop"}})
    assert error.value.field == "plasticity.kind"
