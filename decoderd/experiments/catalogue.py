"""The experiments of `decoderd reproduce`, in one table: the commands, their help and the documentation come from it.

`python -m decoderd.experiments.catalogue` prints the table of docs/index.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from decoderd.experiments.bias import parts as bias
from decoderd.experiments.bursts import parts as bursts
from decoderd.experiments.parts import Part, Request

if TYPE_CHECKING:
    from decoderd.experiments.report import Outcome


class Settings(NamedTuple):
    """What every experiment is run with."""

    seeds: Any  # int, 1 to `seeds`; None where each part has its own number and none was asked for
    jobs: int  # processes
    on_progress: Callable[[int, int], None]  # called with the parts done, and of how many


class Option(NamedTuple):
    """An option of one experiment beside --seeds, --jobs, --out and --json."""

    name: str  # of the keyword of `Experiment.run`; the command line writes - for _
    # A flag; a number of at least 1; such numbers, the option given once for each; or None: one of `choices`, without
    # them a folder.
    default: bool | int | list[int] | None
    help: str
    choices: tuple[str, ...] = ()


class Experiment(NamedTuple):
    """A published result that can be made again."""

    name: str
    reproduces: str  # what it makes again, and whose work it is
    seeds: int | None  # by default; None: each part has its own
    run: Callable[..., Outcome]  # run(settings, **options); imports what it needs when called
    options: tuple[Option, ...] = ()


def _manifold(settings: Settings) -> Outcome:
    from decoderd.experiments.manifold import report

    return report.manifolds(*settings)


def _recurrent(settings: Settings) -> Outcome:
    from decoderd.experiments.manifold import recurrent

    return recurrent.recurrent(*settings)


def _assistive(settings: Settings, full: bool, published: bool, repeats: int) -> Outcome:
    from decoderd.experiments.assistive import report

    recipe = "assistive-published" if published else _recipe(full)
    return report.assistance(recipe, *settings, repeats)


def _schedules(settings: Settings, full: bool, stop_day: list[int]) -> Outcome:
    from decoderd.experiments.assistive import schedules

    return schedules.schedules(_recipe(full), settings.seeds, settings.jobs, stop_day, settings.on_progress)


def _bias(settings: Settings, part: str | None) -> Outcome:
    return bias.biases(Request(*settings, part))


def _bursts(settings: Settings, part: str | None, full: Path | None) -> Outcome:
    return bursts.bursts(Request(*settings, part, full))


def _recipe(full: bool) -> str:
    return "assistive" if full else "assistive-fast"


def _one_of(parts: Sequence[Part]) -> Option:
    described = " ".join(f"{part.name}: {part.reproduces}" for part in parts)
    return Option("part", None, f"One part, by default all. {described}", tuple(part.name for part in parts))


_FULL = Option("full", False, "The full recipe: 25 days of REINFORCE, a two-link arm.")

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "manifold",
        "Within- and outside-manifold perturbations of a static network (Payeur, Orsborn & Lajoie 2023).",
        20,
        _manifold,
    ),
    Experiment(
        "recurrent",
        "Within- and outside-manifold perturbations of a recurrent network, lazy and rich.",
        10,
        _recurrent,
    ),
    Experiment(
        "assistive",
        "Learning over days beside an adapting decoder (Rajeswaran, Payeur, Orsborn & Lajoie 2024).",
        8,
        _assistive,
        (
            _FULL,
            Option(
                "published",
                False,
                "The full recipe, pretrained by REINFORCE as published: an hour on two cores for every four seeds.",
            ),
            Option("repeats", 1, "Evaluations of every set of readouts, the reward is their median; Fig. 5E-F has 1."),
        ),
    ),
    Experiment(
        "schedules",
        "Decoders that are fixed, adapted until a day, every day, or with readouts swapped "
        "(Rajeswaran, Payeur, Orsborn & Lajoie 2024).",
        4,
        _schedules,
        (
            _FULL,
            Option("stop_day", [1, 5], "Last day of adaptation of a schedule; may be given several times."),
        ),
    ),
    Experiment(
        "bias", "Learning by biases alone, in parts (Williams et al. 2025).", None, _bias, (_one_of(bias.PARTS),)
    ),
    Experiment(
        "bursts",
        "The burst code and burst-dependent plasticity, in parts (Payeur, Guerguiev, Zenke, Richards & Naud 2021; "
        "Naud et al. 2022).",
        None,
        _bursts,
        (
            _one_of(bursts.PARTS),
            Option(
                "full",
                None,
                "Run parts that have a full form of hours in full, and keep their state in this folder: the same "
                "command goes on where it stopped.",
            ),
        ),
    ),
)


def markdown() -> str:
    """The table as Markdown, as docs/index.md holds it."""
    rows = ["| `decoderd reproduce` | What is reproduced | Seeds | Options |", "|---|---|---|---|"]
    for one in EXPERIMENTS:
        options = ", ".join(f"`{flag(option)}`" for option in one.options)
        rows.append(f"| `{one.name}` | {one.reproduces} | {one.seeds or 'of each part'} | {options} |")
    return "\n".join(rows) + "\n"


def flag(option: Option) -> str:
    """How the command line writes an option."""
    return "--" + option.name.replace("_", "-")


if __name__ == "__main__":
    print(markdown(), end="")
