"""Event rate and burst fraction taken apart: chance bursts, a probability that varies, and the error recovered.

Trains of known burst probability give the first two (Naud et al. 2022). The third is measured in sessions whose cursor
is rotated by 60 degrees, with the decoder's transpose as feedback: of the population `bursting`, which does not learn,
and of a layer that learns by its bursts (Payeur et al. 2021). There a regression on bursts and one on events are fitted
to the first trials of the rotation, and tested on those that follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from decoderd.analysis.bursts import feedback_error, fraction
from decoderd.analysis.bursts.fraction import Sums
from decoderd.api import Simulation
from decoderd.arrays import Array
from decoderd.experiments.bands import Band
from decoderd.experiments.parts import Findings, OnProgress
from decoderd.experiments.power import over_seeds
from decoderd.html_page import Figure
from decoderd.populations import burst_process
from decoderd.populations.burst_channels import BURSTS, EVENTS, TIME_AT_RISK
from decoderd.populations.burst_process import Law, Uniform
from decoderd.rng import generator
from decoderd.studies import processes

# Trains whose events may follow one another closely: theta 16 ms, r 2 ms.
LAW = Law(refractory_s=0.002, threshold_s=0.016, interval_s=(0.004, 0.012), spikes=(2, 3))
HAZARDS_HZ = (5.0, 10.0, 20.0, 40.0, 30.0)
PROBABILITIES = (0.0, 0.2)
TRAIN_EVENTS = 200_000
STEP_S = 0.005

# A burst probability that varies from bin to bin: its mean and SD, hazard, length of a bin, and bins.
VARYING, VARYING_HZ, VARYING_BIN_S, VARYING_BINS = (0.3, 0.15), 20.0, 0.2, 100
EVENTS_A_BIN = 216  # of which one in four is within the threshold of another, and not seen as one

BIN_TICKS = 10
ROTATION_RAD = np.pi / 3
BEFORE, TRAINED, TESTED, EARLY = 20, 60, 60, 8  # trials
GROUP = 20  # trials of a point of the figure


class Recovery(NamedTuple):
    """r of the error recovered in a session, bursts first and events second."""

    early: tuple[float, float]  # projected on K, in the first trials of the rotation
    held_out: tuple[float, float]  # by regression, in trials that it was not fitted to
    course: Array  # (G, 4) projected and regressed, of groups of trials from the rotation on
    fractions: Array  # (G,) bursts over events


def event_rate(hazard_hz: float, probability: float) -> float:
    """The event rate in Hz of units that have this hazard once they can fire."""
    return 1 / (1 / hazard_hz + LAW.refractory_s + probability * burst_process.mean_duration_s(LAW))


def trains(rate_hz: Array, probability: Array, steps: int, units: int, draw: np.random.Generator) -> Sums:
    """Sums (T,) over units, of T bins of as many steps each, with a rate and a burst probability (T,) in each bin."""
    state = burst_process.begin(LAW, draw.random((1, units)))
    most = burst_process.most_spikes(LAW, STEP_S)
    found = np.zeros((len(probability), 3))
    for number, (rate, p) in enumerate(zip(rate_hz, probability, strict=True)):
        rates, probabilities = np.full((1, units), rate), np.full((1, units), p)
        for _ in range(steps):
            uniform = Uniform(*draw.random((3, 1, most, units)))
            state, tally = burst_process.advance(LAW, state, rates, probabilities, STEP_S, uniform)
            found[number] += tally.events.sum(), tally.bursts.sum(), tally.at_risk_s.sum()
    events, bursts, at_risk_s = found.T
    return Sums(events, bursts, at_risk_s, np.full(len(probability), steps * STEP_S * units))


def measured(hazard_hz: float, probability: float) -> tuple[float, float]:
    """The burst fraction of a train as measured, and corrected."""
    units, rate = 1000, event_rate(hazard_hz, probability)
    steps = round(TRAIN_EVENTS / (rate * units * STEP_S))
    draw = generator(1, f"demultiplex/{hazard_hz:g}/{probability:g}")
    sums = trains(np.array([rate]), np.array([probability]), steps, units, draw)
    corrected = fraction.corrected_fraction(sums, LAW.threshold_s, LAW.refractory_s)
    return float(fraction.burst_fraction(sums)[0]), float(corrected[0])


def followed(seed: int) -> tuple[float, float]:
    """r of the corrected burst fraction of bins with a burst probability that varies, and the events of a bin."""
    draw = generator(seed, "demultiplex/varying")
    mean, sd = VARYING
    probability = np.clip(draw.normal(mean, sd, VARYING_BINS), 0.01, 0.99)
    rates = np.array([event_rate(VARYING_HZ, p) for p in probability])
    units = round(EVENTS_A_BIN / (rates.mean() * VARYING_BIN_S))
    sums = trains(rates, probability, round(VARYING_BIN_S / STEP_S), units, draw)
    found = fraction.corrected_fraction(sums, LAW.threshold_s, LAW.refractory_s)
    return float(np.corrcoef(found, probability)[0, 1]), float(sums.events.mean())


def protocol(seed: int, learns: bool) -> dict[str, Any]:
    """A session whose cursor is rotated after some trials, of units that learn by their bursts or do not.

    Plain data, as in a protocol's file.
    """
    common = {
        "name": "learning" if learns else "fixed",
        "seed": seed,
        "tick_s": 0.01,
        "bin_ticks": 5,
        "schedule": {"blocks": [{"name": "all", "trials": BEFORE + TRAINED + TESTED}]},
        "task": {"kind": "timed_reach", "targets": 8, "distance_m": 0.08, "reach_s": 1.6},
        "decoder": {"kind": "kalman", "channel": "events"},
        "perturbations": [
            {
                "name": "turn",
                "kind": "rotation",
                "site": "cursor",
                "angle_rad": ROTATION_RAD,
                "envelope": {"shape": "step", "start": {"trial": BEFORE + 1}},
            }
        ],
    }
    if not learns:
        return common | {"population": {"kind": "bursting", "units": 100, "feedback": "decoder"}}
    return common | {
        "population": {"kind": "burst_layer", "units": 80, "feedback": "decoder"},
        "plasticity": {"kind": "burst_dependent", "learning_rate": 0.01, "tau_avg_s": 3.0, "burn_in_s": 12.0},
    }


def recovered(seed: int, learns: bool) -> Recovery:
    """Run a session and recover its error, by what a client sees of it."""
    simulation = Simulation(protocol(seed, learns))
    simulation.run()
    recorded, K = simulation.recorded, simulation.state.parameters.population.K
    config: Any = simulation.protocol.population
    tick_s = simulation.protocol.tick_s
    ticks = recorded.ticks()
    before = feedback_error.at_rest(round(config.subject.visual_delay_s / tick_s))
    error, _ = feedback_error.seen(ticks["intended"], ticks["cursor"][:, 2:], tick_s / config.subject.lag_s, before)
    bins = len(error) // BIN_TICKS
    events, bursts, at_risk_s = (
        _in_bins(recorded.counts(channel=name), bins).sum(axis=1) for name in (EVENTS, BURSTS, TIME_AT_RISK)
    )
    sums = Sums(events, bursts, at_risk_s, np.full(events.shape, BIN_TICKS * tick_s))
    trial = np.searchsorted(recorded.trials()["end_tick"], BIN_TICKS * np.arange(bins)) + 1
    return _recovery(sums, _in_bins(error, bins).mean(axis=1), trial, K)


def _in_bins(array: Any, bins: int) -> Array:
    return np.asarray(array[: bins * BIN_TICKS], np.float64).reshape(bins, BIN_TICKS, -1)


def _recovery(sums: Sums, seen: Array, trial: Any, K: Array) -> Recovery:
    turned, held_out = BEFORE + 1, BEFORE + TRAINED + 1
    train = (trial >= turned) & (trial < held_out)
    of_train = Sums(*(array[train] for array in sums))
    fractions = np.nan_to_num(fraction.burst_fraction(Sums(*(array.sum(axis=0) for array in of_train))))
    each = [feedback_error.projected(sums, 0.0, K), feedback_error.projected_events(sums, K)]
    for features in (feedback_error.burst_features(sums, fractions), sums.events):
        each.append(feedback_error.regression(features[train], seen[train], trial[train]).predict(features))

    def r(first: int, number: int) -> list[float]:
        used = (trial >= first) & (trial < first + number)
        return [feedback_error.correlation(one[used], seen[used]) for one in each]

    early, late = r(turned, EARLY), r(held_out, TESTED)
    groups = range(turned, held_out + TESTED, GROUP)
    within = [(trial >= first) & (trial < first + GROUP) for first in groups]
    course = np.array([r(first, GROUP) for first in groups])
    of_groups = np.array([sums.bursts[used].sum() / sums.events[used].sum() for used in within])
    return Recovery((early[0], early[1]), (late[2], late[3]), course, of_groups)


def run(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    """Run the part: trains, of a varying probability for each seed, and sessions of as many seeds."""
    cells = [(hazard, p) for p in PROBABILITIES for hazard in HAZARDS_HZ]
    every = range(1, seeds + 1)
    parts = [
        *(processes.Part(measured, cell) for cell in cells),
        *(processes.Part(followed, (seed,)) for seed in every),
        *(processes.Part(recovered, (seed, learns)) for learns in (False, True) for seed in every),
    ]
    done = processes.run(parts, jobs, lambda number: on_progress(number, len(parts))).results
    table = dict(zip(cells, done, strict=False))
    following = done[len(cells) : len(cells) + seeds]
    fixed, learning = done[len(cells) + seeds :][:seeds], done[len(cells) + 2 * seeds :]
    return Findings(
        summary=_summary(fixed, learning),
        bands=_bands(table, following, fixed, learning),
        figures=[
            Figure("Chance bursts", "Trains of known burst probability P.", lambda c: _chance(c, table)),
            Figure(
                "Error recovered",
                f"r with the error seen, by {GROUP} trials from the rotation on, mean of the seeds. Regressions were "
                f"fitted to the first {TRAINED} trials.",
                lambda c: _courses(c, fixed, learning),
            ),
        ],
        settings={
            "seeds": f"1 to {seeds}",
            "events of a train": TRAIN_EVENTS,
            "bin of the error": f"{BIN_TICKS} ticks of 10 ms",
        },
        more={
            "table": [{"hazard_hz": h, "p": p, "measured": m, "corrected": c} for (h, p), (m, c) in table.items()],
            "followed": following,
            "fixed": [_plain(one) for one in fixed],
            "learning": [_plain(one) for one in learning],
        },
    )


def _plain(one: Recovery) -> dict[str, Any]:
    return {name: np.asarray(value).tolist() for name, value in one._asdict().items()}


def _bands(table: Any, following: Any, fixed: Sequence[Recovery], learning: Sequence[Recovery]) -> list[Band]:
    off = max((abs(corrected - p) for (_, p), (_, corrected) in table.items()), default=np.nan)
    doubled = [table[2 * hazard, 0.2][1] / table[hazard, 0.2][1] - 1 for hazard in (5.0, 10.0, 20.0)]
    margins = np.array([one.held_out[0] - one.held_out[1] for one in learning])
    early = np.array([one.early[0] for one in fixed])
    r, events = np.array(following).T
    return [
        Band("corrected burst fraction: largest difference from the truth", off, 0, 0.01),
        Band("corrected burst fraction: change with twice the hazard, largest", max(map(abs, doubled)), 0, 0.05),
        over_seeds("events in a bin, mean", np.mean, events, 160, 170),
        over_seeds("r of the corrected burst fraction, mean of seeds", np.mean, r, 0.9, 1),
        over_seeds("no learning: r early with K known, smallest", np.min, early, 0.85, 1),
        over_seeds("learning: bursts less events in held-out trials, smallest", np.min, margins, 0.05, 2),
    ]


def _summary(fixed: Sequence[Recovery], learning: Sequence[Recovery]) -> str:
    bursts, events = np.mean([one.held_out for one in fixed], axis=0)
    learnt_bursts, learnt_events = np.mean([one.held_out for one in learning], axis=0)
    return (
        f"A regression without K reaches r {learnt_bursts:.2f} with bursts and {learnt_events:.2f} with events, in "
        f"trials held out, across learning. With learning off it reaches {bursts:.2f} and {events:.2f}: while "
        "weights stay, event rates are one function of the intent, and so is the error of a rotated cursor; events "
        "then show it in later trials as in earlier ones, and bursts need not beat them. Learning changes how events "
        "follow the intent, and a map from events to errors is soon out of date; that from bursts is K and stays."
    )


def _chance(canvas: Any, table: Any) -> None:
    axes = canvas.subplots()
    hazards = sorted(HAZARDS_HZ)
    for p, colour in zip(PROBABILITIES, ("C0", "C1"), strict=True):
        raw, corrected = np.array([table[hazard, p] for hazard in hazards]).T
        axes.plot(hazards, raw, f"{colour}:o", label=f"P = {p:g}, measured")
        axes.plot(hazards, corrected, f"{colour}-o", label=f"P = {p:g}, corrected")
        axes.axhline(p, color="0.8", linewidth=0.8)
    axes.set(xlabel="hazard (Hz)", ylabel="burst fraction")
    axes.legend(frameon=False)


def _courses(canvas: Any, fixed: Sequence[Recovery], learning: Sequence[Recovery]) -> None:
    left, right = canvas.subplots(1, 2, sharey=True)
    names = ("bursts, projected", "events, projected", "bursts, regressed", "events, regressed")
    styles = ("C1-", "C0-", "C1--", "C0--")
    for axes, several, title in ((left, fixed, "no learning"), (right, learning, "learning")):
        course = np.mean([one.course for one in several], axis=0)
        middle = GROUP * (np.arange(len(course)) + 0.5)
        for name, style, values in zip(names, styles, course.T, strict=True):
            axes.plot(middle, values, style, marker="o", markersize=3, label=name)
        axes.axvline(TRAINED, color="0.7", linewidth=0.8)
        axes.axhline(0, color="0.7", linewidth=0.8)
        axes.set(title=title, xlabel="trial from the rotation on")
    left.set_ylabel("r")
    right.legend(frameon=False, fontsize="small")
