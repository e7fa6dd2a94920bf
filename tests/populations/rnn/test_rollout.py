"""The batch rollout of the network against its equations tick by tick."""

import numpy as np
import pytest

from decoderd.populations.rnn import equations
from decoderd.populations.rnn import population as rnn
from decoderd.populations.rnn.population import RnnConfig
from decoderd.populations.rnn.rollout import BatchRollout
from decoderd.populations.rnn.trace import trace
from decoderd.state import HOLD, REACH, Cue, Reaches, TimeIndex, Timing

TIMING = Timing(0.01, 1)
SEEDS, TRIALS, TICKS, UNITS = 2, 3, 23, 7


class Given:
    """Draws of one tick."""

    def __init__(self, tables, t):
        self.tables, self.t = tables, t

    def row(self, name):
        return self.tables[name][self.t]


def made_up(config, hold_ticks):
    """Individuals, trials, random rows and displayed cursors."""
    draw = np.random.default_rng(0)
    individuals = [rnn.load(config, np.random.default_rng(seed), {}) for seed in range(SEEDS)]
    together = rnn.Parameters(*(np.stack(part) for part in zip(*individuals, strict=True)))
    start, goal = draw.normal(0, 0.01, (SEEDS, TRIALS, 2)), draw.normal(0, 0.07, (SEEDS, TRIALS, 2))
    cursors = draw.normal(0, 0.03, (TICKS + 1, SEEDS, TRIALS, 4))
    cursors[0, ..., :2] = start
    tables = {
        "noise": draw.normal(size=(TICKS, SEEDS, TRIALS, UNITS)).astype(individuals[0].W.dtype),
        "initial": draw.random((1, SEEDS, TRIALS, UNITS)),
    }
    return together, Reaches(start, goal, TICKS, hold_ticks), tables, cursors


@pytest.mark.parametrize(("precision", "error"), [("double", 1e-10), ("single", 2e-5)])
@pytest.mark.parametrize("hold_ticks", [0, 4, TICKS + 3])
@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.07, 0.4])
def test_counts_and_trace_are_those_of_the_equations(delay_s, hold_ticks, precision, error):
    """Without a delay, with delays that do not divide the trial, with one longer than the trial; and with holds."""
    config = RnnConfig(
        units=UNITS, encoder_units=5, noise_sd=0.3, hold_cue=True, feedback_delay_s=delay_s, precision=precision
    )
    plan = rnn.plan(config, TIMING)
    individuals, reaches, tables, cursors = made_up(config, hold_ticks)
    batch_rollout = BatchRollout(plan, individuals, reaches, tables)
    known = np.full_like(cursors, np.nan)  # cursors of later ticks must not be used
    known[0] = cursors[0]
    state, states = equations.init(plan, individuals, cursors[0]), []
    for t in range(TICKS):
        phase = HOLD if t >= TICKS - hold_ticks else REACH
        cue = Cue(reaches.goal, 0.0, phase, -1, 0, None if t else reaches.start, ())
        draws = Given(tables, t)
        state, rates, _ = equations.rates(plan, individuals, state, cue, cursors[t], TimeIndex(t, 0, t, 0), draws)
        states.append(state)
        _, expected = equations.spikes(plan, individuals, state, rates, draws)
        found = batch_rollout.spikes(t, known)["counts"]
        np.testing.assert_allclose(found, expected["counts"], rtol=error, atol=error)
        known[t + 1] = cursors[t + 1]
    for one, other in zip(batch_rollout.trace(), trace(states), strict=True):
        np.testing.assert_allclose(one, other, rtol=error, atol=error)
        assert one.dtype == other.dtype == plan.a.dtype


def test_spikes_are_those_of_the_equations():
    """The same uniform numbers give the same spikes, although rates agree only to rounding."""
    config = RnnConfig(units=UNITS, encoder_units=5, poisson=True)
    plan = rnn.plan(config, TIMING)
    individuals, reaches, tables, cursors = made_up(config, 0)
    tables["spikes"] = np.random.default_rng(1).random((TICKS, SEEDS, TRIALS, UNITS))
    batch_rollout, state, total = (
        BatchRollout(plan, individuals, reaches, tables),
        equations.init(plan, individuals, cursors[0]),
        0,
    )
    for t in range(TICKS):
        cue, draws = Cue(reaches.goal, 0.0, REACH, -1, 0, None if t else reaches.start, ()), Given(tables, t)
        state, rates, _ = equations.rates(plan, individuals, state, cue, cursors[t], TimeIndex(t, 0, t, 0), draws)
        found = batch_rollout.spikes(t, cursors)["counts"]
        np.testing.assert_array_equal(found, equations.spikes(plan, individuals, state, rates, draws)[1]["counts"])
        total += found.sum()
    assert total > 100


def test_a_rollout_does_not_write_into_its_arguments():
    config = RnnConfig(units=UNITS, encoder_units=5)
    individuals, reaches, tables, cursors = made_up(config, 0)
    for array in (*individuals, *tables.values(), cursors, reaches.start, reaches.goal):
        array.setflags(write=False)
    batch_rollout = BatchRollout(rnn.plan(config, TIMING), individuals, reaches, tables)
    for t in range(TICKS):
        batch_rollout.spikes(t, cursors)
    batch_rollout.trace()
