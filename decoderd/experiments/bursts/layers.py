"""Layers that learn digits by bursts, beside gradient descent (Payeur, Guerguiev, Zenke, Richards & Naud 2021).

The digits are the 1797 of 8 x 8 pixels that scikit-learn brings along, in place of the published ones. Each seed splits
them anew into 1397 to learn from and 400 to test with, for splits differ in how hard they are. Networks of one and of
three hidden layers of 128 units learn by bursts with the published rates.

The rates of gradient descent, and again those of bursts, are tuned for each seed within its 1397 digits. Both have the
same candidates, which learn from 1097 digits for as many epochs as the experiment has, from each of two initial
networks. They are judged by the mean error in the other 300.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.experiments.bands import Band
from decoderd.experiments.digit_images import CLASSES, HELD_OUT, TESTED, Digits, digits
from decoderd.experiments.parts import Findings, OnProgress
from decoderd.experiments.power import over_seeds
from decoderd.html_page import Figure
from decoderd.plasticity import burstprop
from decoderd.plasticity.burstprop import Network, Rates
from decoderd.rng import generator
from decoderd.studies import processes

EPOCHS, BATCH, WIDTH = 20, 32, 128
FEEDBACK_SD, RECURRENT_SD = 1.0, 0.01
DEPTHS = (1, 3)
ANGLES_EVERY = 10  # batches

# Candidates of tuning. The published rates are 0.1 and 0.01.
HIDDEN_RATES = (0.03, 0.1, 0.3, 1.0)
OUTPUT_RATES = (0.001, 0.003, 0.01, 0.03)
TUNING_NETWORKS = 2

DIRECTIONS: dict[str, Callable[[Network, list[Array], Array], Network]] = {
    "bursts": burstprop.direction,
    "gradient": burstprop.descent,
}
# (what is shown, by which direction the network learns, whether its rates are tuned; otherwise the published ones)
KINDS = {
    "bursts": ("bursts", False),
    "bursts, tuned": ("bursts", True),
    "gradient descent, tuned": ("gradient", True),
}
# Test error (%) at the last epoch and angle (degrees) between hidden updates and the gradient, by hidden layers.
MOST = {1: (3.5, 50.0), 3: (14.0, 72.0)}


class Curves(NamedTuple):
    """How one network learned: values of each epoch."""

    errors: Array  # (EPOCHS,) part of the test digits that are classified wrongly
    hidden_angles: Array  # (EPOCHS,) radians between updates of all hidden weights and the negative gradient
    output_angles: Array  # (EPOCHS,) the same of the output's weights


def learn(draw: np.random.Generator, depth: int, by: str, rates: Rates, given: Digits, epochs: int = EPOCHS) -> Curves:
    """Train a network of `depth` hidden layers; what is drawn is the same for all directions and rates."""
    sizes = [given.inputs.shape[1], *[WIDTH] * depth, CLASSES]
    network = burstprop.draw(sizes, FEEDBACK_SD, RECURRENT_SD, draw)
    last = burstprop.still(network)
    errors, angles = np.empty(epochs), np.empty((epochs, 2))
    for epoch in range(epochs):
        seen = []
        order = draw.permutation(len(given.inputs))
        for number, first in enumerate(range(0, len(order), BATCH)):
            batch = order[first : first + BATCH]
            activity = burstprop.events(network, given.inputs[batch])
            error = np.eye(CLASSES)[given.classes[batch]] - activity[-1]
            direction = DIRECTIONS[by](network, activity, error)
            if number % ANGLES_EVERY == 0:
                gradient = burstprop.descent(network, activity, error)
                seen.append([angle(direction.W[part], gradient.W[part]) for part in (slice(-1), slice(-1, None))])
            network, last = burstprop.step(rates, network, last, direction)
        found = burstprop.events(network, given.test_inputs)[-1].argmax(axis=1)
        errors[epoch], angles[epoch] = np.mean(found != given.test_classes), np.mean(seen, axis=0)
    return Curves(errors, *angles.T)


def angle(one: tuple[Array, ...], other: tuple[Array, ...]) -> float:
    """The angle in radians between two updates, each of several arrays."""
    a, b = (np.concatenate([array.ravel() for array in arrays]) for arrays in (one, other))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    # Exact where vectors are almost parallel; the cosine alone is not.
    return float(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b)))


def candidates() -> list[Rates]:
    """The rates that tuning tries, the same for bursts and for gradient descent."""
    return [Rates(hidden=hidden, output=output) for hidden in HIDDEN_RATES for output in OUTPUT_RATES]


def tune(seed: int, depth: int, by: str) -> Rates:
    """The candidate with the smallest error in held-out digits of a seed at the last epoch; of equal ones the first."""
    given = digits(seed, held_out=True)

    def error(rates: Rates) -> float:
        draws = (generator(seed, f"layers/tuning/{depth}/{number}") for number in range(TUNING_NETWORKS))
        return float(np.mean([learn(draw, depth, by, rates, given).errors[-1] for draw in draws]))

    return min(candidates(), key=error)


def learned(seed: int, depth: int, kind: str) -> tuple[Curves, Rates]:
    """A network of the experiment, and the rates with which it learned."""
    by, tuned = KINDS[kind]
    rates = tune(seed, depth, by) if tuned else Rates()
    return learn(generator(seed, f"layers/{depth}"), depth, by, rates, digits(seed)), rates


def run(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    """Train networks of seeds 1 to `seeds`, of each depth and kind."""
    shown = [(seed, depth, kind) for depth in DEPTHS for kind in KINDS for seed in range(1, seeds + 1)]
    parts = [processes.Part(learned, each) for each in shown]
    results = processes.run(parts, jobs, lambda done: on_progress(done, len(parts))).results
    found: dict[tuple[int, str], Curves] = {}
    tuned = {}
    for depth in DEPTHS:
        for kind in KINDS:
            alike = [one for one, (_, *its) in zip(results, shown, strict=True) if its == [depth, kind]]
            found[depth, kind] = Curves(*(np.stack(field) for field in zip(*(c for c, _ in alike), strict=True)))
            if KINDS[kind][1]:
                tuned[f"{depth} hidden, {kind}"] = [(rates.hidden, rates.output) for _, rates in alike]
    shares = {f"{depth} hidden, {kind}": 100 * curves.errors[:, -1] for (depth, kind), curves in found.items()}
    return Findings(
        f"{TESTED} of scikit-learn's digits to test with and the rest to learn from, split anew for each seed; {WIDTH} "
        f"units a hidden layer. Tuned rates are the best of {len(candidates())} in {HELD_OUT} digits held out of those "
        "to learn from. Lines are means over seeds, areas go from the smallest to the largest value.",
        bands(found),
        [
            Figure("Error", "Part of the test digits that are classified wrongly.", lambda c: _draw_errors(c, found)),
            Figure("Angle", "Between hidden updates and the gradient.", lambda c: _draw_angles(c, found)),
        ],
        {
            "seeds": f"1 to {seeds}",
            **{f"test error at epoch {EPOCHS}, {name}": _spread(values) for name, values in shares.items()},
            **{f"rates (hidden, output), {name}": pairs for name, pairs in tuned.items()},
        },
        {
            "error_percent": {name: values.tolist() for name, values in shares.items()},
            "angle_deg": {f"{d} hidden, {k}": _last_angles(curves).tolist() for (d, k), curves in found.items()},
            "tuned": tuned,
        },
    )


def _spread(values: Array) -> str:
    return f"{values.mean():.1f} % ({values.min():.1f} to {values.max():.1f})"


def _last_angles(curves: Curves) -> Array:
    return np.degrees(curves.hidden_angles[:, -1])


def bands(found: Mapping[tuple[int, str], Curves]) -> list[Band]:
    """What is expected of bursts with the published rates, as measured with the authors' layers; means over seeds."""
    expected = []
    for depth, (error, degrees) in MOST.items():
        curves = found[depth, "bursts"]
        shares, hidden = 100 * curves.errors[:, -1], _last_angles(curves)
        output = np.degrees(curves.output_angles.max())
        angle = f"{depth} hidden: angle of hidden updates to the gradient, degrees"
        expected += [
            over_seeds(f"{depth} hidden: test error at epoch {EPOCHS}, %", np.mean, shares, 0.0, error),
            over_seeds(angle, np.mean, hidden, 0.0, degrees),
            Band(f"{depth} hidden: largest angle of output updates to the gradient", float(output), 0.0, 1e-5),
        ]
    return expected


def _draw_errors(canvas: Any, found: Mapping[tuple[int, str], Curves]) -> None:
    _draw(canvas, {each: 100 * curves.errors for each, curves in found.items()}, "test error (%)")
    for axes in canvas.axes:
        axes.set_yscale("log")


def _draw_angles(canvas: Any, found: Mapping[tuple[int, str], Curves]) -> None:
    by_bursts = {each: curves for each, curves in found.items() if KINDS[each[1]][0] == "bursts"}
    _draw(canvas, {each: np.degrees(curves.hidden_angles) for each, curves in by_bursts.items()}, "angle (deg)")


def _draw(canvas: Any, lines: Mapping[tuple[int, str], Array], label: str) -> None:
    for axes, depth in zip(canvas.subplots(1, len(DEPTHS), sharey=True), DEPTHS, strict=True):
        for (its, kind), values in lines.items():
            if its == depth:
                epochs = np.arange(1, values.shape[1] + 1)
                (line,) = axes.plot(epochs, values.mean(axis=0), label=kind)
                axes.fill_between(
                    epochs, values.min(axis=0), values.max(axis=0), color=line.get_color(), alpha=0.2, linewidth=0
                )
        axes.set(title=f"{depth} hidden", xlabel="epoch")
    canvas.axes[0].set_ylabel(label)
    canvas.axes[0].legend(frameon=False)
