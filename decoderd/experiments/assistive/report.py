"""Runs the assistive experiment: its parts, its bands, its report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from decoderd.analysis import resampling
from decoderd.arrays import Array
from decoderd.experiments import pretrained
from decoderd.experiments.assistive import experiment
from decoderd.experiments.assistive.expected import Expected, bands_of, final, loss_bands, n_c_change
from decoderd.experiments.assistive.experiment import SessionResults
from decoderd.experiments.assistive.variants import EXPECTED, variants
from decoderd.experiments.report import Outcome, Report, Section
from decoderd.html_page import Figure
from decoderd.studies.processes import Part


def assistance(
    name: str, seeds: int, jobs: int, on_progress: Callable[[int, int], None], repeats: int = experiment.REPEATS
) -> Outcome:
    """Run the recipe of this name for seeds 1..`seeds`, in all variants; `found` are SessionResults by variant.

    Seeds that did not learn to reach are left out: their loss exceeds the recipe's `loss_at_most`. `repeats` are those
    of every evaluation of some readouts.
    """
    recipe = pretrained.load_recipe(name)
    of = variants(recipe)
    intensities, evaluated = sorted(EXPECTED[next(iter(of))].first), (1, recipe.schedule.days)
    finished = pretrained.run(
        {name: recipe},
        seeds,
        lambda trained: [
            Part(experiment.run_sessions, (one, group, intensities, evaluated, repeats))
            for one in of.values()
            for group in trained[name]
        ],
        jobs,
        on_progress,
    )
    cut = len(finished.trained[name])
    found = {variant: experiment.concatenate(finished.results[i * cut : (i + 1) * cut]) for i, variant in enumerate(of)}
    main, *others = found
    most: Any = recipe.pretraining and recipe.pretraining.loss_at_most
    report = Report(
        title="Learning beside an adapting decoder",
        summary=(
            "A recurrent network learns brain control over days while its decoder is adapted at the start of every day "
            "with more or less intensity (Rajeswaran, Payeur, Orsborn & Lajoie 2024). Values are medians over seeds "
            "unless their name says otherwise. Seeds whose loss after pretraining exceeds a fixed limit are left out."
        ),
        bands=bands_of(found[main], EXPECTED[main]),
        figures=figures(found[main]),
        settings={
            "recipe": ", ".join(filter(None, (recipe.name, main))),
            "days, updates a day": "{1}, {2}".format(*found[main].losses.shape),
            "intensities": ", ".join(f"{x:g}" for x in intensities),
            **finished.settings_of(name),
            "largest loss after pretraining": most,
            "repeats of an evaluation of readouts": repeats,
            **measured(found[main], EXPECTED[main]),
            "processes": jobs,
        },
        wall_s=finished.wall_s,
        sections=[_beside(variant, found[variant]) for variant in others],
    )
    more = {
        "pretraining_s": finished.pretraining_s,
        "arm_losses": finished.losses[name],
        "measured": {variant: measured(results, EXPECTED[variant]) for variant, results in found.items()},
    }
    return Outcome(report, found, more)


def _beside(variant: str, results: SessionResults) -> Section:
    return Section(
        variant,
        "The same individuals with the same random numbers.",
        loss_bands(results, EXPECTED[variant]),
        figures(results),
        measured(results, EXPECTED[variant]),
    )


def measured(results: SessionResults, expected: Expected) -> dict[str, str]:
    """Losses and changes of N_c at each intensity, as text: median or mean over seeds with its 95 % interval."""
    rows: dict[str, tuple[Array, Callable[..., Any]]] = {
        "loss of the first update, median": (results.losses[:, 0, 0], np.median),
        f"{expected.which}, median": (final(results, expected), np.median),
        "change of N_c, mean": (n_c_change(results), np.mean),
    }
    return {
        f"{name}, intensity {x:g}": with_interval(values[of], statistic)
        for name, (values, statistic) in rows.items()
        for _, x, of in _levels(results)
    }


def with_interval(values: Array, statistic: Callable[..., Any]) -> str:
    """A statistic of values (seeds,), as text with its 95 % bootstrap interval."""
    chosen = np.random.default_rng(0).integers(len(values), size=(10_000, len(values)))
    low, high = resampling.interval(statistic(values[chosen], axis=1))
    return f"{statistic(values):.3g} ({low:.3g} to {high:.3g})"


def figures(results: SessionResults) -> list[Figure]:
    """Figures of losses over days, reward by number of readouts, and N_c."""
    early, late = min(results.curves), max(results.curves)
    return [
        Figure(
            "Loss",
            "Mean loss of every update: median over seeds and quartiles, a line for each intensity.",
            lambda canvas: _losses(canvas, results),
        ),
        Figure(
            "Reward by number of readouts",
            f"Readouts are ranked by the reward of each alone and added, the best first. Day {early} (dashed) and day "
            f"{late}; mean over seeds.",
            lambda canvas: _curves(canvas, results),
        ),
        Figure(
            "Number of readouts needed",
            f"Change from day {early} to day {late} of N_c, the number of readouts that reach 80 % of the normalised "
            "reward: each seed, and the mean with its 95 % bootstrap interval.",
            lambda canvas: _needed(canvas, results),
        ),
    ]


def _levels(results: SessionResults) -> list[tuple[int, float, Array]]:
    """(index, intensity, mask of sessions) of each intensity."""
    return [(i, x, results.intensities == x) for i, x in enumerate(np.unique(results.intensities))]


def _losses(canvas: Any, results: SessionResults) -> None:
    axes = canvas.subplots()
    flat = results.losses.reshape(len(results.seeds), -1)
    days = 1 + np.arange(flat.shape[1]) / results.losses.shape[2]
    for i, intensity, of in _levels(results):
        low, middle, high = np.percentile(flat[of], [25, 50, 75], axis=0)
        axes.semilogy(days, middle, color=f"C{i}", label=f"intensity {intensity:g}", linewidth=1)
        axes.fill_between(days, low, high, color=f"C{i}", alpha=0.15, linewidth=0)
    axes.set(xlabel="day", ylabel="loss")
    axes.legend(frameon=False)


def _curves(canvas: Any, results: SessionResults) -> None:
    levels = _levels(results)
    for axes, (i, intensity, of) in zip(canvas.subplots(1, len(levels), sharey=True), levels, strict=True):
        for day, style in ((min(results.curves), "--"), (max(results.curves), "-")):
            curve = results.curves[day][of].mean(axis=0)
            axes.plot(1 + np.arange(len(curve)), curve, style, color=f"C{i}")
        axes.set(title=f"intensity {intensity:g}", xlabel="readouts")
    canvas.axes[0].set_ylabel("reward")


def _needed(canvas: Any, results: SessionResults) -> None:
    axes = canvas.subplots()
    changes = n_c_change(results)
    draw = np.random.default_rng(0)
    for i, intensity, of in _levels(results):
        for shown in changes[of]:
            axes.plot([intensity], [shown], "o", color=f"C{i}", alpha=0.4)
        low, high = resampling.mean_interval(changes[of], 10_000, draw)
        axes.errorbar(
            [intensity],
            [changes[of].mean()],
            [[changes[of].mean() - low], [high - changes[of].mean()]],
            fmt="_",
            color="k",
            capsize=4,
        )
    axes.axhline(0, color="#888", linewidth=0.8)
    axes.set(xlabel="intensity", ylabel="change of N_c")
