"""Runs a manifold experiment: fits the intuitive decoder, perturbs it within or outside the manifold, washes it out.

Nothing in it knows the population: it hears counts, cursor and trials, and exchanges the decoder. In a session in
lockstep that declares it as a participant everything happens at the same tick in every run. Imports NumPy,
scikit-learn and what it needs of decoderd when it runs, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from decoderd_client.control import Session
from decoderd_client.plugins import Plugin

Count = Annotated[int, Field(ge=1)]


class TimeIndex(BaseModel):
    """The beginning of a trial of the session, or of a day; written trial:81 or day:3."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: Literal["trial", "day"]
    number: Count

    def __str__(self) -> str:
        return f"{self.unit}:{self.number}"

    def reached(self, trials: int, day: int) -> bool:
        """Whether it has come, so many trials of the session being over, on this day."""
        return trials >= self.number - 1 if self.unit == "trial" else day >= self.number


def _moment(value: Any) -> Any:
    if isinstance(value, str):
        unit, _, number = value.partition(":")
        if unit not in ("trial", "day") or not number.isdecimal() or not int(number):
            raise ValueError(f"{value!r} is no moment; right are trial:81, day:3")
        return {"unit": unit, "number": int(number)}
    return value


def _listed(value: Any) -> Any:
    """`0,1,2` as the command line gives it."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return [value] if isinstance(value, int | float) else value


When = Annotated[TimeIndex, BeforeValidator(_moment)]
Range = Annotated[
    tuple[Annotated[float, Field(ge=0, le=180)], Annotated[float, Field(ge=0, le=180)]], BeforeValidator(_listed)
]
Part = Annotated[float, Field(gt=0, le=1)]


class Config(BaseModel):
    """What is done, and when."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Annotated[Literal["wmp", "omp"], Field(description="perturb within (wmp) or outside (omp) the manifold")]
    inject_at: Annotated[When, Field(description="first perturbed trial or day, as trial:81 or day:3")]
    washout_at: Annotated[When | None, Field(description="first trial or day without it; absent: it stays")] = None
    until: Annotated[When | None, Field(description="first trial or day not measured; absent: to the end")] = None
    out: Annotated[Path, Field(description="folder for tables, the JSON file and the figure")] = Path("manifold")
    calibration_trials: Annotated[Count, Field(description="trials under the session's own decoder, to fit to")] = 80
    factors: Annotated[
        Annotated[int, Field(ge=2, le=50)] | Literal["auto"],
        Field(description="dimensions of the manifold, or auto: by cross-validation of a factor analysis"),
    ] = 10
    most_factors: Annotated[int, Field(ge=2, le=50, description="most that auto tries")] = 15
    method: Annotated[
        Literal["factor_analysis", "pca"],
        Field(description="how factors are found; a linear decoder has principal components always"),
    ] = "factor_analysis"
    centred: Annotated[
        bool, Field(description="a linear decoder is permuted about its count_mean; false: about counts of 0")
    ] = True
    intention: Annotated[
        Literal["aimed", "told"],
        Field(description="velocities that a filter is fitted to: straight to the goal, or as the population tells"),
    ] = "aimed"
    approach_s: Annotated[
        float | None, Field(gt=0, description="aimed speed is the distance to the goal over this; absent: as decoded")
    ] = None
    order: Annotated[
        Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=2)] | None,
        BeforeValidator(_listed),
        Field(description="the permutation itself, as 2,0,1: of factors (wmp) or units (omp); absent: it is chosen"),
    ] = None
    listed: Annotated[int, Field(ge=2, le=8, description="up to so many factors, all permutations are candidates")] = 7
    candidates: Annotated[Count, Field(le=100_000, description="random candidates where not all are listed")] = 10_000
    modulated: Annotated[int | None, Field(ge=2, description="omp among so many units, the most modulated")] = None
    groups: Annotated[int | None, Field(ge=2, le=100, description="omp of whole groups of units, so many")] = None
    direction_change_deg: Annotated[
        Range | None, Field(description="limits, as 20,90, of the change of preferred directions that is asked for")
    ] = None
    angle_deg: Annotated[
        Range | None, Field(description="limits of the smallest angle between what is read now and before")
    ] = None
    incremental: Annotated[
        Annotated[tuple[Part, ...], Field(min_length=1)],
        BeforeValidator(_listed),
        Field(description="blends of the two decoders to go through, as 0.4,0.6,0.8,0.9,1"),
    ] = (1.0,)
    stage_trials: Annotated[Count, Field(description="trials of a blend, but for the last")] = 40
    stage_success: Annotated[
        float | None, Field(gt=0, le=1, description="go on earlier, once a window of trials succeeds so often")
    ] = None
    window: Annotated[Count, Field(description="trials that are measured together")] = 16
    participant: Annotated[str, Field(description="its name, where a session in lockstep waits for it")] = "manifold"
    seed: Annotated[int, Field(ge=0, description="of random candidates")] = 0
    publish: Annotated[bool, Field(description="give the numbers back to the running session as metrics")] = True

    @model_validator(mode="after")
    def _in_order(self) -> Config:
        moments = [
            (name, moment)
            for name in ("inject_at", "washout_at", "until")
            if (moment := getattr(self, name)) is not None
        ]
        for (earlier, a), (later, b) in pairwise(moments):
            if a.unit == b.unit and a.number >= b.number:
                raise ValueError(f"{later} = {b}: must be later than {earlier} = {a}")
        if list(self.incremental) != sorted(set(self.incremental)) or self.incremental[-1] != 1:
            raise ValueError(f"incremental = {list(self.incremental)}: must rise, and end with 1")
        for name in ("direction_change_deg", "angle_deg"):
            limits = getattr(self, name)
            if limits is not None and limits[0] > limits[1]:
                raise ValueError(f"{name} = {list(limits)}: the first value must not exceed the second")
        return self


def run(session: Session, config: Config, tell: Callable[[str], None]) -> None:
    """Follow the session until it is over, or `until` has come."""
    from decoderd_plugins.manifold import following

    following.live(session, config, tell)


def stored(directory: Path, config: Config, tell: Callable[[str], None]) -> None:
    """Fit, choose and measure as beside the session that is stored in `directory`; nothing is exchanged."""
    from decoderd_plugins.manifold import following

    following.stored(directory, config, tell)


MANIFOLD = Plugin(Config, run, stored)
