"""When a decoder is adapted, and what of it is changed: fixed, for some days, every day, with readouts swapped at night
(Rajeswaran, Payeur, Orsborn & Lajoie 2024). One recipe, and what each schedule changes in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from decoderd.analysis import resampling
from decoderd.arrays import Array
from decoderd.errors import ArrayError
from decoderd.experiments import pretrained
from decoderd.experiments.assistive import experiment
from decoderd.experiments.assistive.experiment import Course
from decoderd.experiments.bands import Band
from decoderd.experiments.pool import Part
from decoderd.experiments.report import Figure, Outcome, Report
from decoderd.protocol import protocol as protocols
from decoderd.protocol.protocol import Protocol

FIXED, EVERY_DAY, SWAPS = "fixed", "every day", "every day, readouts swapped"
# The highest of the published intensities: what is to be seen of adaptation is to be seen with it.
INTENSITY = 0.5
SWAPPED = 2


def stops(day: int) -> str:
    """The name of a schedule."""
    return f"until day {day}"


def changes(days: int, stop_days: Sequence[int]) -> dict[str, dict[str, Any]]:
    """By schedule, the fields of the protocol that make it. Readouts are swapped in every third night."""
    daily = {"intensity": INTENSITY}
    return {
        FIXED: {"updater": {"intensity": 0.0}},
        **{stops(day): {"updater": {**daily, "last_day": day}} for day in stop_days},
        EVERY_DAY: {"updater": daily},
        SWAPS: {"updater": daily, "overnight": {"swap": SWAPPED, "after_days": list(nights(days))}},
    }


def nights(days: int) -> range:
    """Days that a night with swapped readouts follows."""
    return range(3, days, 3)


def changed(recipe: Protocol, schedule: Mapping[str, Any]) -> Protocol:
    """The recipe on a schedule."""
    data = recipe.model_dump(mode="json", exclude_unset=True)
    for field, values in schedule.items():
        data[field] = {**data.get(field, {}), **values}
    return protocols.parse(data)


def schedules(
    name: str, seeds: int, jobs: int, stop_days: Sequence[int], advance: Callable[[int, int], None]
) -> Outcome:
    """Run the recipe of this name on all schedules, for the seeds of 1..`seeds` that learned to reach.

    Found are courses by schedule.
    """
    recipe = pretrained.shipped(name)
    of = {schedule: changed(recipe, fields) for schedule, fields in changes(recipe.schedule.days, stop_days).items()}

    def parts(able: Mapping[str, pretrained.Groups]) -> list[Part]:
        each = [(protocol, intensity(protocol)) for protocol in of.values()]
        return [Part(experiment.sessions, (p, group, (x,), ())) for p, x in each for group in able[name]]

    ran = pretrained.run({name: recipe}, seeds, parts, jobs, advance)
    cut = len(ran.able[name])
    courses = {schedule: experiment.together(ran.results[i * cut : (i + 1) * cut]) for i, schedule in enumerate(of)}
    report = Report(
        title="When a decoder is adapted",
        summary=(
            "A recurrent network learns brain control over days while its decoder is left as it is, adapted in the "
            "mornings of the first days, adapted every morning, or adapted every morning and given other readouts in "
            "every third night (after Rajeswaran, Payeur, Orsborn & Lajoie 2024)."
        ),
        bands=bands(courses),
        figures=[
            Figure("Loss", "Mean loss of a day, median over seeds.", lambda c: _losses(c, courses)),
            Figure(
                "Dimensionality of the readouts",
                "PR_norm of standardised counts in bins of 0.1 s, mean over seeds; dotted: nights with a swap.",
                lambda c: _participation(c, courses),
            ),
        ],
        settings={
            "recipe": recipe.name,
            "intensity": INTENSITY,
            **ran.told(name),
            **{f"loss of the last day, {schedule}": _spread(last(course)) for schedule, course in courses.items()},
            **{f"PR_norm a day, {schedule}": _spread(slopes(course)) for schedule, course in courses.items()},
            "change of PR_norm over a night with a swap": _spread(over_nights(courses, True)),
            "over the same night without": _spread(over_nights(courses, False)),
            "processes": jobs,
        },
        wall_s=ran.wall_s,
    )
    return Outcome(report, courses, {"pretraining_s": ran.pretraining_s})


def intensity(protocol: Protocol) -> float:
    """Of its updater."""
    updater: Any = protocol.updater
    return float(updater.intensity)


def last(course: Course) -> Array:
    """(S,) mean loss of the last day."""
    return course.losses[:, -1].mean(axis=1)


def slopes(course: Course) -> Array:
    """(S,) change of the readouts' PR_norm a day, by least squares."""
    days = np.arange(course.participation.shape[1])
    return np.polyfit(days, course.participation.T, 1)[0]


def over_nights(courses: Mapping[str, Course], swapped: bool) -> Array:
    """Changes of PR_norm over the nights of SWAPS, of all seeds; or over the same nights in EVERY_DAY."""
    course = courses[SWAPS if swapped else EVERY_DAY]
    after = np.array(nights(course.participation.shape[1]))
    return (course.participation[:, after] - course.participation[:, after - 1]).ravel()


def bands(courses: Mapping[str, Course]) -> list[Band]:
    """Published: under adaptation the readouts' PR_norm does not fall, under a fixed decoder it does; swaps raise it
    (p = 0.0039), new weights alone do not (p = 0.16, one-sided). The authors expect that adaptation which never stops
    costs something in the end, because a velocity that points to the target is not one that stops at it."""
    found = [
        Band("PR_norm a day, every day", float(np.median(slopes(courses[EVERY_DAY]))), -0.01, np.inf),
        Band("PR_norm a day, fixed", float(np.median(slopes(courses[FIXED]))), -np.inf, 0.0),
        Band("p that swaps do not raise PR_norm", _raised(over_nights(courses, True)), 0.0, 0.05),
        Band("p that new weights alone do not raise it", _raised(over_nights(courses, False)), 0.05, 1.0),
    ]
    never = np.median(last(courses[EVERY_DAY]))
    for name, course in courses.items():
        if name not in (FIXED, EVERY_DAY, SWAPS):
            ratio = float(np.median(last(course)) / never)
            found.append(Band(f"loss of the last day, {name} over every day", ratio, 0.0, 1.0))
    return found


def _raised(changes: Array) -> float:
    try:
        return float(resampling.wilcoxon(changes, "greater").p)
    except ArrayError:  # nothing changed
        return 1.0


def _spread(values: Array) -> str:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.4g} ({low:.4g} to {high:.4g})"


def _losses(canvas: Any, courses: Mapping[str, Course]) -> None:
    axes = canvas.subplots()
    for i, (name, course) in enumerate(courses.items()):
        daily = np.median(course.losses.mean(axis=2), axis=0)
        axes.semilogy(1 + np.arange(len(daily)), daily, "o-", color=f"C{i}", markersize=3, label=name)
    axes.set(xlabel="day", ylabel="loss")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def _participation(canvas: Any, courses: Mapping[str, Course]) -> None:
    axes = canvas.subplots()
    for i, (name, course) in enumerate(courses.items()):
        mean = course.participation.mean(axis=0)
        axes.plot(1 + np.arange(len(mean)), mean, "o-", color=f"C{i}", markersize=3, label=name)
        if name == SWAPS:
            for night in nights(len(mean)):
                axes.axvline(night + 0.5, color="#888", linestyle=":", linewidth=0.8)
    axes.set(xlabel="day", ylabel="PR_norm")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
