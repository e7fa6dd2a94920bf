"""Adaptive exponential neurons: rheobase, rates and adaptation against a plain integration of one neuron."""

import math

import numpy as np
import pytest

from decoderd.spiking import adex
from decoderd.spiking.adex import PARVALBUMIN, SOMATOSTATIN

DT = 1e-4


def spike_steps(law, current_a, seconds, dt=DT):
    neurons, found = adex.at_rest(np.full(1, -70e-3)), []
    for step in range(round(seconds / dt)):
        neurons, spikes = adex.advanced(law, neurons, current_a, dt)
        if spikes[0]:
            found.append(step)
    return found


def plain_steps(law, current_a, seconds, dt=DT):
    """The same neuron in plain numbers, in volts from rest."""
    v, w, wait, found = 0.0, 0.0, 0, []
    for step in range(round(seconds / dt)):
        slope = law.slope_v * math.exp((v - law.threshold_v - 0.07) / law.slope_v)
        v = min(v + dt / law.leak_s * (slope - v - w + current_a / law.leak_siemens), 0.09)
        if wait:
            wait, v = wait - 1, 0.0
        elif v > 0.07:
            v, w, wait = 0.0, w + law.jump_v, round(law.refractory_s / dt)
            found.append(step)
        w += dt / law.adaptation_s * (law.follows * v - w)
    return found


@pytest.mark.parametrize(("law", "current_a"), [(PARVALBUMIN, 230e-12), (SOMATOSTATIN, 60e-12)])
def test_spikes_are_those_of_one_neuron_in_plain_numbers(law, current_a):
    found = spike_steps(law, current_a, 0.6)
    assert found == plain_steps(law, current_a, 0.6)
    assert len(found) > 5


@pytest.mark.parametrize(("law", "rheobase_a"), [(PARVALBUMIN, 200e-12), (SOMATOSTATIN, 25e-12)])
def test_neurons_go_on_firing_above_their_rheobase_and_not_below(law, rheobase_a):
    """Without jumps of the adaptation. Just below it, currents that begin at once fire before that follows."""
    steady = law._replace(jump_v=0.0)
    assert len(spike_steps(steady, 0.8 * rheobase_a, 0.6)) == 0
    assert len(spike_steps(steady, 1.3 * rheobase_a, 0.6)) > 2


def test_somatostatin_neurons_adapt_and_parvalbumin_neurons_do_not():
    som, pv = np.diff(spike_steps(SOMATOSTATIN, 80e-12, 1.5)), np.diff(spike_steps(PARVALBUMIN, 250e-12, 0.5))
    assert som[-1] > 1.5 * som[0]
    assert np.ptp(pv) <= 1


def test_two_kinds_side_by_side_are_each_as_alone():
    law = adex.joined((PARVALBUMIN, SOMATOSTATIN), (1, 2))
    neurons, counts = adex.at_rest(np.full(3, -70e-3)), np.zeros(3)
    for _ in range(3000):
        neurons, spikes = adex.advanced(law, neurons, np.array([230e-12, 60e-12, 0.0]), DT)
        counts += spikes
    expected = [len(spike_steps(PARVALBUMIN, 230e-12, 0.3)), len(spike_steps(SOMATOSTATIN, 60e-12, 0.3)), 0]
    assert counts.tolist() == expected


def test_synapses_excite_and_inhibit_and_fade():
    rest = adex.at_rest(np.full(3, -70e-3))
    neurons = rest._replace(excitation=np.array([0.1, 0.0, 0.0]), inhibition=np.array([0.0, 0.1, 0.0]))
    after, _ = adex.advanced(PARVALBUMIN, neurons, 0.0, DT)
    change = 0.01 * 0.1 * np.array([0.07, -0.01])
    np.testing.assert_allclose((after.voltage - after.voltage[2])[:2], change, rtol=1e-9)
    assert after.excitation[0] == pytest.approx(0.1 * math.exp(-0.02))
    assert after.inhibition[1] == pytest.approx(0.1 * math.exp(-0.01))
