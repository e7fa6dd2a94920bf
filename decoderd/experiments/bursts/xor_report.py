"""What XOR shows: rates, burst probabilities and shifts of the first examples; in full, costs of 2,000 examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from decoderd.arrays import Array
from decoderd.experiments.bands import Band
from decoderd.experiments.bursts import xor, xor_learning
from decoderd.experiments.bursts.xor_learning import Record
from decoderd.experiments.parts import Findings, OnProgress
from decoderd.html_page import Figure
from decoderd.studies import processes

SHORT, FULL = 8, 2000  # examples
RATES_HZ, WITHIN_HZ = (3.7, 4.6, 4.7, 5.0), 0.6  # of the output before learning, in the order of xor.EXAMPLES
PREDICTING, TEACHING = 0, 1
HIDDEN1, HIDDEN2, OUTPUT = 2, 3, 4
MOST_COST = {110: 2.5, 220: 1.5}  # of an epoch
RIGHT_EPOCH = 300  # by which each example is on the right side: it costs less than log 2


def burst_probabilities(record: Record) -> Array:
    """Means over examples with target 0 and with target 1: shape (target, phase, population)."""
    targets = np.array([xor_learning.target(k) for k in range(len(record.rates_hz))])
    sums = np.stack([record.counts[targets == which].sum(axis=0) for which in (0, 1)])
    return np.asarray(sums[..., 1] / sums[..., 0])


def short_bands(record: Record, seed: int) -> list[Band]:
    """What is expected of the tests and the first examples of a seed."""
    bands = [
        Band(f"output before learning, {example}, Hz: seed {seed}", float(rate), near - WITHIN_HZ, near + WITHIN_HZ)
        for example, rate, near in zip(xor.EXAMPLES, record.tests_hz, RATES_HZ, strict=True)
    ]
    p = burst_probabilities(record)
    change = p[:, TEACHING] - p[:, PREDICTING]  # (target, population)
    bands.append(Band(f"output's burst probability: seed {seed}", float(p[:, PREDICTING, OUTPUT].mean()), 0.36, 0.44))
    bands.append(Band(f"the same, taught 1: seed {seed}", float(p[1, TEACHING, OUTPUT]), 0.65, 1.0))
    bands.append(Band(f"the same, taught 0: seed {seed}", float(p[0, TEACHING, OUTPUT]), 0.0, 0.32))
    for which, sign in ((0, -1.0), (1, 1.0)):
        bands.append(Band(f"hidden 1 follows, target {which}: seed {seed}", sign * change[which, HIDDEN1], 0.0, 1.0))
        bands.append(Band(f"hidden 2 opposes, target {which}: seed {seed}", sign * change[which, HIDDEN2], -1.0, 0.0))
    return bands


def full_bands(record: Record, seed: int) -> list[Band]:
    """What is expected of the costs of a seed. Raises ValueError for a record of less than 300 epochs."""
    if len(record.rates_hz) < 4 * RIGHT_EPOCH:
        raise ValueError(f"{len(record.rates_hz)} examples are less than {RIGHT_EPOCH} epochs")
    costs, epochs = xor_learning.costs(record), xor_learning.epoch_costs(record)
    bands = [
        Band(f"cost of epoch {epoch}: seed {seed}", float(epochs[epoch - 1]), 0.0, most)
        for epoch, most in MOST_COST.items()
    ]
    worst = float(costs[4 * RIGHT_EPOCH - 4 : 4 * RIGHT_EPOCH].max())
    return [*bands, Band(f"highest cost of an example, epoch {RIGHT_EPOCH}: seed {seed}", worst, 0.0, float(np.log(2)))]


def run(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    """Part `xor` of `decoderd reproduce bursts`: the first examples."""
    parts = [processes.Part(xor_learning.learnt, (seed, SHORT)) for seed in range(1, seeds + 1)]
    records = processes.run(parts, jobs, lambda done: on_progress(done, seeds)).results
    bands = [band for seed, record in enumerate(records, start=1) for band in short_bands(record, seed)]
    return _findings(records, bands, f"The first {SHORT} examples; `--full` learns from {FULL}.")


def full(seeds: int, jobs: int, on_progress: OnProgress, folder: Path) -> Findings:
    """The same in full: 2,000 examples, gone on with from what `folder` has."""
    parts = [processes.Part(xor_learning.learnt, (seed, FULL, folder)) for seed in range(1, seeds + 1)]
    records = processes.run(parts, jobs, lambda done: on_progress(done, seeds)).results
    numbered = list(enumerate(records, start=1))
    bands = [band for seed, record in numbered for band in short_bands(first(record), seed)]
    bands += [band for seed, record in numbered for band in full_bands(record, seed)]
    return _findings(records, bands, f"{FULL} examples.")


def first(record: Record) -> Record:
    """The examples of the short form."""
    return Record(record.tests_hz, record.rates_hz[:SHORT], record.counts[:SHORT])


def _findings(records: list[Record], bands: list[Band], said: str) -> Findings:
    shown = [xor_learning.epoch_costs(record) for record in records]
    return Findings(
        f"{said} {xor.NEURONS} neurons a population, steps of {xor.DT_S * 1e3:g} ms, {xor.EXAMPLE_S:g} s an example.",
        bands,
        [
            Figure("Cost", "Sum of the four examples of an epoch, before teaching.", lambda c: _draw_costs(c, shown)),
            Figure("Rates", "Mean event rate of the output before teaching.", lambda c: _draw_rates(c, records)),
        ],
        {"seeds": f"1 to {len(records)}"},
        {
            "epoch_costs": [costs.tolist() for costs in shown],
            "tests_hz": [record.tests_hz.tolist() for record in records],
            "burst_probabilities": [burst_probabilities(record).tolist() for record in records],
        },
    )


def _draw_costs(canvas: Any, shown: list[Array]) -> None:
    axes = canvas.subplots()
    for costs in shown:
        axes.plot(np.arange(1, len(costs) + 1), costs, linewidth=1)
    axes.set(xlabel="epoch", ylabel="cost", ylim=(0, None))


def _draw_rates(canvas: Any, records: list[Record]) -> None:
    for axes, record in zip(np.atleast_1d(canvas.subplots(1, len(records), sharey=True)), records, strict=True):
        for k, example in enumerate(xor.EXAMPLES):
            axes.plot(record.rates_hz[k::4], linewidth=1, label=str(example))
        axes.set(xlabel="epoch")
    canvas.axes[0].set_ylabel("event rate (Hz)")
    canvas.axes[0].legend(frameon=False)
