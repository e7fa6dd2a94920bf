"""Runs a manifold experiment: fits the intuitive decoder, perturbs it within or outside the manifold, washes it out.

It works with any population, because it uses counts, cursor and trials only, and exchanges the session's decoder. In a
session in lockstep that declares it as a participant, every decoder is exchanged at the same tick in every run. NumPy,
scikit-learn and most of decoderd are imported when it runs, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from decoderd.trigger import Trigger
from decoderd_client.control import Session
from decoderd_client.plugins import Plugin
from decoderd_plugins.options import TriggerOption, as_list, trigger_text

Count = Annotated[int, Field(ge=1)]
Angle = Annotated[float, Field(ge=0, le=180)]
Range = Annotated[tuple[Angle, Angle], BeforeValidator(as_list)]
Blend = Annotated[float, Field(gt=0, le=1)]


class Config(BaseModel):
    """Options of the manifold experiment."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Annotated[Literal["wmp", "omp"], Field(description="perturb within (wmp) or outside (omp) the manifold")]
    inject_at: Annotated[TriggerOption, Field(description="when the perturbation begins, as trial=81 or day=3")]
    washout_at: Annotated[
        TriggerOption | None, Field(description="when the intuitive decoder comes back; absent: never")
    ] = None
    until: Annotated[
        TriggerOption | None, Field(description="when the experiment ends; absent: at the end of the session")
    ] = None
    out: Annotated[Path, Field(description="folder for tables, the JSON file and the figure")] = Path("manifold")
    calibration_trials: Annotated[
        Count, Field(description="trials under the session's own decoder that the intuitive decoder is fitted to")
    ] = 80
    factors: Annotated[
        Annotated[int, Field(ge=2, le=50)] | Literal["auto"],
        Field(description="dimensions of the manifold, or auto: by cross-validation of a factor analysis"),
    ] = 10
    most_factors: Annotated[int, Field(ge=2, le=50, description="most dimensions that auto tries")] = 15
    method: Annotated[
        Literal["factor_analysis", "pca"],
        Field(description="how factors are found; with a linear decoder always by principal components"),
    ] = "factor_analysis"
    centred: Annotated[
        bool, Field(description="permute a linear decoder about its count_mean; false: about counts of 0")
    ] = True
    intention: Annotated[
        Literal["aimed", "population"],
        Field(
            description="velocities that a Kalman filter is fitted to: straight to the goal (aimed), or those that the "
            "population reports as intended (population)"
        ),
    ] = "aimed"
    approach_s: Annotated[
        float | None,
        Field(gt=0, description="speed of `aimed` is the distance to the goal over this time; absent: decoded speed"),
    ] = None
    order: Annotated[
        Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=2)] | None,
        BeforeValidator(as_list),
        Field(description="the permutation, as 2,0,1: of factors (wmp) or units (omp); absent: it is chosen"),
    ] = None
    listed: Annotated[
        int, Field(ge=2, le=8, description="up to this many factors, all permutations of factors are candidates")
    ] = 7
    candidates: Annotated[
        Count, Field(le=100_000, description="number of random candidates where not all permutations are candidates")
    ] = 10_000
    modulated: Annotated[int | None, Field(ge=2, description="omp: permute only this many most modulated units")] = None
    groups: Annotated[int | None, Field(ge=2, le=100, description="omp: permute whole groups of units, so many")] = None
    direction_change_deg: Annotated[
        Range | None, Field(description="limits of the allowed change of preferred directions, as 20,90")
    ] = None
    angle_deg: Annotated[
        Range | None, Field(description="limits of the smallest principal angle between the two readouts, as 20,90")
    ] = None
    incremental: Annotated[
        Annotated[tuple[Blend, ...], Field(min_length=1)],
        BeforeValidator(as_list),
        Field(description="blends of the two decoders to go through, as 0.4,0.6,0.8,0.9,1"),
    ] = (1.0,)
    stage_trials: Annotated[Count, Field(description="trials of each blend but the last")] = 40
    stage_success: Annotated[
        float | None, Field(gt=0, le=1, description="success rate of a window that ends a blend early")
    ] = None
    window: Annotated[Count, Field(description="trials that are measured together")] = 16
    participant: Annotated[str, Field(description="name of the participant in a session in lockstep")] = "manifold"
    seed: Annotated[int, Field(ge=0, description="seed of the random candidates")] = 0
    publish: Annotated[bool, Field(description="give the measures back to the running session as metrics")] = True

    @model_validator(mode="after")
    def _in_order(self) -> Config:
        given = [
            (name, trigger)
            for name in ("inject_at", "washout_at", "until")
            if (trigger := getattr(self, name)) is not None
        ]
        for (earlier, a), (later, b) in pairwise(given):
            if _not_later(a, b):
                raise ValueError(
                    f"{later} = {trigger_text(b)}: must be later than {earlier} = {trigger_text(a)}",
                )
        if list(self.incremental) != sorted(set(self.incremental)) or self.incremental[-1] != 1:
            raise ValueError(f"incremental = {list(self.incremental)}: must rise, and end with 1")
        for name in ("direction_change_deg", "angle_deg"):
            limits = getattr(self, name)
            if limits is not None and limits[0] > limits[1]:
                raise ValueError(f"{name} = {list(limits)}: the first value must not exceed the second")
        return self


def _not_later(a: Trigger, b: Trigger) -> bool:
    """Whether b certainly comes no later than a. False where only the session can say."""
    if a.tick is not None and b.tick is not None:
        return b.tick <= a.tick
    if a.day is not None and b.day is not None:
        return (b.day, b.trial or 1) <= (a.day, a.trial or 1)
    if a.day is None and b.day is None and a.trial is not None and b.trial is not None:
        return b.trial <= a.trial
    return False


def run(session: Session, config: Config, on_progress: Callable[[str], None]) -> None:
    """Run the experiment in a running session until it is over or `until` is reached."""
    from decoderd_plugins.manifold import runner

    runner.run_live(session, config, on_progress)


def stored(directory: Path, config: Config, on_progress: Callable[[str], None]) -> None:
    """Fit, choose and measure from the recorded session in `directory`; no decoder is exchanged."""
    from decoderd_plugins.manifold import runner

    runner.run_recorded(directory, config, on_progress)


MANIFOLD = Plugin(Config, run, stored)
