"""Pairing protocols: one synapse, pre- and postsynaptic spikes given, and the change of its weight.

    periodic       15 trains of 5 pairs at one frequency; pre- and postsynaptic spikes coincide
    Poisson        independent Poisson trains of one rate, 100 s; bursts arise by chance
    burst-Poisson  Poisson events, of which a part become bursts, 100 s

The rule is that of Payeur, Guerguiev, Zenke, Richards & Naud (2021), figure 2: without homeostasis and bounds. Weights
go down below the frequency at which pairs are bursts, and up above it; and they go up where bursts are more frequent
than the moving average expects.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.experiments.bands import Band
from decoderd.experiments.parts import Findings, OnProgress
from decoderd.experiments.power import Statistic, over_seeds
from decoderd.html_page import Figure
from decoderd.plasticity import burst_rule
from decoderd.plasticity.burst_rule import Averages, Rule
from decoderd.rng import generator
from decoderd.studies import processes

RULE = Rule(eta=0.1, tau_pre_s=0.05, tau_avg_s=15.0, w_max=np.inf, w_min=-np.inf)
THRESHOLD_S = 0.016
DURATION_S = 100.0
REALISATIONS = 100  # of each pair of random trains, in every seed

TRAINS, PAIRS, PAUSE_S, LAST_S = 15, 5, 10.0, 1.0
PERIODIC_E_HZ, PERIODIC_P = 5.0, 0.15

POISSON_E_HZ = 5.0
POISSON_REFRACTORY_S = 0.002
STEP_S = 0.001  # spikes of Poisson trains fall on these steps

BURST_REFRACTORY_S = 0.02
BURST_INTERVAL_S = (0.002, 0.012)
BURST_P = 0.2  # Pbar at the start

# Half a nanosecond: less than any difference of times on the grid, more than their rounding.
_ROUNDING_S = 5e-10


# Changes of the weight as measured with the authors' programs: means of 200 realisations for the random trains.
PERIODIC = {1.0: -0.239, 21.8: -0.433, 47.9: -0.579, 58.3: -0.615, 63.5: 0.150, 79.2: 0.221, 100.0: 0.284}
JUMP_HZ = np.arange(50.0, 80.0, 0.25)
RATES_HZ = np.linspace(1.0, 50.0, 10)
POISSON = {
    0.3: (-0.04, -0.51, -0.74, -0.69, -0.17, 0.56, 1.34, 2.47, 3.08, 4.03),
    0.5: (-0.07, -0.98, -1.77, -2.30, -2.29, -2.06, -1.39, -0.73, 0.07, 0.49),
}
PROBABILITIES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.45)
BURST_POISSON = {5.0: (-0.374, -0.185, 0.005, 0.197, 0.347, 0.410), 10.0: (-1.50, -0.71, 0.003, 0.70, 1.36, 1.74)}
PUBLISHED_REALISATIONS, PUBLISHED_ROUNDING = 200, 0.005

# Where the change is zero, and slopes by burst probability; with half the width of the band.
POISSON_ZEROS_HZ = {0.3: (24.0, 1.5), 0.5: (44.0, 3.0)}
SLOPES = {5.0: 1.74, 10.0: 7.2}


class Pairing(NamedTuple):
    """Changes of the weight in the random protocols, R realisations each."""

    poisson: dict[float, Array]  # by Pbar at the start: (rates, R)
    burst_poisson: dict[float, Array]  # by event rate: (burst probabilities, R)


def labelled(times: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which spikes (R, n) are events, and which are second spikes of bursts. Times in s ascend; inf pads them."""
    before = np.concatenate([np.full((len(times), 1), -np.inf), times[:, :-1]], axis=1)
    there = np.isfinite(times)
    events = there & (times > before + THRESHOLD_S + _ROUNDING_S)
    bursts = np.zeros_like(events)
    bursts[:, 1:] = there[:, 1:] & ~events[:, 1:] & events[:, :-1]
    return events, bursts


def paired(averages: Averages, pre: Array, post: Array) -> tuple[Array, Averages]:
    """Change of the weights of R synapses whose spikes are at times (R, n) in s, and the averages at the last spike.

    Traces are 0 at time 0. Where two spikes coincide, the presynaptic one is first.
    """
    pre_events, _ = labelled(pre)
    post_events, post_bursts = labelled(post)
    no_pre, no_post = np.zeros_like(pre_events), np.zeros_like(post_events)
    order = np.argsort(np.concatenate([pre, post], axis=1), axis=1, kind="stable")
    both = [(pre, post), (pre_events, no_post), (no_pre, post_events), (no_pre, post_bursts)]
    times, inputs, events, bursts = (np.take_along_axis(np.concatenate(pair, axis=1), order, axis=1) for pair in both)
    none: Array = np.zeros(len(times))
    now, trace, weights = none, none, none
    for k in range(times.shape[1]):
        waited = np.where(np.isfinite(times[:, k]), times[:, k] - now, 0.0)
        now = now + waited
        trace = burst_rule.decayed(trace, waited, RULE.tau_pre_s) + inputs[:, k]
        averages = burst_rule.passed(averages, waited, RULE.tau_avg_s)
        averages, signal = burst_rule.postsynaptic(RULE, averages, events[:, k], bursts[:, k])
        weights = burst_rule.changed(RULE, weights, signal, trace)
    return weights, averages


def periodic(frequency_hz: float) -> float:
    """The change of the weight by all trains at one frequency. Between trains averages decay, and traces are reset."""
    spikes = np.arange(PAIRS)[np.newaxis] / frequency_hz
    averages = Averages(np.array([PERIODIC_E_HZ]), np.array([PERIODIC_E_HZ * PERIODIC_P]))
    after_last_s = (PAIRS / frequency_hz + LAST_S) - spikes[0, -1] + PAUSE_S
    total = 0.0
    for _ in range(TRAINS):
        change, averages = paired(averages, spikes, spikes)
        averages = burst_rule.passed(averages, after_last_s, RULE.tau_avg_s)
        total += float(change[0])
    return total


def poisson(rate_hz: float, P: float, generator: np.random.Generator, realisations: int = REALISATIONS) -> Array:
    """Changes (R,) of weights by independent Poisson trains of a rate, from Pbar = P."""
    pre, post = (_train(rate_hz, POISSON_REFRACTORY_S, STEP_S, generator, realisations) for _ in range(2))
    return paired(_start(POISSON_E_HZ, P, realisations), pre, post)[0]


def burst_poisson(
    rate_hz: float, probability: float, generator: np.random.Generator, realisations: int = REALISATIONS
) -> Array:
    """Changes (R,) of weights by Poisson events of a rate that are bursts with a probability, before and behind."""
    pre, post = (_bursting(rate_hz, probability, generator, realisations) for _ in range(2))
    return paired(_start(rate_hz, BURST_P, realisations), pre, post)[0]


def _start(events_hz: float, P: float, realisations: int) -> Averages:
    return Averages(np.full(realisations, events_hz), np.full(realisations, events_hz * P))


def _train(rate_hz: float, refractory_s: float, step_s: float, generator: np.random.Generator, count: int) -> Array:
    """Spike times (R, n) in s of Poisson processes with a refractory time, of mean rate `rate_hz`, on steps (0: none).

    A spike is counted at the end of the step in which it falls.
    """
    expected = rate_hz * DURATION_S
    most = int(expected + 6 * np.sqrt(expected) + 10)
    waits = refractory_s + generator.exponential(1 / rate_hz - refractory_s, (count, most))
    if step_s:
        waits = np.ceil(waits / step_s) * step_s
    times = np.cumsum(waits, axis=1)
    return np.where(times <= DURATION_S, times, np.inf)


def _bursting(rate_hz: float, probability: float, generator: np.random.Generator, count: int) -> Array:
    """Spike times (R, n) in s: events with a refractory time, and second spikes of those that are bursts."""
    events = _train(rate_hz, BURST_REFRACTORY_S, 0.0, generator, count)
    burst = generator.random(events.shape) < probability
    second = np.where(burst, events + generator.uniform(*BURST_INTERVAL_S, events.shape), np.inf)
    return np.sort(np.concatenate([events, second], axis=1), axis=1)


def realised(seed: int) -> Pairing:
    """The random protocols of a seed."""
    draw = generator(seed, "pairing")
    return Pairing(
        {P: np.stack([poisson(rate, P, draw) for rate in RATES_HZ]) for P in POISSON},
        {rate: np.stack([burst_poisson(rate, p, draw) for p in PROBABILITIES]) for rate in BURST_POISSON},
    )


def run(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    """Pair spikes periodically, and at random with seeds 1 to `seeds`."""
    parts = [processes.Part(realised, (seed,)) for seed in range(1, seeds + 1)]
    each = processes.run(parts, jobs, lambda done: on_progress(done, len(parts))).results
    found = Pairing(
        {P: np.concatenate([one.poisson[P] for one in each], axis=1) for P in POISSON},
        {rate: np.concatenate([one.burst_poisson[rate] for one in each], axis=1) for rate in BURST_POISSON},
    )
    by_frequency = {frequency: periodic(frequency) for frequency in (*PERIODIC, *JUMP_HZ)}
    return Findings(
        f"One synapse, spikes given: {TRAINS} trains of {PAIRS} pairs at one frequency, and {seeds * REALISATIONS} "
        f"realisations of {DURATION_S:g} s for each pair of random trains.",
        bands(by_frequency, found),
        [
            Figure(
                "Pairing",
                "Lines: mean changes of the weight. Crosses: published.",
                lambda c: _draw(c, by_frequency, found),
            )
        ],
        {"seeds": f"1 to {seeds}", "realisations": seeds * REALISATIONS},
        {
            "periodic": {str(frequency): by_frequency[frequency] for frequency in PERIODIC},
            "poisson": {str(P): changes.mean(axis=1).tolist() for P, changes in found.poisson.items()},
            "burst_poisson": {
                str(rate): changes.mean(axis=1).tolist() for rate, changes in found.burst_poisson.items()
            },
        },
    )


def bands(by_frequency: dict[float, float], found: Pairing) -> list[Band]:
    """What follows from the published changes."""
    expected = [
        Band(f"periodic, {frequency:g} Hz: change", by_frequency[frequency], change - 0.01, change + 0.01)
        for frequency, change in PERIODIC.items()
    ]
    rising = [frequency for frequency in JUMP_HZ if by_frequency[frequency] > 0]
    expected.append(Band("periodic: lowest frequency at which the weight grows, Hz", float(rising[0]), 60.0, 63.0))
    for P, changes in found.poisson.items():
        zero, within = POISSON_ZEROS_HZ[P]
        name = f"Poisson, Pbar {P:g}: rate without a change, Hz"
        expected.append(_over_realisations(name, _crossing_hz, changes, zero - within, zero + within))
        expected.append(_distance(f"Poisson, Pbar {P:g}", changes, POISSON[P]))
    for rate, changes in found.burst_poisson.items():
        name, published = f"burst-Poisson, {rate:g} Hz", SLOPES[rate]
        zero_at = f"{name}: burst probability without a change"
        expected.append(_over_realisations(zero_at, _zero_probability, changes, 0.18, 0.22))
        expected.append(_over_realisations(f"{name}: slope", _slope, changes, 0.9 * published, 1.1 * published))
        expected.append(_distance(name, changes, BURST_POISSON[rate]))
    return expected


def _last_crossing(places: Array, values: Array) -> float:
    """Where values rise through 0 for the last time, between two places in a straight line; NaN if they do not."""
    crossings = np.flatnonzero((values[:-1] < 0) & (values[1:] >= 0))
    if not len(crossings):
        return float("nan")
    k = crossings[-1]
    return float(places[k] - values[k] * (places[k + 1] - places[k]) / (values[k + 1] - values[k]))


def _over_realisations(name: str, statistic: Statistic, changes: Array, low: float, high: float) -> Band:
    """The band of a statistic of changes (places, realisations), with its power."""
    return over_seeds(name, statistic, changes.T, low, high, original=PUBLISHED_REALISATIONS)


def _crossing_hz(changes: Array) -> float:
    """The rate in Hz at which the mean of changes (realisations, rates) is 0."""
    return _last_crossing(RATES_HZ, changes.mean(axis=0))


def _slope(changes: Array) -> float:
    """The slope of the mean of changes (realisations, probabilities)."""
    return float(np.polyfit(PROBABILITIES, changes.mean(axis=0), 1)[0])


def _zero_probability(changes: Array) -> float:
    """The burst probability at which a line through the mean of changes (realisations, probabilities) is 0."""
    slope, change = np.polyfit(PROBABILITIES, changes.mean(axis=0), 1)
    return float(-change / slope)


def _distance(name: str, changes: Array, published: tuple[float, ...]) -> Band:
    """The largest distance of means from published ones, in standard errors of the difference, beyond rounding."""
    error = changes.std(axis=1, ddof=1) * np.sqrt(1 / changes.shape[1] + 1 / PUBLISHED_REALISATIONS)
    away = np.maximum(np.abs(changes.mean(axis=1) - published) - PUBLISHED_ROUNDING, 0.0)
    return Band(
        f"{name}: largest distance from published means, standard errors", float((away / error).max()), 0.0, 3.0
    )


def _draw(canvas: Any, by_frequency: dict[float, float], found: Pairing) -> None:
    panels = canvas.subplots(1, 3)
    panels[0].plot(*zip(*sorted(by_frequency.items()), strict=True))
    panels[0].plot(list(PERIODIC), list(PERIODIC.values()), "kx")
    panels[0].set(title="periodic", xlabel="frequency (Hz)", ylabel="change of the weight")
    for P, changes in found.poisson.items():
        panels[1].plot(RATES_HZ, changes.mean(axis=1), label=f"Pbar {P:g}")
        panels[1].plot(RATES_HZ, POISSON[P], "kx")
    panels[1].set(title="Poisson", xlabel="rate (Hz)")
    for rate, changes in found.burst_poisson.items():
        panels[2].plot(PROBABILITIES, changes.mean(axis=1), label=f"events {rate:g} Hz")
        panels[2].plot(PROBABILITIES, BURST_POISSON[rate], "kx")
    panels[2].set(title="burst-Poisson", xlabel="burst probability")
    for axes in panels:
        axes.axhline(0, color="0.7", linewidth=0.8)
    for axes in panels[1:]:
        axes.legend(frameon=False)
