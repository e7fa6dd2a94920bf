"""Schedules of decoder adaptation: fixed, for some days, every day, or with readouts swapped at night.

All are one recipe with a few fields changed (Rajeswaran, Payeur, Orsborn & Lajoie 2024).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from decoderd.analysis import resampling
from decoderd.arrays import Array
from decoderd.errors import ArrayError
from decoderd.experiments import pretrained
from decoderd.experiments.assistive import experiment
from decoderd.experiments.assistive.experiment import SessionResults
from decoderd.experiments.assistive.variants import PUBLISHED_FIT, variants
from decoderd.experiments.bands import Band
from decoderd.experiments.power import stated
from decoderd.experiments.report import Outcome, Report
from decoderd.html_page import Figure
from decoderd.protocol import protocol as protocols
from decoderd.protocol.protocol import Protocol
from decoderd.studies.processes import Part

FIXED, EVERY_DAY, SWAPS = "fixed", "every day", "every day, readouts swapped"
# The highest of the published intensities, at which effects of adaptation are largest.
INTENSITY = 0.5
SWAPPED = 2


def published(schedule: str) -> str:
    """Name of a schedule whose decoder is fitted as in the published program."""
    return f"{schedule}, {PUBLISHED_FIT}"


def until_day(day: int) -> str:
    """Name of the schedule that adapts up to a day."""
    return f"until day {day}"


def changes(days: int, stop_days: Sequence[int]) -> dict[str, dict[str, Any]]:
    """Fields of the protocol that make each schedule. Readouts are swapped in every third night."""
    daily = {"intensity": INTENSITY}
    return {
        FIXED: {"updater": {"intensity": 0.0}},
        **{until_day(day): {"updater": {**daily, "last_day": day}} for day in stop_days},
        EVERY_DAY: {"updater": daily},
        SWAPS: {"updater": daily, "overnight": {"swap": SWAPPED, "after_days": list(nights(days))}},
    }


def nights(days: int) -> range:
    """Days after whose night readouts are swapped."""
    return range(3, days, 3)


def changed(recipe: Protocol, schedule: Mapping[str, Any]) -> Protocol:
    """The recipe with the fields of a schedule."""
    data = recipe.model_dump(mode="json", exclude_unset=True)
    for field, values in schedule.items():
        data[field] = {**data.get(field, {}), **values}
    return protocols.parse(data)


def schedules(
    name: str, seeds: int, jobs: int, stop_days: Sequence[int], on_progress: Callable[[int, int], None]
) -> Outcome:
    """Run the recipe of this name on all schedules, for the seeds of 1..`seeds` that learned to reach.

    `found` of the outcome are SessionResults by schedule.
    """
    recipe = pretrained.load_recipe(name)
    of = {schedule: changed(recipe, fields) for schedule, fields in changes(recipe.schedule.days, stop_days).items()}
    if PUBLISHED_FIT in variants(recipe):
        of |= {published(schedule): variants(of[schedule])[PUBLISHED_FIT] for schedule in (FIXED, EVERY_DAY)}

    def parts(trained: Mapping[str, pretrained.SeedGroups]) -> list[Part]:
        each = [(protocol, intensity(protocol)) for protocol in of.values()]
        return [Part(experiment.run_sessions, (p, group, (x,), ())) for p, x in each for group in trained[name]]

    finished = pretrained.run({name: recipe}, seeds, parts, jobs, on_progress)
    cut = len(finished.trained[name])
    by_schedule = {
        schedule: experiment.concatenate(finished.results[i * cut : (i + 1) * cut]) for i, schedule in enumerate(of)
    }
    report = Report(
        title="When a decoder is adapted",
        summary=(
            "A recurrent network learns brain control over days while its decoder is fixed, adapted at the start of "
            "the first days, adapted at the start of every day, or adapted every day with readouts swapped in every "
            "third night (after Rajeswaran, Payeur, Orsborn & Lajoie 2024)."
        ),
        bands=bands(by_schedule),
        figures=[
            Figure("Loss", "Mean loss of a day, median over seeds.", lambda c: _losses(c, by_schedule)),
            Figure(
                "Dimensionality of the readouts",
                "PR_norm of standardised counts in bins of 0.1 s, mean over seeds; dotted: nights with a swap.",
                lambda c: _participation(c, by_schedule),
            ),
        ],
        settings={
            "recipe": recipe.name,
            "intensity": INTENSITY,
            **finished.settings_of(name),
            **{
                f"loss of the last day, {schedule}": _spread(last(results)) for schedule, results in by_schedule.items()
            },
            **{f"PR_norm a day, {schedule}": _spread(slopes(results)) for schedule, results in by_schedule.items()},
            "change of PR_norm over a night with a swap": _spread(over_nights(by_schedule, True)),
            "over the same night without": _spread(over_nights(by_schedule, False)),
            "loss of the last day, every day over fixed": _spread(np.exp(cost(by_schedule))),
            "processes": jobs,
        },
        wall_s=finished.wall_s,
    )
    return Outcome(report, by_schedule, {"pretraining_s": finished.pretraining_s})


def intensity(protocol: Protocol) -> float:
    """Intensity of the protocol's updater."""
    updater: Any = protocol.updater
    return float(updater.intensity)


def last(results: SessionResults) -> Array:
    """Mean loss (S,) of the last day."""
    return results.losses[:, -1].mean(axis=1)


def slopes(results: SessionResults) -> Array:
    """Change (S,) of the readouts' PR_norm for each day, by least squares."""
    days = np.arange(results.participation.shape[1])
    return np.polyfit(days, results.participation.T, 1)[0]


def over_nights(by_schedule: Mapping[str, SessionResults], swapped: bool) -> Array:
    """Changes of PR_norm over the nights with a swap, of all seeds, in schedule SWAPS; or in EVERY_DAY."""
    results = by_schedule[SWAPS if swapped else EVERY_DAY]
    after = np.array(nights(results.participation.shape[1]))
    return (results.participation[:, after] - results.participation[:, after - 1]).ravel()


def bands(by_schedule: Mapping[str, SessionResults]) -> list[Band]:
    """Bands of all schedules.

    Published: the readouts' PR_norm does not fall under adaptation and falls with a fixed decoder; swaps raise it
    (p = 0.0039, 9 events), new weights alone do not (p = 0.16, 16 events, one-sided). The authors expect a cost of
    adaptation that never stops, because the intended velocity points to the target and does not stop there. Their
    program has none on the last day (13 individuals), and has it with A and W fitted to all pairs of bins (10).
    """
    daily, fixed = (slopes(by_schedule[name]) for name in (EVERY_DAY, FIXED))
    swapped, without = (over_nights(by_schedule, one) for one in (True, False))
    found = [
        stated(Band("PR_norm a day, every day", _median(daily), -0.01, np.inf), _median, daily),
        stated(Band("PR_norm a day, fixed", _median(fixed), -np.inf, 0.0), _median, fixed),
        _tested("p that swaps do not raise PR_norm", swapped, True, 9),
        _tested("p that new weights alone do not raise it", without, False, 16),
    ]
    never = last(by_schedule[EVERY_DAY])
    for name, results in by_schedule.items():
        if name not in (FIXED, EVERY_DAY, SWAPS, published(FIXED), published(EVERY_DAY)):
            band = Band(f"loss of the last day, {name} over every day", _ratio(last(results), never), 0.0, 1.0)
            found.append(stated(band, _ratio, last(results), never, ends=(-np.inf, 1.0)))
    found.append(_tested("p that adaptation every day does not raise the last loss", cost(by_schedule), True, 10))
    if published(FIXED) in by_schedule:
        name = f"p that it does not, {PUBLISHED_FIT}"
        found.append(_tested(name, cost(by_schedule, published), False, 13))
    return found


def cost(by_schedule: Mapping[str, SessionResults], variant: Callable[[str], str] = str) -> Array:
    """Log ratio (S,) of the last day's loss, adapted every day over fixed."""
    daily, fixed = (last(by_schedule[variant(name)]) for name in (EVERY_DAY, FIXED))
    return np.asarray(np.log(daily / fixed))


def _tested(name: str, changes: Array, expected: bool, original: int) -> Band:
    """A band of the p that changes are not above 0: below 0.05 if a rise is expected."""
    band = Band(name, _raised(changes), *((0.0, 0.05) if expected else (0.05, 1.0)))
    return stated(band, _median, changes, original=original, ends=(0.0, np.inf))


def _median(values: Array) -> float:
    return float(np.median(values))


def _ratio(one: Array, other: Array) -> float:
    return float(np.median(one) / np.median(other))


def _raised(changes: Array) -> float:
    try:
        return float(resampling.wilcoxon(changes, "greater").p)
    except ArrayError:  # all changes are 0
        return 1.0


def _spread(values: Array) -> str:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.4g} ({low:.4g} to {high:.4g})"


def _losses(canvas: Any, by_schedule: Mapping[str, SessionResults]) -> None:
    axes = canvas.subplots()
    for i, (name, results) in enumerate(by_schedule.items()):
        daily = np.median(results.losses.mean(axis=2), axis=0)
        axes.semilogy(1 + np.arange(len(daily)), daily, "o-", color=f"C{i}", markersize=3, label=name)
    axes.set(xlabel="day", ylabel="loss")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def _participation(canvas: Any, by_schedule: Mapping[str, SessionResults]) -> None:
    axes = canvas.subplots()
    for i, (name, results) in enumerate(by_schedule.items()):
        mean = results.participation.mean(axis=0)
        axes.plot(1 + np.arange(len(mean)), mean, "o-", color=f"C{i}", markersize=3, label=name)
        if name == SWAPS:
            for night in nights(len(mean)):
                axes.axvline(night + 0.5, color="#888", linestyle=":", linewidth=0.8)
    axes.set(xlabel="day", ylabel="PR_norm")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
