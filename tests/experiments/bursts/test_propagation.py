"""Propagation of events and bursts: drives, wiring and measures against plain statements; the bands as a campaign."""

import numpy as np
import pytest

from decoderd.experiments.bursts import propagation
from decoderd.experiments.bursts.propagation import FIRST, NEURONS, Activity, Projection
from decoderd.spiking import short_term, synapses
from decoderd.spiking.short_term import FACILITATING


def test_modulations_are_the_amplitudes_of_sines_of_both_frequencies():
    times = (np.arange(80) + 0.5) * 0.05
    slow = 0.4 * np.cos(2 * np.pi * 2 / 5**0.5 * times + 1.0)
    values = 5.0 + 2.0 * np.sin(2 * np.pi * 2 * times + 0.3) + slow
    values[:20] = 50.0  # burn-in
    assert propagation.modulation(values) == pytest.approx((5.0, 2.0, 0.4))


def test_drives_begin_after_the_burn_in():
    before, peak = propagation.drives(0.125), propagation.drives(1.125)
    np.testing.assert_allclose(before, [[0.0, -100e-12], [50e-12, 100e-12]])
    slow = 100e-12 * np.sin(2 * np.pi * 1.125 * 2 / 5**0.5)
    np.testing.assert_allclose(peak, [[200e-12, -100e-12], [50e-12, 100e-12 + slow]])


def test_noise_reaches_every_conductance_of_every_neuron_once():
    hit = np.zeros(4 * NEURONS, dtype=int)
    for source in propagation.noise():
        hit[source.first : source.first + source.number] += 1
    assert hit.reshape(4, NEURONS)[:2].all()
    assert hit.reshape(4, NEURONS)[2:, : FIRST["PV"]].all()
    assert not hit.reshape(4, NEURONS)[2:, FIRST["PV"] :].any()
    assert hit.max() == 1


def test_spikes_reach_the_targets_of_their_projections():
    """Neuron 1 of population 2 excites dendrites of population 1; neuron 0 of PV inhibits somata of population 2."""
    wired = [
        (
            Projection("2", "1", propagation.DENDRITE_E, 0.5, FACILITATING),
            synapses.of_pairs(np.array([1, 1]), np.array([3, 5]), 4000),
        ),
        (Projection("PV", "2", propagation.SOMA_I, 0.2, None), synapses.of_pairs(np.array([0]), np.array([7]), 1000)),
    ]
    spiking = np.array([FIRST["2"] + 1, FIRST["PV"]])
    resources, gained = propagation.released(wired, [short_term.rested(FACILITATING, 4000), None], spiking, 0.0)
    expected = np.zeros((4, NEURONS))
    expected[propagation.DENDRITE_E, [3, 5]] = 0.5 * 0.02
    expected[propagation.SOMA_I, FIRST["2"] + 7] = 0.2
    np.testing.assert_allclose(gained, expected)
    assert resources[0].available[1] == pytest.approx(0.98)
    assert resources[1] is None


def test_bands_take_the_worst_of_the_seeds():
    times = (np.arange(80) + 0.5) * 0.05
    fast, slow = np.sin(4 * np.pi * times), np.sin(4 * np.pi / 5**0.5 * times)
    each = []
    for top_down in (0.05, 0.06):
        events = np.array([5 + 2 * fast, 5 + 2 * fast + 10 * top_down / 2 * slow])
        probability = np.array([0.2 + top_down * slow, 0.3 + 0.1 * slow + 0.01 * fast])
        each.append(propagation.measured(Activity(events, events * probability, np.ones((2, 80)))))
    found = [band.value for band in propagation.bands(each)]
    assert found == pytest.approx([2 / 0.3, 10.0, 0.05, 0.06])
    assert all(band.ok for band in propagation.bands(each))


def test_a_network_fires_from_its_noise():
    found = propagation.simulate(1, seconds=0.05)
    assert (found.events > 1).all()
    assert (found.probability > 0.05).all()
    assert (found.inhibitory > 1).all()


@pytest.mark.campaign
def test_a_network_is_a_function_of_its_seed():
    one, again, other = (propagation.simulate(seed, seconds=0.2) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.events, again.events)
    assert (one.events != other.events).any()


@pytest.mark.campaign
def test_the_bands_hold():
    assert [band for band in propagation.run(2, 2, lambda *_: None).bands if not band.ok] == []
