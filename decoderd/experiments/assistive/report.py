"""The assistive experiment as a whole: its parts, its bands, its report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from decoderd.analysis import resampling
from decoderd.arrays import Array
from decoderd.experiments import pretrained
from decoderd.experiments.assistive import expected as bands_of
from decoderd.experiments.assistive import experiment
from decoderd.experiments.assistive.expected import EXPECTED
from decoderd.experiments.assistive.experiment import Course
from decoderd.experiments.pool import Part
from decoderd.experiments.report import Figure, Outcome, Report


def assistance(name: str, seeds: int, jobs: int, advance: Callable[[int, int], None]) -> Outcome:
    """Run the recipe of this name for seeds 1..`seeds`; found is the course.

    Seeds that did not learn to reach are left out, by the recipe's `loss_at_most`.
    """
    recipe, expected = pretrained.shipped(name), EXPECTED[name]
    intensities, evaluated = sorted(expected.first), (1, recipe.schedule.days)
    ran = pretrained.run(
        {name: recipe},
        seeds,
        lambda able: [Part(experiment.sessions, (recipe, group, intensities, evaluated)) for group in able[name]],
        jobs,
        advance,
    )
    course = experiment.together(ran.results)
    most: Any = recipe.pretraining and recipe.pretraining.loss_at_most
    report = Report(
        title="Learning beside an adapting decoder",
        summary=(
            "A recurrent network learns brain control over days while its decoder is adapted every morning with more "
            "or less intensity (Rajeswaran, Payeur, Orsborn & Lajoie 2024). Values are medians over seeds unless they "
            "say otherwise. Seeds whose arm loss stays too high are left out, by a rule set before."
        ),
        bands=bands_of.of(course, expected),
        figures=figures(course),
        settings={
            "recipe": recipe.name,
            "days, updates a day": f"{course.losses.shape[1]}, {course.losses.shape[2]}",
            "intensities": ", ".join(f"{x:g}" for x in intensities),
            **ran.told(name),
            "arm loss at most": most,
            **{f"change of N_c, intensity {x:g}": told for x, told in changes(course).items()},
            "processes": jobs,
        },
        wall_s=ran.wall_s,
    )
    return Outcome(report, course, {"pretraining_s": ran.pretraining_s, "arm_losses": ran.losses[name]})


def changes(course: Course) -> dict[float, str]:
    """The change of N_c at each intensity: mean over seeds and its bootstrap interval."""
    change, draw = bands_of.compaction(course), np.random.default_rng(0)
    found = {}
    for _, intensity, of in _levels(course):
        low, high = resampling.mean_interval(change[of], 10_000, draw)
        found[float(intensity)] = f"{change[of].mean():.2f} ({low:.2f} to {high:.2f})"
    return found


def figures(course: Course) -> list[Figure]:
    """Losses over days, reward by number of readouts, N_c."""
    early, late = min(course.curves), max(course.curves)
    return [
        Figure(
            "Loss",
            "Mean loss of every update, median over seeds and their quartiles; a line an intensity.",
            lambda canvas: _losses(canvas, course),
        ),
        Figure(
            "Reward by number of readouts",
            f"Readouts are ranked by their reward alone and added, the best first. Day {early} (dashed) and day "
            f"{late}; mean over seeds.",
            lambda canvas: _curves(canvas, course),
        ),
        Figure(
            "Readouts needed",
            f"N_c, the readouts that reach 80 % of the normalised reward, on day {early} and on day {late}: each seed, "
            "and the mean with its bootstrap interval.",
            lambda canvas: _needed(canvas, course),
        ),
    ]


def _levels(course: Course) -> list[tuple[int, float, Array]]:
    """(number, intensity, which sessions)."""
    return [(i, x, course.intensities == x) for i, x in enumerate(np.unique(course.intensities))]


def _losses(canvas: Any, course: Course) -> None:
    axes = canvas.subplots()
    flat = course.losses.reshape(len(course.seeds), -1)
    days = 1 + np.arange(flat.shape[1]) / course.losses.shape[2]
    for i, intensity, of in _levels(course):
        low, middle, high = np.percentile(flat[of], [25, 50, 75], axis=0)
        axes.semilogy(days, middle, color=f"C{i}", label=f"intensity {intensity:g}", linewidth=1)
        axes.fill_between(days, low, high, color=f"C{i}", alpha=0.15, linewidth=0)
    axes.set(xlabel="day", ylabel="loss")
    axes.legend(frameon=False)


def _curves(canvas: Any, course: Course) -> None:
    levels = _levels(course)
    for axes, (i, intensity, of) in zip(canvas.subplots(1, len(levels), sharey=True), levels, strict=True):
        for day, style in ((min(course.curves), "--"), (max(course.curves), "-")):
            curve = course.curves[day][of].mean(axis=0)
            axes.plot(1 + np.arange(len(curve)), curve, style, color=f"C{i}")
        axes.set(title=f"intensity {intensity:g}", xlabel="readouts")
    canvas.axes[0].set_ylabel("reward")


def _needed(canvas: Any, course: Course) -> None:
    axes = canvas.subplots()
    changes = bands_of.compaction(course)
    draw = np.random.default_rng(0)
    for i, intensity, of in _levels(course):
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
