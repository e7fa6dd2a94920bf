"""Digits recognised by one hidden layer whose biases alone learn, beside learnt masks and full training.

    u = W x + b        h = m max(0, u)        y = V h        m = 1 where the score s > 0, otherwise 0

W and V are random. Biases learn b, masks learn s, and full training W, b and V. The gradient passes the step from s to
m as if m were s (straight-through). Classes are judged by the softmax of y (Williams et al. 2025, with scikit-learn's
digits in place of theirs).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import softmax

from decoderd.analysis import resampling
from decoderd.arrays import Array
from decoderd.experiments.bands import Band
from decoderd.experiments.bias.fixed import changed
from decoderd.experiments.digit_images import CLASSES, Digits, digits
from decoderd.experiments.parts import Findings, OnProgress
from decoderd.experiments.power import stated
from decoderd.html_page import Figure
from decoderd.plasticity import adam
from decoderd.plasticity.adam import Adam
from decoderd.rng import generator
from decoderd.studies import processes
from decoderd.studies.processes import Part

WIDTHS = (64, 256, 1024, 4096, 8192)
EPOCHS, BATCH = 40, 128
# Standard deviations or ranges of the weights, given the number of their inputs.
LAWS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Array]] = {
    "uniform": lambda draw, shape: draw.uniform(-0.1, 0.1, shape),
    "normal": lambda draw, shape: draw.normal(0, 1 / np.sqrt(shape[1]), shape),
}
BIASES, MASKS, FULL = "biases", "masks", "full training"
# What learns, and at which rate: of 0.003, 0.01 and 0.03 a good one for a seed that is not among those reported.
METHODS: dict[str, tuple[tuple[str, ...], float]] = {
    BIASES: (("b",), 0.01),
    MASKS: (("s",), 0.01),
    FULL: (("W", "b", "V"), 0.003),
}
MOST_BEHIND = 2.0  # points of accuracy


class Trained(NamedTuple):
    """What networks of one seed, law and width learned."""

    accuracy: Array  # (methods,) part of the test digits that are classified rightly
    changed: int  # entries of arrays that were not to learn and are not the same to the bit
    kept: float  # part of the units that the mask keeps
    correlation: float  # over units, of learnt biases with the mask


def draw_network(seed: int, law: str, width: int, method: str) -> dict[str, Array]:
    """A network in single precision; weights are the same for all methods."""
    numbers, one = generator(seed, f"bias/digits/{law}/{width}"), LAWS[law]
    scores = np.ones(width)
    values = {"W": one(numbers, (width, 64)), "V": one(numbers, (CLASSES, width)), "b": np.zeros(width)}
    if method == MASKS:
        scores = numbers.uniform(-0.1, 0.1, width)
    return {name: value.astype(np.float32) for name, value in {**values, "s": scores}.items()}


def outputs(values: Mapping[str, Array], inputs: Array) -> Array:
    """y (M, classes) of inputs (M, 64)."""
    return (np.maximum(inputs @ values["W"].T + values["b"], 0) * (values["s"] > 0)) @ values["V"].T


def gradients(values: Mapping[str, Array], plastic: Sequence[str], inputs: Array, ones: Array) -> dict[str, Array]:
    """Derivatives of the mean cross-entropy to the plastic arrays; `ones` (M, classes) are 1 for the right class."""
    W, V, mask = values["W"], values["V"], values["s"] > 0
    u = inputs @ W.T + values["b"]
    active = u > 0
    r = u * active
    to_y = (softmax((r * mask) @ V.T, axis=1) - ones) / len(inputs)
    to_h = to_y @ V
    to_u = to_h * (active & mask)
    found: dict[str, Callable[[], Array]] = {
        "W": lambda: to_u.T @ inputs,
        "b": lambda: to_u.sum(axis=0),
        "s": lambda: (to_h * r).sum(axis=0),
        "V": lambda: to_y.T @ (r * mask),
    }
    return {name: found[name]() for name in plastic}


def learn(values: dict[str, Array], plastic: Sequence[str], rate: float, given: Digits, order: Any) -> dict[str, Array]:
    """The network after `EPOCHS` passes through the digits, in a new order each."""
    settings, now = Adam(rate=rate, epsilon=1e-8), dict(values)
    inputs, ones = given.inputs.astype(np.float32), np.eye(CLASSES, dtype=np.float32)[given.classes]
    changing = {name: now[name] for name in plastic}
    moments = adam.init(changing)
    for _ in range(EPOCHS):
        places = order.permutation(len(inputs))
        for first in range(0, len(places), BATCH):
            batch = places[first : first + BATCH]
            gradient = gradients(now, plastic, inputs[batch], ones[batch])
            moments, changing = adam.step(settings, moments, gradient, changing)
            now |= changing
    return now


def trained(seed: int, law: str, width: int) -> Trained:
    """Train the networks of a seed, law and width by all methods."""
    given, right, altered, ends = digits(seed), [], 0, {}
    for method, (plastic, rate) in METHODS.items():
        before = draw_network(seed, law, width, method)
        copied = {name: value.copy() for name, value in before.items()}
        order = generator(seed, f"bias/digits/order/{width}")
        ends[method] = after = learn(before, plastic, rate, given, order)
        altered += changed(copied, after, plastic)
        right.append(np.mean(outputs(after, given.test_inputs).argmax(axis=1) == given.test_classes))
    mask = ends[MASKS]["s"] > 0
    return Trained(np.array(right), altered, float(mask.mean()), float(np.corrcoef(ends[BIASES]["b"], mask)[0, 1]))


def run(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    """Part `digits` of `decoderd reproduce bias`, for seeds 1 to `seeds`."""
    each = [(seed, law, width) for width in WIDTHS for law in LAWS for seed in range(1, seeds + 1)]
    parts = [Part(trained, one) for one in each]
    results = processes.run(parts, jobs, lambda done: on_progress(done, len(parts))).results
    by_place = dict(zip(each, results, strict=True))
    accuracy = {
        law: 100 * np.array([[by_place[seed, law, w].accuracy for w in WIDTHS] for seed in range(1, seeds + 1)])
        for law in LAWS
    }
    widest = {law: [by_place[seed, law, WIDTHS[-1]] for seed in range(1, seeds + 1)] for law in LAWS}
    return Findings(
        f"Of scikit-learn's digits 400 test what is learned from the others, split anew for each seed; {EPOCHS} passes "
        "with Adam. Published, for other images and 32,000 units: biases alone are about as accurate as full training, "
        "and more units are better. Lines are means over seeds with their 95 % bootstrap intervals.",
        [*bands(accuracy), Band("weights that changed", sum(one.changed for one in results), 0, 0)],
        [Figure("Accuracy", "Test digits that are classified rightly.", lambda c: _draw(c, accuracy))],
        {
            "seeds": f"1 to {seeds}",
            **{
                f"accuracy by width, %, {law}, {method}": ", ".join(map(interval, values[..., m].T))
                for law, values in accuracy.items()
                for m, method in enumerate(METHODS)
            },
            **{f"units that masks keep, {law}": f"{np.mean([x.kept for x in of]):.0%}" for law, of in widest.items()},
            **{
                f"correlation of biases with masks, {law}": interval(np.array([x.correlation for x in of]))
                for law, of in widest.items()
            },
        },
        {
            "widths": list(WIDTHS),
            "accuracy_percent": {
                law: {method: values[..., m].tolist() for m, method in enumerate(METHODS)}
                for law, values in accuracy.items()
            },
        },
    )


def bands(accuracy: Mapping[str, Array]) -> list[Band]:
    """Bands of accuracies (seeds, widths, methods) in %, by law."""
    found = []
    for law, values in accuracy.items():
        for name, statistic, ends in (
            (f"points behind full training, {WIDTHS[-1]} units", _behind, (-np.inf, MOST_BEHIND)),
            ("smallest rise from a width to the next, points", _rise, (0.0, np.inf)),
        ):
            found.append(stated(Band(f"{law}: {name}", statistic(values), *ends), statistic, values))
    return found


def _behind(values: Array) -> float:
    """Mean accuracy of full training less that of biases, at the largest width."""
    return float((values[:, -1, -1] - values[:, -1, 0]).mean())


def _rise(values: Array) -> float:
    """The smallest rise of the mean accuracy of biases from a width to the next."""
    return float(np.diff(values[..., 0].mean(axis=0)).min())


def interval(values: Array) -> str:
    """The mean of values (seeds,) and its 95 % bootstrap interval, as text."""
    low, high = resampling.mean_interval(values, 10_000, np.random.default_rng(0))
    return f"{values.mean():.3g} ({low:.3g} to {high:.3g})"


def _draw(canvas: Any, accuracy: Mapping[str, Array]) -> None:
    for axes, (law, values) in zip(canvas.subplots(1, len(accuracy), sharey=True), accuracy.items(), strict=True):
        for m, method in enumerate(METHODS):
            ends = [resampling.mean_interval(of, 2000, np.random.default_rng(0)) for of in values[..., m].T]
            axes.plot(WIDTHS, values[..., m].mean(axis=0), "o-", color=f"C{m}", markersize=3, label=method)
            axes.fill_between(WIDTHS, *np.array(ends).T, color=f"C{m}", alpha=0.2, linewidth=0)
        axes.set(title=f"{law} weights", xlabel="hidden units", xscale="log")
    canvas.axes[0].set_ylabel("accuracy (%)")
    canvas.axes[0].legend(frameon=False)
