"""Rollouts against sessions: a batch of trials has the same numbers as the trials of a session."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.rollout import gradients, rollout
from decoderd.session.learning import values
from decoderd.tasks.trial import HOLD
from tests import protocols
from tests.learners import FIELDS, learning

T, TARGETS, UPDATES = 30, 4, 3
WHOLE = {"trials_per_update": TARGETS, "adam": {"rate": 0.02}}


def rows(session, first):
    """Random rows (T, trials, width) of the session in the trials of an update."""
    found = {}
    for name, stream in session.population_streams.items():
        table = stream.rows(1, first * T, TARGETS * T)[:, 0]
        found[name] = table.reshape(TARGETS, T, -1).swapaxes(0, 1)
    return found


def reaches(run, first):
    """Starts, goals, duration and hold of the session's trials of an update, from its messages and states."""
    ticks = [run.of("tick")[(first + k) * T : (first + k + 1) * T] for k in range(TARGETS)]
    begun = [run.states[(first + k) * T + 1].trace[0].before[0, :2] for k in range(TARGETS)]
    (hold,) = {sum(tick["p"] == HOLD for tick in trial) for trial in ticks}
    return rollout.Reaches(np.array(begun), np.array([trial[0]["t"] for trial in ticks]), T, hold)


def steps(session, parameters):
    """Steps of a decoder from its initial state; its gain does not depend on counts."""
    decoder = session.decoder
    state = decoder.init(parameters, 1)
    for _ in range(T):
        yield decoder.linear(parameters, state)
        state, _ = decoder.step(parameters, state, np.zeros((1, decoder.units(parameters))), np.zeros((1, 2)))


@pytest.mark.parametrize("state", ["velocity", "position_velocity"])
@pytest.mark.parametrize("kind", ["reinforce", "backprop"])
def test_a_batch_equals_the_trials_of_a_session(kind, state):
    """From the same starts and random rows follow the same parameters after each update, to rounding."""
    decoder = {"kind": "kalman", "state": state, "calibration": {"reaches": 16, "noise_shrinkage": 0.5}}
    data = learning(kind, UPDATES * TARGETS, WHOLE, decoder=decoder, readouts={"units": [5, 0, 2, 7, 3]})
    run = protocols.run(data)
    session, parameters = run.session, run.states[0].parameters
    rule, population = session.rule, parameters.population
    loop = rule.loop._replace(readouts=parameters.readouts)
    taken = list(steps(session, parameters.decoder))
    first = session.decoder.row(session.decoder.init(parameters.decoder, 1))[0]
    rule_state = rule.kind.init(rule.config, values(rule, population), TARGETS, ())
    updates = run.of("plasticity")
    assert len(updates) == UPDATES
    for update in range(UPDATES):
        before = update * TARGETS
        trajectory = rollout.run(loop, population, taken, first, reaches(run, before), rows(session, before))
        for k in range(TARGETS):
            trial = run.of("tick")[(before + k) * T : (before + k + 1) * T]
            np.testing.assert_allclose(trajectory.cursors[1:, k], [tick["c"] for tick in trial], atol=1e-9)
        trial_batch = gradients.trial_batch(
            loop, population, trajectory, rule.config.objective, rule.kind.learns_from, FIELDS, np.arange(TARGETS)
        )
        rule_state, learned = rule.kind.learn(rule.config, rule_state, values(rule, population), trial_batch)
        population = population._replace(**learned)
        assert trial_batch.losses.mean() == pytest.approx(updates[update]["l"], rel=1e-9)
        following = run.states[(before + TARGETS) * T].parameters.population
        for field in FIELDS:
            np.testing.assert_allclose(getattr(population, field), getattr(following, field), rtol=0, atol=1e-9)
            assert (getattr(population, field) != getattr(parameters.population, field)).any()


def test_individuals_in_a_batch_equal_each_individual_alone():
    session, state = protocols.begun(learning())
    loop, one = session.rule.loop, state.parameters.population
    individuals = [one, one._replace(W=0.7 * one.W)]
    several = type(one)(*(np.stack(field) for field in zip(*individuals, strict=True)))
    draw, seeds = np.random.default_rng(5), len(individuals)
    taken = list(steps(session, state.parameters.decoder))
    tables = {name: draw.normal(size=(T, seeds, TARGETS, 8)) for name in ("noise", "initial")}
    asked = rollout.Reaches(draw.normal(0, 0.01, (seeds, TARGETS, 2)), draw.normal(size=(seeds, TARGETS, 2)), T, 5)
    first = np.zeros((seeds, 3))
    fired = []
    together = rollout.run(loop, several, taken, first, asked, tables, fired)
    for seed, individual in enumerate(individuals):
        own = {name: table[:, seed] for name, table in tables.items()}
        its = asked._replace(start=asked.start[seed], goal=asked.goal[seed])
        its_own = []
        alone = rollout.run(loop, individual, taken, first[seed], its, own, its_own)
        np.testing.assert_allclose(together.cursors[:, seed], alone.cursors, rtol=1e-9, atol=1e-12)
        for whole, own_counts in zip(fired, its_own, strict=True):
            np.testing.assert_allclose(whole["counts"][seed], own_counts["counts"], rtol=1e-9, atol=1e-12)


def test_a_population_without_its_own_rollout_is_computed_tick_by_tick():
    session, state = protocols.begun(learning())
    loop, one = session.rule.loop, state.parameters.population
    plain = loop._replace(population=loop.population._replace(plastic=loop.population.plastic._replace(rollout=None)))
    draw = np.random.default_rng(6)
    tables = {name: draw.normal(size=(T, TARGETS, 8)) for name in ("noise", "initial")}
    asked = rollout.Reaches(draw.normal(0, 0.01, (TARGETS, 2)), draw.normal(size=(TARGETS, 2)), T, 5)
    taken = list(steps(session, state.parameters.decoder))
    found, expected = (rollout.run(of, one, taken, np.zeros(3), asked, tables) for of in (plain, loop))
    np.testing.assert_allclose(found.cursors, expected.cursors, rtol=1e-9, atol=1e-12)
    for ours, theirs in zip(found.trace, expected.trace, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_individuals_of_one_seed_get_the_same_rows():
    table = np.random.default_rng(7).normal(size=(T, 2, TARGETS, 3))
    found = rollout.rows_of_individuals(table, np.array([0, 1, 1, 0]))
    np.testing.assert_array_equal(found, table[:, [0, 1, 1, 0]])
    assert all(found[:, individual].flags.c_contiguous for individual in range(4))
