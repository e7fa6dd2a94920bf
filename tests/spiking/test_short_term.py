"""Short-term plasticity: releases of spike trains against the equations step by step, and what trains they pass on."""

import numpy as np
import pytest

from decoderd.spiking import short_term
from decoderd.spiking.short_term import DEPRESSING, FACILITATING


def releases(law, times_s):
    """What the spikes of one neuron at these times release."""
    resources, found = short_term.rested(law, 1), []
    for time in times_s:
        resources, amount = short_term.released(law, resources, np.array([0]), time)
        found.append(amount[0])
    return np.array(found)


@pytest.mark.parametrize("law", [DEPRESSING, FACILITATING])
def test_releases_are_those_of_the_equations_in_small_steps(law):
    """x and u relax in Euler steps of 5 us between the spikes."""
    steps = np.sort(np.random.default_rng(1).choice(np.arange(1, 100_000), 12, replace=False))
    x, u, expected, dt = 1.0, law.rest, [], 5e-6
    for step in range(100_000):
        if step in steps:
            expected.append(u * x)
            x, u = x - u * x, u + law.gain * (1 - u)
        x, u = x + dt / law.recovery_s * (1 - x), u + dt / law.facilitation_s * (law.rest - u)
    np.testing.assert_allclose(releases(law, steps * dt), expected, rtol=2e-3)


def test_neurons_that_do_not_spike_keep_their_state():
    resources = short_term.rested(FACILITATING, 3)
    after, amounts = short_term.released(FACILITATING, resources, np.array([2, 0]), 0.1)
    np.testing.assert_allclose(amounts, 0.02)
    assert [field[1] for field in after] == [1.0, 0.02, 0.0]
    assert after.used[0] == after.used[2] == pytest.approx(0.02 + 0.1 * 0.98)
    assert resources.used.tolist() == [0.02] * 3


def test_depressing_synapses_pass_on_events_and_facilitating_ones_bursts():
    """A burst is a second spike 10 ms after an event, events come every 200 ms: a burst counts for one event and a bit
    through depressing synapses, and for many through facilitating ones."""
    events = 0.2 * np.arange(20)
    bursts = np.sort(np.concatenate([events, events + 0.01]))
    ratio = {law: releases(law, bursts).sum() / releases(law, events).sum() for law in (DEPRESSING, FACILITATING)}
    assert ratio[DEPRESSING] < 1.6
    assert ratio[FACILITATING] > 3.5
