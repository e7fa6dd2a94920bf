import numpy as np

from decoderd.populations.rnn import equations
from decoderd.populations.rnn import population as rnn
from decoderd.populations.rnn.population import RnnConfig
from decoderd.rng import Draws, open_streams
from decoderd.state import HOLD, REACH, REST, Cue, TimeIndex, Timing

TIMING = Timing(0.01, 1)
SMALL = RnnConfig(units=7, encoder_units=5, feedback_delay_s=0.03)


class Given:
    """Draws given by a test."""

    def __init__(self, **rows):
        self.rows = rows

    def row(self, name):
        return self.rows[name]


def individual(config=SMALL, seed=0):
    return rnn.load(config, np.random.default_rng(seed), {})


def cue(goal=(0.07, 0.0), start=None, phase=REACH):
    return Cue(None if goal is None else np.array([goal]), 0.01, phase, 0, 1, start, ())


def test_a_tick_is_that_of_the_equations():
    p, plan, rng = individual(), rnn.plan(SMALL, TIMING), np.random.default_rng(1)
    position, v, xi = np.array([0.01, -0.02]), rng.normal(size=7), rng.normal(size=7)
    state = equations.init(plan, p, np.array([[*position, 0.0, 0.0]]))._replace(v=v[None])
    after, rates, intent = equations.rates(
        plan, p, state, cue((0.0, 0.07)), np.full((1, 4), 9.0), TimeIndex(0, 1, 0, 0), Given(noise=xi[None])
    )
    s = np.array([*position / 0.07, 0.0, 1.0, 0.0, 1.0])
    e = np.maximum(p.E @ s + p.c, 0)
    a = 0.01 / 0.05
    expected = (1 - a) * v + a * (p.U @ e + p.W @ np.maximum(v, 0) + p.b) + 0.02 * np.sqrt(a) * xi
    np.testing.assert_allclose(after.v[0], expected, rtol=1e-12)
    np.testing.assert_allclose(rates[0], 100 * np.maximum(expected, 0), rtol=1e-12)
    _, spikes = equations.spikes(plan, p, after, rates, Given())
    np.testing.assert_allclose(spikes["counts"][0], np.maximum(expected, 0), rtol=1e-12)
    assert not intent.any()


def test_feedback_is_delayed_and_a_trial_fills_the_delay_line_with_its_start():
    p, plan = individual(), rnn.plan(SMALL, TIMING)
    state = equations.init(plan, p, np.zeros((1, 4)))
    given = Given(noise=np.zeros((1, 7)), initial=np.full((1, 7), 0.25))
    start = np.array([[0.003, 0.004]])
    inputs = []
    for t in range(6):
        seen = np.array([[0.01 * t, 0.0, 0.0, 0.0]])
        state, _, _ = equations.rates(
            plan, p, state, cue(start=start if t == 1 else None), seen, TimeIndex(t, 1, t, 0), given
        )
        inputs.append(state.e[0])
        if t == 1:
            np.testing.assert_array_equal(state.before, -0.5)  # v_0 from U(-1, 1)
    for t, position in enumerate([(0.0, 0.0), start[0], start[0], start[0], (0.01, 0.0), (0.02, 0.0)]):
        s = np.array([position[0] / 0.07, position[1] / 0.07, 1.0, 0.0, 0.0, 1.0])
        np.testing.assert_allclose(inputs[t], np.maximum(p.E @ s + p.c, 0), rtol=1e-12)


def test_without_a_delay_the_cursor_is_seen_at_once():
    config = RnnConfig(units=3, encoder_units=2, feedback_delay_s=0.0)
    p, plan = individual(config), rnn.plan(config, TIMING)
    state = equations.init(plan, p, np.zeros((1, 4)))
    given = Given(noise=np.zeros((1, 3)))
    state, _, _ = equations.rates(plan, p, state, cue(), np.full((1, 4), 0.07), TimeIndex(0, 1, 0, 0), given)
    np.testing.assert_allclose(state.e[0], np.maximum(p.E @ np.array([1.0, 1.0, 1.0, 0.0, 0.0, 1.0]) + p.c, 0))


def test_cues_are_direction_context_and_hold():
    config = RnnConfig(units=3, encoder_units=2, hold_cue=True)
    plan = rnn.plan(config, TIMING)
    np.testing.assert_allclose(
        equations.cues(plan, np.array([[0.0, -0.05]]), REACH, (1,)), [[0, -1, 0, 1, 0]], atol=1e-12
    )
    np.testing.assert_allclose(equations.cues(plan, np.array([[0.03, 0.0]]), HOLD, (1,)), [[1, 0, 0, 1, 1]])
    np.testing.assert_allclose(equations.cues(plan, None, REST, (1,)), [[0, 0, 0, 1, 0]])
    np.testing.assert_allclose(
        equations.cues(plan, np.zeros((1, 2)), REACH, (1,)), [[0, 0, 0, 1, 0]]
    )  # centre: no direction
    under_manual, V = rnn.manual(plan, individual(config))
    np.testing.assert_allclose(equations.cues(under_manual, None, REST, (1,)), [[0, 0, 1, 0, 0]])
    np.testing.assert_allclose(V, individual(config).V)  # a count is a rate where a tick of 10 ms has 100 Hz a rate


def test_individuals_and_trials_in_a_batch_are_those_one_by_one():
    plan, rng = rnn.plan(SMALL, TIMING), np.random.default_rng(2)
    individuals = [individual(seed=seed) for seed in range(3)]
    together = rnn.Parameters(*(np.stack(part) for part in zip(*individuals, strict=True)))
    cursors, goals = 0.02 * rng.normal(size=(5, 3, 4, 4)), 0.07 * rng.normal(size=(3, 4, 2))
    noise, first = rng.normal(size=(5, 3, 4, 7)), rng.random((3, 4, 7))
    starts = 0.01 * rng.normal(size=(3, 4, 2))

    def follow(p, cursor, goal, noise, first, start):
        state = equations.init(plan, p, cursor[0])
        for t in range(5):
            shown = Cue(goal, 0.01, REACH, 0, 1, None if t else start, ())
            draws = Given(noise=noise[t], initial=first)
            state, rates, _ = equations.rates(plan, p, state, shown, cursor[t], TimeIndex(t, 1, t, 0), draws)
        return rates

    found = follow(together, cursors, goals, noise, first, starts)
    assert found.shape == (3, 4, 7)
    for i in range(3):
        for k in range(4):
            of = np.s_[i, k : k + 1]
            alone = follow(individuals[i], cursors[:, *of], goals[of], noise[:, *of], first[of], starts[of])
            np.testing.assert_allclose(found[of], alone, rtol=1e-10)


def test_spikes_are_poisson_at_the_rates():
    config = RnnConfig(units=4, encoder_units=2, poisson=True, hz_per_rate=50.0)
    p, plan = individual(config), rnn.plan(config, TIMING)
    streams = open_streams((3,), "population", rnn.streams(plan, p))
    rates = np.array([[10.0, 50.0, 120.0, 0.0]])
    state = equations.init(plan, p, np.zeros((1, 4)))
    ticks = (equations.spikes(plan, p, state, rates, Draws(streams, 1, t))[1] for t in range(8000))
    counted = np.concatenate([tick["counts"] for tick in ticks])
    assert counted.dtype == np.uint8
    expected = rates[0] * 0.01
    np.testing.assert_allclose(counted.mean(axis=0), expected, atol=4 * np.sqrt(expected.max() / 8000))
    np.testing.assert_allclose(counted.var(axis=0), expected, atol=0.08)
