import numpy as np
import pytest

from decoderd.plasticity import burst_rule
from decoderd.plasticity.burst_rule import Averages, Rule

TICK_S = 0.001
RULE = Rule(eta=0.05, tau_pre_s=0.05, tau_avg_s=0.5, e_min_hz=4.0, e_max_hz=12.0, w_max=1.0)


def plainly(rule, pre, events, bursts, w):
    """One synapse, one number at a time, as the paper and its supplement describe the rule."""
    trace = e = b = 0.0
    for j, event, burst in zip(pre, events, bursts, strict=True):
        trace *= np.exp(-TICK_S / rule.tau_pre_s)
        e, b = e * np.exp(-TICK_S / rule.tau_avg_s), b * np.exp(-TICK_S / rule.tau_avg_s)
        if j:
            if e < rule.e_min_hz:
                w = min(max(w + rule.eta * (rule.e_min_hz - e), rule.w_min), rule.w_max)
            trace += 1
        if event:
            fraction = 1.0 if e == 0 else min(b / e, 1.0)
            too_high = (e - rule.e_max_hz) / e if e > rule.e_max_hz else 0.0
            w = min(max(w - rule.eta * (fraction + too_high) * trace, rule.w_min), rule.w_max)
            e += 1 / rule.tau_avg_s
        if burst:
            b += 1 / rule.tau_avg_s
            too_high = (e - rule.e_max_hz) / e if e > rule.e_max_hz else 0.0
            w = min(max(w + rule.eta * (1 - too_high) * trace, rule.w_min), rule.w_max)
    return w, e, b, trace


def by_arrays(rule, pre, events, bursts, w):
    """All synapses of a fully connected layer, in the order of the module's docstring."""
    trace, averages = np.zeros(pre.shape[1]), Averages(np.zeros(events.shape[1]), np.zeros(events.shape[1]))
    for j, event, burst in zip(pre, events, bursts, strict=True):
        trace = burst_rule.decayed(trace, TICK_S, rule.tau_pre_s)
        averages = burst_rule.passed(averages, TICK_S, rule.tau_avg_s)
        w = burst_rule.bounded(rule, w + burst_rule.silence(rule, averages.events)[:, np.newaxis] * j)
        trace = trace + j
        averages, signal = burst_rule.postsynaptic(rule, averages, event, burst)
        w = burst_rule.changed(rule, w, signal[:, np.newaxis], trace)
    return w, averages, trace


def trains(rates_hz, probability, steps):
    """Events and bursts (steps, units): an event is never in the step of a burst."""
    rng = np.random.default_rng(3)
    shape = (steps, len(rates_hz))
    events = (rng.random(shape) < np.array(rates_hz) * TICK_S).astype(float)
    bursts = np.roll(events * (rng.random(shape) < probability), 6, axis=0) * (1 - events)
    return events, bursts


def test_a_layer_changes_as_its_synapses_do_one_by_one():
    pre, _ = trains([5.0, 20.0], 0.0, 4000)
    events, bursts = trains([1.0, 8.0, 30.0], 0.3, 4000)  # below e_min, between the two, above e_max
    w, averages, trace = by_arrays(RULE, pre, events, bursts, np.full((3, 2), 0.5))
    for i, j in np.ndindex(3, 2):
        found, e, b, last = plainly(RULE, pre[:, j], events[:, i], bursts[:, i], 0.5)
        np.testing.assert_allclose(w[i, j], found, rtol=1e-9)
        np.testing.assert_allclose([averages.events[i], averages.bursts[i], trace[j]], [e, b, last], rtol=1e-9)


def test_an_event_reads_the_burst_probability_before_it_counts_itself():
    averages, signal = burst_rule.postsynaptic(RULE, Averages(np.array(4.0), np.array(1.0)), np.array(1), np.array(0))
    assert signal == -0.25
    assert averages == Averages(4.0 + 2.0, 1.0)


@pytest.mark.parametrize(("events", "bursts", "fraction"), [(0.0, 0.0, 1.0), (2.0, 3.0, 1.0), (4.0, 1.0, 0.25)])
def test_the_moving_burst_probability_is_at_most_one_and_one_where_it_is_not_defined(events, bursts, fraction):
    assert burst_rule.expected(Averages(np.array(events), np.array(bursts))) == fraction


def test_averages_of_steady_trains_are_their_rates():
    rule, averages = RULE._replace(tau_avg_s=5.0), Averages(np.zeros(1), np.zeros(1))
    events, bursts = trains([8.0], 0.25, 60_000)
    found = []
    for event, burst in zip(events, bursts, strict=True):
        averages = burst_rule.passed(averages, TICK_S, rule.tau_avg_s)
        averages, _ = burst_rule.postsynaptic(rule, averages, event, burst)
        found.append((averages.events[0], averages.bursts[0]))
    mean = np.mean(found[30_000:], axis=0)
    np.testing.assert_allclose(mean, [8.0, 2.0], rtol=0.15)


def test_without_homeostasis_only_the_burst_probability_counts():
    rule = Rule(0.1, 0.05, 5.0)
    averages = Averages(np.array([0.1, 500.0]), np.array([0.05, 250.0]))
    np.testing.assert_array_equal(burst_rule.silence(rule, averages.events), 0.0)
    np.testing.assert_array_equal(burst_rule.postsynaptic(rule, averages, np.ones(2), np.ones(2))[1], 0.5)
