"""Measures compaction day by day: how well units predict the target, how many are needed, what variance they share.

Measures of a day are computed once the day is over, in a thread of their own, and given back to the session as metrics.
NumPy, scikit-learn and `decoderd.analysis` are imported when it runs, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from decoderd_client.control import Session
from decoderd_client.plugins import Plugin
from decoderd_plugins.options import as_list

Index = Annotated[int, Field(ge=0)]
Draws = Annotated[int, Field(ge=1, le=1_000_000)]


class Config(BaseModel):
    """Options of the measurement. Defaults are those of the work that the measures come from, except `repeats`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    out: Annotated[Path, Field(description="folder for the table, the JSON file and the figure")] = Path("compaction")
    readouts: Annotated[
        Annotated[tuple[Index, ...], Field(min_length=1)] | None,
        BeforeValidator(as_list),
        Field(description="readout units, as 0,1,2; absent: those of the session, or all units"),
    ] = None
    targets: Annotated[int | None, Field(ge=2, description="number of targets; absent: that of the protocol")] = None
    outcomes: Annotated[
        Annotated[tuple[str, ...], Field(min_length=1)],
        BeforeValidator(as_list),
        Field(description="outcomes of trials that are used"),
    ] = ("success", "hold_broken")
    bin_s: Annotated[float, Field(gt=0, description="bin of the counts, s, from the go cue on")] = 0.1
    window_s: Annotated[float, Field(gt=0, description="time after the go cue in which counts are taken, s")] = 1.8
    per_target: Annotated[
        int, Field(ge=1, description="training reaches to each target; a day with fewer is not kept")
    ] = 25
    repeats: Annotated[int, Field(ge=1, le=100_000, description="random draws of training and test reaches")] = 10
    nested: Annotated[bool, Field(description="rank units on other reaches than those that score them")] = False
    modes: Annotated[bool, Field(description="also measure the adding curve of principal components")] = True
    square_root: Annotated[bool, Field(description="participation ratio of the square roots of counts")] = False
    padded: Annotated[
        bool, Field(description="participation ratio and shared variance with the zeros that pad short reaches")
    ] = True
    factors: Annotated[int, Field(ge=1, le=50, description="largest number of factors that is tried")] = 8
    bootstrap: Annotated[Draws, Field(description="draws for intervals")] = 1000
    factor_bootstrap: Annotated[Draws, Field(description="draws for the interval of shared variance")] = 100
    permutations: Annotated[Draws, Field(description="permutations for tests against the first day kept")] = 1000
    seed: Annotated[int, Field(ge=0, description="seed of all random draws")] = 0
    publish: Annotated[bool, Field(description="give the measures back to the running session as metrics")] = True


def run(session: Session, config: Config, on_progress: Callable[[str], None]) -> None:
    """Measure a running session from its beginning to its end."""
    from decoderd_plugins.compaction import runner

    runner.run_live(session, config, on_progress)


def stored(directory: Path, config: Config, on_progress: Callable[[str], None]) -> None:
    """Measure the recorded session in `directory`."""
    from decoderd_plugins.compaction import runner

    runner.run_recorded(directory, config, on_progress)


COMPACTION = Plugin(Config, run, stored)
