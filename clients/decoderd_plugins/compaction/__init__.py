"""Measures compaction, day by day: which units tell the target, how many it takes, and what they share.

Numbers of a day are worked out once the day is over, in a thread of their own, and given back to the session as
metrics. Imports NumPy, scikit-learn and `decoderd.analysis` when it runs, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from decoderd_client.control import Session
from decoderd_client.plugins import Plugin


def _listed(value: Any) -> Any:
    """`0,1,2` as the command line gives it."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return [value] if isinstance(value, int) else value


Index = Annotated[int, Field(ge=0)]
Draws = Annotated[int, Field(ge=1, le=1_000_000)]


class Config(BaseModel):
    """What is measured, and how. The defaults are those of the work that the measures come from, but for `repeats`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    out: Annotated[Path, Field(description="folder for the table, the JSON file and the figure")] = Path("compaction")
    readouts: Annotated[
        Annotated[tuple[Index, ...], Field(min_length=1)] | None,
        BeforeValidator(_listed),
        Field(description="readout units, as 0,1,2; absent: what the session says, or all units"),
    ] = None
    targets: Annotated[int | None, Field(ge=2, description="number of targets; absent: the protocol's")] = None
    outcomes: Annotated[
        Annotated[tuple[str, ...], Field(min_length=1)],
        BeforeValidator(_listed),
        Field(description="outcomes of trials that are used"),
    ] = ("success", "hold_broken")
    bin_s: Annotated[float, Field(gt=0, description="bins of the counts, from the go cue on")] = 0.1
    window_s: Annotated[float, Field(gt=0, description="how long counts are taken")] = 1.8
    per_target: Annotated[
        int, Field(ge=1, description="reaches to each target that train; a day with fewer is not kept")
    ] = 25
    repeats: Annotated[int, Field(ge=1, le=100_000, description="random draws of training and test reaches")] = 10
    nested: Annotated[bool, Field(description="rank units on other reaches than those that score them")] = False
    modes: Annotated[bool, Field(description="adding curve of principal components, too")] = True
    square_root: Annotated[bool, Field(description="participation ratio of the square roots of counts")] = False
    padded: Annotated[
        bool, Field(description="participation ratio and shared variance with the zeros that pad short reaches")
    ] = True
    factors: Annotated[int, Field(ge=1, le=50, description="most factors that are tried")] = 8
    bootstrap: Annotated[Draws, Field(description="draws for intervals")] = 1000
    factor_bootstrap: Annotated[Draws, Field(description="draws for the interval of shared variance")] = 100
    permutations: Annotated[Draws, Field(description="permutations for tests against the first day kept")] = 1000
    seed: Annotated[int, Field(ge=0, description="of all random draws")] = 0
    publish: Annotated[bool, Field(description="give the numbers back to the running session as metrics")] = True


def run(session: Session, config: Config, tell: Callable[[str], None]) -> None:
    """Follow the session from its beginning to its end."""
    from decoderd_plugins.compaction import following

    following.live(session, config, tell)


def stored(directory: Path, config: Config, tell: Callable[[str], None]) -> None:
    """Measure the session that is stored in `directory`."""
    from decoderd_plugins.compaction import following

    following.stored(directory, config, tell)


COMPACTION = Plugin(Config, run, stored)
