"""Gradients of the closed loop against central differences, for every plastic parameter and every effector."""

import numpy as np
import pytest

from decoderd.decoders import AffineStep
from decoderd.effectors.cursor import CURSOR
from decoderd.effectors.point_mass import POINT_MASS
from decoderd.effectors.two_link_arm import TWO_LINK_ARM
from decoderd.plasticity.objective import Objective
from decoderd.populations.rnn import population as rnn
from decoderd.rollout import gradients, rollout
from decoderd.rollout.adjoint import Loop
from decoderd.state import Timing

TIMING = Timing(0.01, 1)
SEEDS, TRIALS, UNITS, TICKS, ENTRIES = 2, 3, 6, 30, 3
FIELDS = ("U", "W", "b")
# Scales for which every term has weight.
OBJECTIVE = Objective(
    position_scale_m=0.1,
    velocity_scale_m_s=0.5,
    acceleration_scale_m_s2=3.0,
    acceleration_weight=0.3,
    effort_weight=2.0,
    hold_s=0.05,
)


def individuals(config):
    several = [rnn.load(config, np.random.default_rng(seed), {}) for seed in range(SEEDS)]
    return rnn.Parameters(*(np.stack(part) for part in zip(*several, strict=True)))


def a_loop(effector, config):
    return Loop(
        rnn.RNN, rnn.plan(config, TIMING), effector, effector.plan(effector.Config(), TIMING), 0.01, slice(None)
    )


def decoder_steps(rng, position):
    """Random decoders, different from tick to tick and seed to seed."""
    return [
        AffineStep(
            0.6 * np.eye(ENTRIES) + 0.1 * rng.normal(size=(SEEDS, ENTRIES, ENTRIES)),
            0.1 * rng.normal(size=(SEEDS, ENTRIES, 2)) if position else None,
            0.05 * rng.normal(size=(SEEDS, ENTRIES, UNITS)),
            0.01 * rng.normal(size=(SEEDS, ENTRIES)),
            np.eye(ENTRIES)[:2],
        )
        for _ in range(TICKS)
    ]


@pytest.mark.parametrize("delay_s", [0.0, 0.07])
@pytest.mark.parametrize("effector", [CURSOR, POINT_MASS, TWO_LINK_ARM], ids=lambda kind: kind.Config().kind)
def test_gradients_are_those_of_central_differences(effector, delay_s):
    rng = np.random.default_rng(0)
    config = rnn.RnnConfig(units=UNITS, encoder_units=5, hold_cue=True, feedback_delay_s=delay_s)
    loop, steps, population = a_loop(effector, config), decoder_steps(rng, position=delay_s > 0), individuals(config)
    angle = 2 * np.pi * np.arange(TRIALS) / TRIALS
    goal = np.broadcast_to(0.07 * np.stack([np.cos(angle), np.sin(angle)], 1), (SEEDS, TRIALS, 2))
    reaches = rollout.Reaches(0.002 * rng.normal(size=(SEEDS, TRIALS, 2)), goal, TICKS, 5)
    tables = {name: rng.normal(size=(TICKS, SEEDS, TRIALS, UNITS)) for name in ("noise", "initial")}
    amounts = rng.random((SEEDS, TRIALS))

    def batch_of(p):
        trajectory = rollout.run(loop, p, steps, np.zeros((SEEDS, ENTRIES)), reaches, tables)
        return gradients.trial_batch(loop, p, trajectory, OBJECTIVE, "gradient", FIELDS, np.arange(TRIALS))

    found = batch_of(population).weighted_sum(amounts)
    h = 1e-6
    for field in FIELDS:
        value = getattr(population, field)
        expected = np.zeros_like(value)
        for place in np.ndindex(value.shape):
            moved = np.zeros_like(value)
            moved[place] = h
            ahead = batch_of(population._replace(**{field: value + moved})).losses
            behind = batch_of(population._replace(**{field: value - moved})).losses
            expected[place] = (amounts * (ahead - behind)).sum() / (2 * h)
        error = np.linalg.norm(found[field] - expected) / np.linalg.norm(expected)
        assert error <= 1e-6, (field, error)


def test_the_gradient_of_a_batch_is_the_sum_over_its_trials():
    rng = np.random.default_rng(3)
    config = rnn.RnnConfig(units=UNITS, encoder_units=5)
    loop, steps, population = a_loop(POINT_MASS, config), decoder_steps(rng, position=True), individuals(config)
    reaches = rollout.Reaches(np.zeros((SEEDS, TRIALS, 2)), 0.07 * rng.normal(size=(SEEDS, TRIALS, 2)), TICKS, 0)
    tables = {name: rng.normal(size=(TICKS, SEEDS, TRIALS, UNITS)) for name in ("noise", "initial")}
    trajectory = rollout.run(loop, population, steps, np.zeros((SEEDS, ENTRIES)), reaches, tables)
    given = gradients.trial_batch(loop, population, trajectory, OBJECTIVE, "gradient", FIELDS, np.arange(TRIALS))
    whole = given.weighted_sum(np.ones((SEEDS, TRIALS)))
    parts = [given.weighted_sum(np.ones((SEEDS, TRIALS)) * (np.arange(TRIALS) == k)) for k in range(TRIALS)]
    for field in FIELDS:
        np.testing.assert_allclose(sum(part[field] for part in parts), whole[field], rtol=1e-9, atol=1e-12)
