"""Recurrent networks whose biases alone learn dynamics: a sine, the van der Pol cycle, and forecasts of Lorenz.

Sine and cycle are generated without input, from one initial activity: by the recurrent weights alone, or by networks
that receive their output as well. The forecast is of one coordinate, 27 steps ahead of what the network is shown.

Published (Williams et al. 2025): biases learn a sine at any gain and the van der Pol cycle at gains of 1 and more; full
training does not depend on the gain; both forecast. Settings that are not published were chosen with seeds 101 to 103.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from decoderd.analysis import resampling
from decoderd.arrays import Array
from decoderd.experiments.bands import Band
from decoderd.experiments.bias import recurrent, signals
from decoderd.experiments.bias.fixed import changed
from decoderd.experiments.bias.signals import Signal
from decoderd.experiments.parts import Findings, OnProgress
from decoderd.experiments.power import stated
from decoderd.html_page import Figure
from decoderd.rng import generator
from decoderd.studies import processes
from decoderd.studies.processes import Part

GAINS, WIDTHS = (0.5, 0.75, 1.0, 1.25, 1.5), (200, 400, 1000)
NARROW, MIDDLE_GAIN = WIDTHS[0], 1.25  # the width of all gains, the gain of all widths
SINE, CYCLE, FORECAST = "sine", "van der Pol", "Lorenz"
GENERATED: dict[str, Callable[[], Signal]] = {SINE: signals.sine, CYCLE: signals.van_der_pol}
SERIES, TESTED_EVERY = 4, 100  # windows of an update; steps between windows that are tested with
LEARNED = 0.1  # a series is learned if less than this part of its variance is missed
BIASES, FED_BACK, FULL = "biases", "biases, output fed back", "full training"


class Method(NamedTuple):
    """What learns, and how."""

    plastic: tuple[str, ...]
    rate: Callable[[str, int], float]  # of Adam, by task and number of units
    updates: dict[str, int]  # by task
    fed_back: bool = False


METHODS = {
    BIASES: Method(
        ("b",), lambda task, units: 0.03 if task == FORECAST else 0.05, {SINE: 800, CYCLE: 800, FORECAST: 300}
    ),
    FED_BACK: Method(("b",), lambda task, units: 0.02, {SINE: 800, CYCLE: 800}, True),
    FULL: Method(("W", "F", "b", "V"), lambda task, units: 0.6 / units, {SINE: 300, CYCLE: 300, FORECAST: 200}),
}


class Condition(NamedTuple):
    """Networks that are trained alike."""

    task: str
    method: str
    gain: float
    units: int = NARROW


class Result(NamedTuple):
    """What became of a network."""

    error: float  # squared error over the variance of what was to be learned; of a forecast, in new windows
    changed: int  # entries of arrays that were not to learn and are not the same to the bit


def conditions() -> list[Condition]:
    """All that is compared: gains at one width, and widths at one gain without feedback of the output."""
    gains = [Condition(task, method, gain) for method, one in METHODS.items() for task in one.updates for gain in GAINS]
    wider = itertools.product((CYCLE, FORECAST), (BIASES, FULL), WIDTHS[1:])
    return gains + [Condition(task, method, MIDDLE_GAIN, units) for task, method, units in wider]


def trained(condition: Condition, seed: int) -> Result:
    """Train and test the network of a seed."""
    task, method, gain, units = condition
    plastic, rate, updates, fed_back = METHODS[method]
    skip = signals.WARM_UP if task == FORECAST else 0
    shown = _forecasts(updates[task]) if task == FORECAST else _always(GENERATED[task]())
    tested = _tested() if task == FORECAST else shown(0)
    inputs, outputs = tested.inputs.shape[1], tested.targets.shape[1]
    before = recurrent.draw(seed, units, gain, inputs, outputs, fed_back)
    copied = {name: value.copy() for name, value in before.items()}
    after, _ = recurrent.train(before, plastic, shown, skip, rate(task, units), updates[task])
    with np.errstate(over="ignore", invalid="ignore"):
        passed = recurrent.forward(after, tested.inputs.astype(np.float32))
        error, _ = recurrent.error(passed, tested.targets.astype(np.float32), skip)
    return Result(error, changed(copied, after, plastic))


def _always(signal: Signal) -> Callable[[int], Signal]:
    return lambda update: signal


def _forecasts(updates: int) -> Callable[[int], Signal]:
    """Windows of every update, the same for all networks."""
    starts = generator(0, "bias/lorenz").integers(signals.windows(True), size=(updates, SERIES))
    return lambda update: signals.lorenz(True, starts[update])


def _tested() -> Signal:
    return signals.lorenz(False, np.arange(0, signals.windows(False), TESTED_EVERY))


def persistence() -> float:
    """Error of the forecast that nothing changes."""
    inputs, targets = (each[signals.WARM_UP :] for each in _tested())
    return float(((targets - inputs) ** 2).sum() / ((targets - targets.mean()) ** 2).sum())


def run(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    """Part `dynamics` of `decoderd reproduce bias`, for seeds 1 to `seeds`."""
    every = conditions()
    parts = [Part(trained, (condition, seed)) for condition in every for seed in range(1, seeds + 1)]
    results = processes.run(parts, jobs, lambda done: on_progress(done, len(parts))).results
    errors = {
        condition: np.array([one.error for one in results[i * seeds : (i + 1) * seeds]])
        for i, condition in enumerate(every)
    }
    altered = sum(one.changed for one in results)
    return Findings(
        "Sine and van der Pol cycle are generated from one initial activity, Lorenz is forecast 27 steps ahead. A "
        f"series is learned by a network that misses less than {LEARNED:.0%} of its variance. Rectified units; lines "
        "are means over seeds of the logarithm, with their 95 % bootstrap intervals.",
        [*bands(errors, persistence()), Band("weights that changed", altered, 0, 0)],
        [
            Figure("Gain", f"Missed part of the variance, {NARROW} units.", lambda c: _draw_gains(c, errors)),
            Figure("Width", f"The same by width, gain {MIDDLE_GAIN:g}.", lambda c: _draw_widths(c, errors)),
        ],
        {
            "seeds": f"1 to {seeds}",
            "error of the forecast that nothing changes": f"{persistence():.2f}",
            **{f"error, {_named(one)}": _spread(values) for one, values in errors.items()},
        },
        {"errors": {_named(one): values.tolist() for one, values in errors.items()}},
    )


def bands(errors: Mapping[Condition, Array], nothing_changes: float) -> list[Band]:
    """The published claims as bands, of shares of seeds that learn, and of median errors."""
    found = []
    for method, task, gain in itertools.product((BIASES, FED_BACK), (SINE, CYCLE), GAINS):
        half = (0.5, 1.0) if task == SINE or gain >= 1 else (0.0, 0.5)
        of = errors[Condition(task, method, gain)]
        band = Band(f"{task}, {method}, gain {gain:g}: share of seeds that learn it", _learned(of), *half)
        found.append(stated(band, _learned, of, ends=(0.5, np.inf)))
    for task in (SINE, CYCLE):
        each = [errors[Condition(task, FULL, gain)] for gain in GAINS]
        band = Band(f"{task}, full training: smallest share of seeds that learn it, over gains", _least(*each), 0.5, 1)
        found.append(stated(band, _least, *each, ends=(0.5, np.inf)))
    for method in (BIASES, FULL):
        each = [errors[Condition(FORECAST, method, gain)] for gain in GAINS]
        band = Band(f"Lorenz, {method}: largest median error over gains", _worst(*each), 0.0, nothing_changes)
        found.append(stated(band, _worst, *each, ends=(-np.inf, nothing_changes)))
    for task in (CYCLE, FORECAST):
        narrow, wide = (errors[Condition(task, BIASES, MIDDLE_GAIN, units)] for units in (NARROW, WIDTHS[-1]))
        name = f"{task}, biases: median error with {WIDTHS[-1]} over that with {NARROW} units"
        found.append(stated(Band(name, _ratio(wide, narrow), 0.0, 1.0), _ratio, wide, narrow, ends=(-np.inf, 1.0)))
    return found


def _learned(errors: Array) -> float:
    return float(np.mean(errors < LEARNED))


def _least(*each: Array) -> float:
    return min(map(_learned, each))


def _worst(*each: Array) -> float:
    return max(map(_median, each))


def _ratio(one: Array, other: Array) -> float:
    return _median(one) / _median(other)


def _median(errors: Array) -> float:
    return float(np.median(np.nan_to_num(errors, nan=np.inf)))


def _named(one: Condition) -> str:
    return f"{one.task}, {one.method}, gain {one.gain:g}, {one.units} units"


def _spread(values: Array) -> str:
    return f"median {_median(values):.3g}, {np.nanmin(values):.3g} to {np.nanmax(values):.3g}"


def _draw_gains(canvas: Any, errors: Mapping[Condition, Array]) -> None:
    for axes, task in zip(canvas.subplots(1, 3, sharey=True), (SINE, CYCLE, FORECAST), strict=True):
        for method, one in METHODS.items():
            if task in one.updates:
                _line(axes, GAINS, [errors[Condition(task, method, gain)] for gain in GAINS], method)
        axes.set(title=task, xlabel="gain")
    canvas.axes[0].set_ylabel("missed part of the variance")
    # The forecast leaves the lower part of its axes free.
    canvas.axes[-1].legend(handles=canvas.axes[0].get_legend_handles_labels()[0], loc="lower left", frameon=False)


def _draw_widths(canvas: Any, errors: Mapping[Condition, Array]) -> None:
    for axes, task in zip(canvas.subplots(1, 2, sharey=True), (CYCLE, FORECAST), strict=True):
        for method in (BIASES, FULL):
            _line(axes, WIDTHS, [errors[Condition(task, method, MIDDLE_GAIN, units)] for units in WIDTHS], method)
        axes.set(title=task, xlabel="units", xscale="log")
        axes.minorticks_off()
        axes.set_xticks(WIDTHS, map(str, WIDTHS))
    canvas.axes[0].set_ylabel("missed part of the variance")
    canvas.axes[0].legend(frameon=False)


def _line(axes: Any, places: Any, given: list[Any], method: str) -> None:
    logs = [np.log(values[np.isfinite(values)]) for values in given]
    ends = [resampling.mean_interval(one, 2000, np.random.default_rng(0)) for one in logs]
    colour = f"C{list(METHODS).index(method)}"  # the same in all figures
    axes.semilogy(places, [np.exp(one.mean()) for one in logs], "o-", markersize=3, color=colour, label=method)
    axes.fill_between(places, *np.exp(np.array(ends)).T, color=colour, alpha=0.2, linewidth=0)
    axes.axhline(LEARNED, color="#888", linestyle=":", linewidth=0.8)
