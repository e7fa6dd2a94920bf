"""The measures of compaction as a measure of studies (`decoderd study`): of the first and the last day, and of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from decoderd.config import ComponentConfig, Count
from decoderd.recording.reader import Recorded
from decoderd.studies.measures import Measure
from decoderd_plugins.compaction import Config


class CompactionConfig(ComponentConfig):
    """Options as those of the plug-in. There are no intervals: those of a study are over its seeds."""

    kind: Literal["compaction"] = "compaction"
    per_target: Annotated[Count, Field(description="training reaches to each target; a day with fewer is not kept")] = (
        25
    )
    repeats: Annotated[Count, Field(description="random draws of training and test reaches")] = 10
    modes: Annotated[bool, Field(description="also measure the adding curve of principal components")] = True
    factors: Annotated[int, Field(strict=True, ge=1, le=50, description="largest number of factors that is tried")] = 8


def of_session(config: CompactionConfig, recorded: Recorded) -> dict[str, float | Sequence[float]]:
    """`compaction_NAME_first` and `compaction_NAME_last` of the days kept, and as curves `compaction_NAME` of each.

    Raises Unable for a task that does not say how many targets it has.
    """
    from decoderd_plugins.compaction import measures, runner  # scikit-learn, which takes a second

    fields = config.model_dump(exclude={"kind"})
    options = Config(**fields, bootstrap=1, factor_bootstrap=1, permutations=1)
    kept = []
    for plan, days in runner.days_of(recorded, options):
        kept += [found for found in (measures.measure_day(day, plan) for day in days) if found.kept]
    numbers: dict[str, float | Sequence[float]] = {"compaction_days_kept": float(len(kept))}
    for name in kept[0].estimates if kept else ():
        values = [day.estimates[name].value for day in kept if name in day.estimates]
        numbers |= {f"compaction_{name}_first": values[0], f"compaction_{name}_last": values[-1]}
        numbers[f"compaction_{name}"] = values
    return numbers


COMPACTION = Measure(CompactionConfig, of_session=of_session)
