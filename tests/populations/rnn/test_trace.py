import numpy as np

from decoderd.populations.rnn import population as rnn
from decoderd.populations.rnn.population import RNN, RnnConfig
from decoderd.state import Timing

TIMING = Timing(0.01, 1)
SMALL = RnnConfig(units=7, encoder_units=5, feedback_delay_s=0.03)


def test_eligibility_is_noise_times_input():
    """Against sums over ticks and trials of outer products, without the last tick."""
    rng = np.random.default_rng(4)
    p, plan = rnn.load(SMALL, rng, {}), rnn.plan(SMALL, TIMING)
    trace = rnn.Trace(rng.random(size=(6, 3, 7)), rng.normal(size=(5, 3, 7)), rng.random((5, 3, 5)))
    amounts = rng.normal(size=3)
    found = RNN.plastic.eligibility(plan, p, trace, amounts, ("U", "W", "b"))
    expected = {"U": np.zeros((7, 5)), "W": np.zeros((7, 7)), "b": np.zeros(7)}
    for t in range(4):
        for k in range(3):
            expected["U"] += amounts[k] * np.outer(trace.xi[t, k], trace.e[t, k])
            expected["W"] += amounts[k] * np.outer(trace.xi[t, k], trace.r[t, k])
            expected["b"] += amounts[k] * trace.xi[t, k]
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-10, atol=1e-12)
    assert RNN.plastic.eligibility(plan, p, trace, amounts, ("b",)).keys() == {"b"}
