"""Events travel forward and bursts back between two populations of two-compartment neurons.

Payeur, Guerguiev, Zenke, Richards & Naud (2021), figure 3, with the numbers, weights and drives of the published
simulation. Population 1 excites the somata of population 2 through depressing synapses, and inhibits them by
parvalbumin neurons (PV). Population 2 excites the dendrites of population 1 through facilitating synapses, and inhibits
them by somatostatin neurons (SOM). Sines drive the somata of population 1 and the dendrites of population 2: the first
must be seen in the event rate of population 2, the second in its burst probability and in that of population 1.

One number is not the published one: a spike of a SOM neuron does not raise its adaptation. With the published 10 pA
these neurons fire less and less within a second, and all pyramidal neurons burst together (docs/decisions/0029).
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.experiments.bands import Band
from decoderd.experiments.parts import Findings, OnProgress
from decoderd.experiments.power import over_seeds
from decoderd.html_page import Figure
from decoderd.rng import generator
from decoderd.spiking import adex, arrivals, detection, short_term, synapses, two_compartment
from decoderd.spiking.adex import PARVALBUMIN, SOMATOSTATIN
from decoderd.spiking.arrivals import Source
from decoderd.spiking.short_term import DEPRESSING, FACILITATING, Law, Resources
from decoderd.spiking.synapses import Indices, Synapses
from decoderd.studies import processes

DT_S, BURN_IN_S, LENGTH_S, BIN_S = 1e-4, 1.0, 3.0, 0.05
DELAY = 8  # steps from a spike to its targets
SOMA_HZ, DENDRITE_HZ = 2.0, 2.0 / np.sqrt(5.0)
SOMA_A, DENDRITE_A = 200e-12, 100e-12  # amplitudes of the sines
BIAS_A = {
    "soma": np.array([0.0, -100e-12]),
    "dendrite": np.array([50e-12, 100e-12]),
    "inhibitory": np.array([205e-12, 0.0]),
}
INHIBITORY_LAWS = (PARVALBUMIN, SOMATOSTATIN._replace(jump_v=0.0))
CONNECTED, NOISE_HZ, SCATTER_V = 0.05, 500.0, 5e-3
CHUNK = 100  # steps whose noise is drawn at once

# Neurons one after the other: two populations of pyramidal ones, then PV and SOM.
PYRAMIDAL, INHIBITORY = 4000, 1000
FIRST = {"1": 0, "2": PYRAMIDAL, "PV": 2 * PYRAMIDAL, "SOM": 2 * PYRAMIDAL + INHIBITORY}
SIZE = {"1": PYRAMIDAL, "2": PYRAMIDAL, "PV": INHIBITORY, "SOM": INHIBITORY}
NEURONS, ALL_PYRAMIDAL = sum(SIZE.values()), 2 * PYRAMIDAL
# Conductances, a row each; inhibitory neurons have a soma only.
SOMA_E, SOMA_I, DENDRITE_E, DENDRITE_I = range(4)


class Projection(NamedTuple):
    """Synapses from one population to a conductance of another, all of one weight, in units of the leak."""

    source: str
    target: str
    conductance: int
    weight: float
    law: Law | None  # None: a spike releases all


PROJECTIONS = (
    Projection("1", "2", SOMA_E, 0.05, DEPRESSING),
    Projection("1", "PV", SOMA_E, 0.05, DEPRESSING),
    Projection("PV", "2", SOMA_I, 0.07, None),
    Projection("2", "1", DENDRITE_E, 0.37, FACILITATING),
    Projection("2", "SOM", SOMA_E, 0.3, FACILITATING),
    Projection("SOM", "1", DENDRITE_I, 0.035, None),
    Projection("1", "1", DENDRITE_I, 0.1, FACILITATING),
    Projection("2", "2", DENDRITE_I, 0.1, FACILITATING),
)
# Weights of the noise of each population by conductance.
NOISE = {
    "1": (0.35, 0.35, 0.05, 0.05),
    "2": (0.35, 0.35, 0.05, 0.05),
    "PV": (0.75, 1.125),
    "SOM": (0.4, 0.5),
}
# As measured with the published simulation: in population 2 the amplitude at the drive's own frequency over that at the
# other's, and the top-down modulation of the burst probability in population 1.
LEAST_RATIO, TOP_DOWN = 4.0, (0.04, 0.07)


class Activity(NamedTuple):
    """Rates in Hz of the populations 1 and 2 in bins of `BIN_S`, burn-in included, (2, bins); those of PV and SOM."""

    events: Array
    bursts: Array
    inhibitory: Array

    @property
    def probability(self) -> Array:
        """Bursts over events (2, bins)."""
        return self.bursts / self.events


class Modulation(NamedTuple):
    """Mean after the burn-in, and amplitudes at the frequencies of the somatic and of the dendritic drive."""

    mean: float
    soma: float
    dendrite: float


def drives(now_s: float) -> tuple[Array, Array]:
    """Currents in A into the somata (2,) and dendrites (2,) of both populations."""
    on = now_s >= BURN_IN_S
    soma = np.array([on * SOMA_A * np.sin(2 * np.pi * SOMA_HZ * now_s), 0.0])
    dendrite = np.array([0.0, on * DENDRITE_A * np.sin(2 * np.pi * DENDRITE_HZ * now_s)])
    return BIAS_A["soma"] + soma, BIAS_A["dendrite"] + dendrite


def noise() -> tuple[Source, ...]:
    """Poisson noise of every population; places among (4, NEURONS) conductances laid out flat."""
    return tuple(
        Source(row, row * NEURONS + FIRST[name], SIZE[name], NOISE_HZ, weight)
        for name, weights in NOISE.items()
        for row, weight in enumerate(weights)
    )


def released(
    projections: list[tuple[Projection, Synapses]], resources: list[Resources | None], spiking: Indices, now_s: float
) -> tuple[list[Resources | None], Array]:
    """Resources after spikes of the neurons `spiking`, and what conductances (4, NEURONS) gain by them."""
    after = list(resources)
    gained: Array = np.zeros((4, NEURONS))
    for i, (projection, connected) in enumerate(projections):
        first, size = FIRST[projection.source], SIZE[projection.source]
        own = spiking[(spiking >= first) & (spiking < first + size)] - first
        if not len(own):
            continue
        amounts: Array = np.ones(len(own))
        state = resources[i]
        if projection.law is not None and state is not None:
            after[i], amounts = short_term.released(projection.law, state, own, now_s)
        place, number = FIRST[projection.target], SIZE[projection.target]
        total = synapses.shared(connected, own, projection.weight * amounts, number)
        gained[projection.conductance, place : place + number] += total
    return after, gained


def simulate(seed: int, seconds: float = BURN_IN_S + LENGTH_S) -> Activity:
    """The network of one seed from rest."""
    draw = generator(seed, "propagation")
    factors = two_compartment.factors(DT_S)
    cells = two_compartment.at_rest(draw.normal(two_compartment.REST_V, SCATTER_V, ALL_PYRAMIDAL))
    law = adex.joined(INHIBITORY_LAWS, (INHIBITORY, INHIBITORY))
    others = adex.at_rest(draw.normal(two_compartment.REST_V, SCATTER_V, 2 * INHIBITORY))
    inhibitory_a = np.repeat(BIAS_A["inhibitory"], INHIBITORY)
    projections = [(p, synapses.drawn(draw, SIZE[p.source], SIZE[p.target], CONNECTED)) for p in PROJECTIONS]
    resources: list[Any] = [None if p.law is None else short_term.rested(p.law, SIZE[p.source]) for p in PROJECTIONS]
    sources = noise()
    weights = np.array([source.weight for source in sources])
    detector, keep = detection.fresh(ALL_PYRAMIDAL), float(np.exp(-DT_S / detection.BURST_S))
    underway: deque[Array] = deque([np.zeros((4, NEURONS))] * DELAY)
    steps, in_bin = round(seconds / DT_S), round(BIN_S / DT_S)
    counts = np.zeros((3, 2, steps // in_bin))  # events, bursts, spikes of PV and SOM
    for step in range(steps):
        if step % CHUNK == 0:
            arrived = arrivals.drawn(draw, sources, CHUNK, DT_S)
            ends = np.concatenate([[0], np.cumsum(arrived.counts.sum(axis=1))])
        row = step % CHUNK
        hit = arrived.neurons[ends[row] : ends[row + 1]]
        by_noise = np.bincount(hit, np.repeat(weights, arrived.counts[row]), minlength=4 * NEURONS)
        soma_a, dendrite_a = (np.repeat(current, PYRAMIDAL) for current in drives(step * DT_S))
        cells, spikes = two_compartment.advanced(factors, cells, soma_a, dendrite_a)
        others, fired = adex.advanced(law, others, inhibitory_a, DT_S)
        detector, events, bursts = detection.detected(detector, spikes, keep)
        for kind, happened in enumerate((events, bursts, fired)):
            counts[kind, :, step // in_bin] += happened.reshape(2, -1).sum(axis=1)
        resources, gained = released(
            projections, resources, np.flatnonzero(np.concatenate([spikes, fired])), step * DT_S
        )
        underway.append(gained)
        arriving = underway.popleft() + by_noise.reshape(4, NEURONS)
        to_cells, to_others = arriving[:, :ALL_PYRAMIDAL], arriving[:, ALL_PYRAMIDAL:]
        conductances = two_compartment.Conductances(*(g + d for g, d in zip(cells.conductances, to_cells, strict=True)))
        cells = cells._replace(conductances=conductances)
        others = others._replace(
            excitation=others.excitation + to_others[SOMA_E], inhibition=others.inhibition + to_others[SOMA_I]
        )
    rates = counts / BIN_S
    return Activity(rates[0] / PYRAMIDAL, rates[1] / PYRAMIDAL, rates[2] / INHIBITORY)


def modulation(values: Array) -> Modulation:
    """Sines of both frequencies fitted to the bins (bins,) after the burn-in, by least squares."""
    after = round(BURN_IN_S / BIN_S)
    times = (np.arange(len(values)) + 0.5)[after:] * BIN_S
    phases = 2 * np.pi * np.outer(times, [SOMA_HZ, DENDRITE_HZ])
    features = np.column_stack([np.ones(len(times)), np.sin(phases), np.cos(phases)])
    c = np.linalg.lstsq(features, values[after:], rcond=None)[0]
    return Modulation(float(c[0]), float(np.hypot(c[1], c[3])), float(np.hypot(c[2], c[4])))


def measured(activity: Activity) -> dict[str, Modulation]:
    """Modulation of event rate (ER, Hz) and burst probability (BP) of populations 1 and 2."""
    pairs = (("ER", activity.events), ("BP", activity.probability))
    return {f"{name}{i + 1}": modulation(values[i]) for i in range(2) for name, values in pairs}


def run(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    """Simulate networks of seeds 1 to `seeds`."""
    parts = [processes.Part(simulate, (seed,)) for seed in range(1, seeds + 1)]
    found: list[Activity] = processes.run(parts, jobs, lambda n: on_progress(n, len(parts))).results
    each = [measured(activity) for activity in found]
    rest = round(BURN_IN_S / BIN_S)
    inhibitory = np.array([activity.inhibitory[:, rest:].mean(axis=1) for activity in found])
    return Findings(
        f"Two populations of {PYRAMIDAL} two-compartment neurons, {INHIBITORY} PV and {INHIBITORY} SOM neurons; a sine "
        f"of {SOMA_HZ:g} Hz into the somata of population 1, one of {DENDRITE_HZ:.3f} Hz into the dendrites of "
        f"population 2; amplitudes over {LENGTH_S:g} s in bins of {1000 * BIN_S:g} ms.",
        bands(each),
        [Figure("Rates", "Means of the seeds, and their range; drives dashed.", lambda c: _draw(c, found))],
        {"seeds": f"1 to {seeds}", "step": f"{1000 * DT_S:g} ms", "burn-in": f"{BURN_IN_S:g} s"},
        {
            "modulation": {name: [one[name]._asdict() for one in each] for name in each[0]},
            "rate_hz": {"PV": inhibitory[:, 0].tolist(), "SOM": inhibitory[:, 1].tolist()},
        },
    )


def bands(each: list[dict[str, Modulation]]) -> list[Band]:
    """What is expected, as measured with the published simulation; the worst of the seeds."""
    events = np.array([one["ER2"].soma / one["ER2"].dendrite for one in each])
    probability = np.array([one["BP2"].dendrite / one["BP2"].soma for one in each])
    top_down = np.array([one["BP1"].dendrite for one in each])
    band = (LEAST_RATIO, np.inf)
    rates = "population 2, event rate: bottom-up over top-down modulation, least"
    chances = "population 2, burst probability: top-down over bottom-up modulation, least"
    first = "population 1, burst probability: top-down modulation"
    return [
        over_seeds(rates, np.min, events, *band),
        over_seeds(chances, np.min, probability, *band),
        over_seeds(f"{first}, least", np.min, top_down, *TOP_DOWN),
        over_seeds(f"{first}, largest", np.max, top_down, *TOP_DOWN),
    ]


def _draw(canvas: Any, found: list[Activity]) -> None:
    """Event rates and burst probabilities of both populations, each with the drive that it should follow."""
    panels = canvas.subplots(2, 2, sharex=True)
    times = (np.arange(found[0].events.shape[1]) + 0.5) * BIN_S
    currents = np.array([drives(time) for time in times])  # (bins, soma or dendrite, population)
    shown = (("event rate (Hz)", "events", currents[:, 0, 0]), ("burst probability", "probability", currents[:, 1, 1]))
    for column, (label, field, current) in enumerate(shown):
        for i in range(2):
            values, axes = np.array([getattr(activity, field)[i] for activity in found]), panels[1 - i, column]
            axes.fill_between(times, values.min(axis=0), values.max(axis=0), alpha=0.3, linewidth=0)
            axes.plot(times, values.mean(axis=0))
            drive = axes.twinx()
            drive.plot(times, 1e12 * current, "k--", linewidth=0.7)
            drive.set_yticks([])
            axes.set(title=f"population {i + 1}", ylabel=label, xlim=(BURN_IN_S, times[-1]))
    for axes in panels[1]:
        axes.set_xlabel("time (s)")
