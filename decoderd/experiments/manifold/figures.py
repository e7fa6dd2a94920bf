"""Figures of the manifold experiment. Lines are medians over seeds, shaded areas quartiles."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.experiments.manifold import experiment
from decoderd.experiments.manifold.experiment import (
    OUTSIDE,
    REDUCTIONS,
    SNAPSHOTS,
    SWEEP_RATES,
    WITHIN,
    IncrementalResult,
    LearningResult,
    RateResult,
    SampledResult,
)
from decoderd.experiments.manifold.training import updates_to
from decoderd.html_page import Figure

KINDS = ((WITHIN, "within", "C0"), (OUTSIDE, "outside", "C1"))
REGIMES = ("lazy", "rich")


def figures(
    learned: dict[str, LearningResult],
    by_exponent: dict[float, LearningResult],
    swept: list[RateResult],
    stepwise: IncrementalResult,
    sampled: dict[str, SampledResult],
) -> list[Figure]:
    """All figures. `learned` is by regime; `by_exponent` is shorter learning, by exponent of the initial weights."""
    updates = f"{experiment.UPDATES} updates at rate {experiment.RATE:g}"
    return [
        Figure(
            "Learning",
            f"Loss under a within- and an outside-manifold perturbation that start equally hard; {updates}.",
            lambda canvas: _by_regime(canvas, learned, "losses", "loss"),
        ),
        Figure(
            "Gradient",
            "Norm of the loss's gradient with respect to the recurrent weights.",
            lambda canvas: _by_regime(canvas, learned, "gradient_norms", "|dL/dW|"),
        ),
        Figure(
            "Regimes of learning",
            f"From lazy (0.55) to rich (1): updates to half the loss, relative change of weights and manifold overlap "
            f"after {experiment.REGIME_UPDATES} updates, by the exponent of the initial weights' scale.",
            lambda canvas: _regimes(canvas, by_exponent),
            (12.0, 3.5),
        ),
        Figure(
            "Learning rates",
            "Lazy regime: share of seeds in which learning became unstable (an eigenvalue of W left the unit disc), "
            f"and in which the loss ever rose, in {experiment.SWEEP_UPDATES} updates.",
            lambda canvas: _sweep(canvas, swept),
        ),
        Figure(
            "Manifold overlap",
            "Variance along the axes of the original manifold, as a fraction of that before learning.",
            lambda canvas: _snapshots(canvas, learned, "overlaps", "overlap", 1.0),
        ),
        Figure(
            "Dominant modes and readout",
            "Smallest principal angle between the leading modes of activity and the readout.",
            lambda canvas: _snapshots(canvas, learned, "angles", "angle (deg)", 180 / np.pi),
        ),
        Figure(
            "Updates and readout",
            "Smallest principal angle between the readout and the first-order change of the covariance in an update.",
            lambda canvas: _snapshots(canvas, learned, "step_angles", "angle (deg)", 180 / np.pi),
        ),
        Figure(
            "Strategies under a within-manifold perturbation",
            "Change of variance in the two dimensions that the original decoder reads, and in those that the perturbed "
            "one reads, against the reduction of the loss; medians and quartiles.",
            lambda canvas: _strategies(canvas, learned),
        ),
        Figure(
            "Incremental learning of an outside-manifold perturbation",
            f"Lazy regime: loss on the whole perturbation, learned directly and in increments, "
            f"{experiment.INCREMENTAL_UPDATES} updates each.",
            lambda canvas: _increments(canvas, stepwise),
        ),
        Figure(
            "Learning from samples",
            "Expected loss when every update uses one sample of activity for each target; there is no published value.",
            lambda canvas: _by_regime(canvas, sampled, "losses", "loss"),
        ),
    ]


def _line(axes: Any, x: NDArray[Any], values: Array, label: str, colour: str) -> None:
    """Median and quartiles of values (S, ...) along x."""
    with warnings.catch_warnings():  # where no seed has a value there is no line
        warnings.simplefilter("ignore", RuntimeWarning)
        low, middle, high = np.nanquantile(values, (0.25, 0.5, 0.75), axis=0)
    axes.plot(x, middle, color=colour, label=label)
    axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)


def _by_regime(canvas: Any, learned: Mapping[str, LearningResult | SampledResult], field: str, label: str) -> None:
    for axes, regime in zip(canvas.subplots(1, 2), REGIMES, strict=True):
        values = getattr(learned[regime], field)
        for k, kind, colour in KINDS:
            _line(axes, np.arange(values.shape[-1]), values[:, k], kind, colour)
        axes.set(title=regime, xlabel="update", ylabel=label, yscale="log")
        axes.legend()


def _snapshots(canvas: Any, learned: dict[str, LearningResult], field: str, label: str, factor: float) -> None:
    for axes, regime in zip(canvas.subplots(1, 2), REGIMES, strict=True):
        values = factor * getattr(learned[regime], field)
        for k, kind, colour in KINDS:
            _line(axes, np.array(SNAPSHOTS[: values.shape[-1]]), values[:, k], kind, colour)
        axes.set(title=regime, xlabel="update", ylabel=label)
        axes.set_xscale("symlog", linthresh=1)
        axes.legend()


def _regimes(canvas: Any, by_exponent: dict[float, LearningResult]) -> None:
    halving, change, overlap = canvas.subplots(1, 3)
    x = np.array(list(by_exponent))
    for k, kind, colour in KINDS:
        found = list(by_exponent.values())
        _line(halving, x, np.stack([updates_to(one.losses[:, k], 0.5) for one in found], axis=1), kind, colour)
        _line(change, x, np.stack([one.relative_change[:, k] for one in found], axis=1), kind, colour)
        _line(overlap, x, np.stack([one.overlaps[:, k, -1] for one in found], axis=1), kind, colour)
    for axes, label in ((halving, "updates to half the loss"), (change, "|dW| / |W|"), (overlap, "overlap")):
        axes.set(xlabel="exponent", ylabel=label)
        axes.legend()


def _sweep(canvas: Any, swept: list[RateResult]) -> None:
    for axes, field in zip(canvas.subplots(1, 2), ("unstable", "irregular"), strict=True):
        for k, kind, colour in KINDS:
            axes.plot(SWEEP_RATES, [getattr(one, field)[:, k].mean() for one in swept], "o-", label=kind, color=colour)
        axes.set(xlabel="learning rate", ylabel=f"share of seeds {field}", xscale="log", ylim=(-0.03, 1.03))
        axes.legend()


def _strategies(canvas: Any, learned: dict[str, LearningResult]) -> None:
    for axes, regime in zip(canvas.subplots(1, 2), REGIMES, strict=True):
        for j, (decoder, colour) in enumerate((("original", "C2"), ("perturbed", "C3"))):
            _line(axes, 100 * np.array(REDUCTIONS), 100 * learned[regime].strategies[:, j], decoder, colour)
        axes.set(title=regime, xlabel="reduction of the loss (%)", ylabel="change of variance (%)")
        axes.axhline(0, color="0.6", linewidth=0.8)
        axes.legend()


def _increments(canvas: Any, stepwise: IncrementalResult) -> None:
    curves, pairs = canvas.subplots(1, 2)
    for values, label, colour in (
        (stepwise.direct_losses, "directly", "C1"),
        (stepwise.stepwise_losses, "in increments", "C4"),
    ):
        _line(curves, np.arange(values.shape[1]), values, label, colour)
    curves.set(xlabel="update", ylabel="loss on the whole perturbation")
    curves.legend()
    most = 1.05 * max(stepwise.direct.max(), stepwise.stepwise.max())
    pairs.plot([0, most], [0, most], color="0.6", linewidth=0.8)
    pairs.plot(stepwise.direct, stepwise.stepwise, "o", color="C4")
    pairs.set(xlabel="loss, learned directly", ylabel="loss, learned in increments", xlim=(0, most), ylim=(0, most))
