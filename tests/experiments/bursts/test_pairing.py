"""Pairing protocols: a plain program step by step, published changes, and what a spike train is read as."""

import numpy as np
import pytest

from decoderd.experiments.bursts import pairing


def plain_periodic(frequency_hz):
    """The published protocol in steps of 0.1 ms, one number at a time."""
    step_s, w, e, b = 1e-4, 0.0, 5.0, 0.75
    for _ in range(15):
        spikes = {round(k / frequency_hz / step_s) for k in range(5)}
        trace, last, alone = 0.0, -np.inf, False
        for t in range(round((5 / frequency_hz + 1) / step_s)):
            trace *= np.exp(-step_s / 0.05)
            e, b = e * np.exp(-step_s / 15), b * np.exp(-step_s / 15)
            if t not in spikes:
                continue
            event = (t - last) * step_s > 0.016
            if event:
                trace += 1
                w -= 0.1 * min(b / e, 1) * trace
                e += 1 / 15
            elif alone:
                b += 1 / 15
                w += 0.1 * trace
            alone, last = event, t
        e, b = e * np.exp(-10 / 15), b * np.exp(-10 / 15)
    return w


@pytest.mark.parametrize("frequency_hz", [21.8, 60.0, 63.0])
def test_periodic_pairs_change_the_weight_as_in_a_program_of_small_steps(frequency_hz):
    assert pairing.periodic(frequency_hz) == pytest.approx(plain_periodic(frequency_hz), abs=1e-3)


def test_a_realisation_is_the_rule_spike_by_spike():
    pre = np.array([[0.1, 0.2, np.inf]])
    post = np.array([[0.15, 0.16, 0.165, 0.3]])  # a burst of three, then an event
    change, _ = pairing.paired(pairing.Averages(np.array([5.0]), np.array([1.0])), pre, post)
    first, trace = np.exp(-0.05 / 0.05), np.exp(-0.06 / 0.05)
    e = (5 * np.exp(-0.15 / 15) + 1 / 15) * np.exp(-0.15 / 15)
    b = np.exp(-0.3 / 15) + np.exp(-0.14 / 15) / 15
    last = np.exp(-0.2 / 0.05) + np.exp(-0.1 / 0.05)
    assert change[0] == pytest.approx(0.1 * (-0.2 * first + trace - b / e * last), rel=1e-9)


def test_chance_bursts_are_counted_at_their_second_spike():
    events, bursts = pairing.labelled(np.array([[0.0, 0.016, 0.03, 0.1, 0.1165, np.inf]]))
    assert events.tolist() == [[True, False, False, True, True, False]]
    assert bursts.tolist() == [[False, True, False, False, False, False]]


def test_random_trains_have_their_rates_and_burst_probabilities():
    draw = np.random.default_rng(5)
    spikes = np.isfinite(pairing._train(30.0, 0.002, 0.001, draw, 50)).sum(axis=1)
    assert abs(spikes.mean() - 3000) < 60  # half a step later each, 1.5 %
    events, bursts = pairing.labelled(pairing._bursting(10.0, 0.3, draw, 50))
    assert abs(events.sum(axis=1).mean() - 1000) < 12
    assert abs(bursts.sum() / events.sum() - 0.3) < 0.01


@pytest.mark.campaign
def test_every_value_lies_in_its_band():
    findings = pairing.run(1, 1, lambda done, of: None)
    assert [band.name for band in findings.bands if not band.ok] == []
    assert len(findings.bands) == 7 + 1 + 2 * 2 + 2 * 3


def test_bands_are_kept_by_the_published_changes_and_not_by_others():
    by_frequency = {frequency: pairing.periodic(frequency) for frequency in (*pairing.PERIODIC, *pairing.JUMP_HZ)}
    spread = np.random.default_rng(6).normal(0, 0.01, 40)
    spread -= spread.mean()

    def around(published):
        return {key: np.array(changes)[:, np.newaxis] + spread for key, changes in published.items()}

    same = pairing.Pairing(around(pairing.POISSON), around(pairing.BURST_POISSON))
    assert [band.name for band in pairing.bands(by_frequency, same) if not band.ok] == []
    other = pairing.Pairing({P: 0.8 * c + 0.4 for P, c in same.poisson.items()}, same.burst_poisson)
    missed = [band.name for band in pairing.bands(by_frequency, other) if not band.ok]
    assert len(missed) == 4
    assert all(name.startswith("Poisson") for name in missed)


def test_a_crossing_lies_between_its_places():
    assert pairing._last_crossing(np.array([0.0, 1.0, 2.0, 3.0]), np.array([-1, 1, -1, 3.0])) == 2.25
    assert np.isnan(pairing._last_crossing(np.array([0.0, 1.0]), np.array([1.0, 2.0])))
