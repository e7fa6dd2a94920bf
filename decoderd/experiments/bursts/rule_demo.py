"""The burst-dependent rule in a network of two-compartment neurons: weights follow changes of the burst probability.

Payeur et al. (2021), Fig. 2E-G: 1000 input neurons excite 1000 main neurons through plastic synapses. Noise into the
dendrites of the main neurons raises and lowers their burst probability by stages; at last the inputs burst more, which
must not matter. Weights rise when bursts become more frequent, fall when they become rarer, and go back.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd import rng
from decoderd.arrays import Array
from decoderd.experiments.bands import Band
from decoderd.experiments.bursts import network
from decoderd.experiments.bursts.network import Network, State, Wiring
from decoderd.experiments.parts import Findings, OnProgress
from decoderd.html_page import Figure
from decoderd.plasticity.burst_rule import Rule
from decoderd.spiking import arrivals, synapses, two_compartment
from decoderd.spiking.arrivals import Arrivals, Source
from decoderd.spiking.synapses import Synapses
from decoderd.studies import processes

DT_S, BURN_IN_S, STAGE_S = 1e-4, 20.0, 25.0
STAGES = (1.0, 1.5, 1.0, 0.55, 1.0, 1.0)  # of noise into the dendrites of main neurons; the last is the control
CONTROL_A = 40e-12  # into the dendrites of the inputs, in the last stage
RULE = Rule(eta=3.5e-3, tau_pre_s=0.1, tau_avg_s=5.0, e_min_hz=2.0, e_max_hz=12.0)
NEURONS, WEIGHT, PROBABILITY = 1000, 0.08, 0.2
MAIN_DENDRITE_A, MAIN_NOISE = 50e-12, 0.25

# Weights at the end of each stage by those at the start, but for the last: by those before it.
EXPECTED = (
    ("first stage", 0.98, 1.02),
    ("more bursts", 1.04, 1.10),
    ("back", 0.98, 1.02),
    ("fewer bursts", 0.93, 0.98),
    ("back again", 0.97, 1.02),
    ("inputs burst more", 0.99, 1.01),
)


class External(NamedTuple):
    """Poisson neurons outside the network, and the synapses through which each of its sources receives their spikes."""

    number: int
    rate_hz: float
    links: tuple[Synapses, ...]


class Stage(NamedTuple):
    """What one stage showed."""

    drive: float
    weight_ratio: float  # mean weight at its end by that at the first
    event_rate_hz: float  # of main neurons, as the next
    burst_probability: float
    input_burst_probability: float


def made(seed: int, n: int = NEURONS) -> tuple[Network, State]:
    """The network of a seed, inputs before main neurons, and its state before the first step."""
    generator, total = rng.generator(seed, "bursts/rule_demo/wiring"), 2 * n
    inputs, main = slice(0, n), slice(n, total)
    plastic, weights = network.links(generator, [(inputs, main, WEIGHT)], total, PROBABILITY * NEURONS / n)
    none = synapses.of_pairs(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), total), np.zeros(0)
    externals = (
        External(25_000, 5.0, tuple(synapses.drawn(generator, 25_000, n, 100 / 25_000) for _ in range(2))),
        External(25_000, 5.0, tuple(synapses.drawn(generator, 25_000, n, 30 / 25_000) for _ in range(2))),
        External(100, 1.0, (_moved(synapses.drawn(generator, 100, n, 0.2), n),)),
    )
    rule = np.zeros(total, dtype=np.int64)
    wiring = Wiring(plastic, synapses.backward(plastic, total), rule, *none, *none, *none, sources(1.0))
    noise = _noise(externals)
    keep, factors = network.decays(RULE, DT_S), two_compartment.factors(DT_S)
    soma_v = np.full(total, two_compartment.REST_V)
    soma_v[inputs] += 5e-3 * generator.standard_normal(n)
    return Network(seed, factors, (RULE,), keep, wiring, False, noise), network.initial(soma_v, weights)


def sources(drive: float) -> tuple[Source, ...]:
    """Where the synapses of the external neurons end, in their order, with noise of a stage into the main dendrites.

    Rates and numbers are those of the external neurons.
    """
    return (
        Source(0, 0, 0, 0.0, 0.17),
        Source(2, 0, 0, 0.0, 0.0425),
        Source(1, 0, 0, 0.0, 0.26),
        Source(3, 0, 0, 0.0, 0.065),
        Source(2, 0, 0, 0.0, MAIN_NOISE * drive),
    )


def demonstrated(seed: int, n: int = NEURONS, burn_in_s: float = BURN_IN_S, stage_s: float = STAGE_S) -> list[Stage]:
    """What the stages show for a seed."""
    made_network, state = made(seed, n)
    soma_a, dendrite_a = np.zeros(2 * n), np.zeros(2 * n)
    dendrite_a[n:] = MAIN_DENDRITE_A
    state = network.run(made_network, state, round(burn_in_s / DT_S), soma_a, dendrite_a, False)
    found, first = [], float(state.weights.mean())
    for k, drive in enumerate(STAGES):
        staged = made_network._replace(wiring=made_network.wiring._replace(sources=sources(drive)))
        if k == len(STAGES) - 1:
            dendrite_a[:n] += CONTROL_A
        state = network.run(staged, state, round(stage_s / DT_S), soma_a, dendrite_a, True)
        events, bursts = state.events, state.bursts
        rate = float(events[n:].sum()) / n / stage_s
        ratio = float(state.weights.mean()) / first
        found.append(Stage(drive, ratio, rate, _ratio(bursts[n:], events[n:]), _ratio(bursts[:n], events[:n])))
    return found


def _ratio(bursts: NDArray[np.int64], events: NDArray[np.int64]) -> float:
    return float(bursts.sum() / max(events.sum(), 1))


def _moved(links: Synapses, by: int) -> Synapses:
    return links._replace(targets=links.targets + by)


def _noise(externals: tuple[External, ...]) -> network.Noise:
    def drawn(generator: np.random.Generator, steps: int) -> Arrivals:
        parts = []
        for external in externals:
            source = Source(0, 0, external.number, external.rate_hz, 0.0)
            spikes = arrivals.drawn(generator, (source,), steps, DT_S)
            step = np.repeat(np.arange(steps), spikes.counts[:, 0])
            for links in external.links:
                spike, places = synapses.reached(links, spikes.neurons)
                parts.append((step[spike], links.targets[places]))
        return arrivals.joined(steps, parts)

    return drawn


def ratios(stages: list[Stage]) -> Array:
    """The weight ratios of the stages (6,) as EXPECTED has them."""
    found = np.array([stage.weight_ratio for stage in stages])
    return np.append(found[:-1], found[-1] / found[-2])


def run(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    """Part `rule` of `decoderd reproduce bursts`."""
    parts = [processes.Part(demonstrated, (seed,)) for seed in range(1, seeds + 1)]
    stages = processes.run(parts, jobs, lambda done: on_progress(done, seeds)).results
    shown = np.array([ratios(each) for each in stages])  # (seeds, 6)
    bands = [
        Band(f"weights, {name}: seed {seed}", float(value), low, high)
        for seed, values in enumerate(shown, start=1)
        for (name, low, high), value in zip(EXPECTED, values, strict=True)
    ]
    means = np.mean([[stage[2:] for stage in each] for each in stages], axis=0)  # (6, 3)
    return Findings(
        f"{NEURONS} input and {NEURONS} main neurons in steps of {DT_S * 1e3:g} ms; stages of {STAGE_S:g} s after a "
        f"burn-in of {BURN_IN_S:g} s. In the last stage the inputs burst more.",
        bands,
        [
            Figure("Weights", "At the end of each stage, by those at the start.", lambda c: _draw(c, stages, 1, 1.0)),
            Figure("Bursts", "Burst probability of the main neurons.", lambda c: _draw(c, stages, 3, None)),
        ],
        {"seeds": f"1 to {seeds}"},
        {
            "weight_ratios": shown.tolist(),
            "event_rate_hz": means[:, 0].tolist(),
            "burst_probability": means[:, 1].tolist(),
            "input_burst_probability": means[:, 2].tolist(),
        },
    )


def _draw(canvas: Any, stages: list[list[Stage]], field: int, line: float | None) -> None:
    axes = canvas.subplots()
    for each in stages:
        axes.plot([stage[field] for stage in each], "o-")
    if line is not None:
        axes.axhline(line, color="0.7", linewidth=1)
    axes.set(xticks=range(len(EXPECTED)), xticklabels=[name for name, _, _ in EXPECTED], ylabel=Stage._fields[field])
    axes.tick_params(axis="x", rotation=20)
