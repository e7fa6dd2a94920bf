"""Takes apart the two signals of a bursting population: event rates and burst fractions, and the error in the latter.

It needs the channels events, bursts and time_at_risk. Measures of every few trials are given back to the session as
metrics. NumPy, scikit-learn and most of decoderd are imported when it runs, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from decoderd_client.control import Session
from decoderd_client.plugins import Plugin
from decoderd_plugins.options import as_list

Count = Annotated[int, Field(ge=1)]
DECODER = "decoder"  # as `feedback`: K is the transpose of the session's decoder


class Config(BaseModel):
    """Options of the measurement."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    out: Annotated[Path, Field(description="folder for the tables, the JSON file and the figure")] = Path("demultiplex")
    feedback: Annotated[
        Path | None,
        Field(
            description="the feedback matrix, onto which bursts are projected: decoder (the transpose of the session's "
            "decoder), or an .npz file with K (units x 2) or M2 (2 x units); absent: it is not known"
        ),
    ] = None
    train: Annotated[
        tuple[Count, Count],
        BeforeValidator(as_list),
        Field(description="first and last trial that the regression is fitted to; later trials are held out"),
    ] = (1, 60)
    window: Annotated[Count, Field(description="trials that are measured together")] = 8
    bin_s: Annotated[float, Field(gt=0, le=10, description="bins in time, s, from a trial's start on")] = 0.1
    least_events: Annotated[Count, Field(description="events that a bin needs; others are marked, and left out")] = 20
    threshold_s: Annotated[
        float | None, Field(gt=0, le=1, description="burst threshold, s; absent: that of the protocol")
    ] = None
    refractory_s: Annotated[
        float | None, Field(ge=0, le=1, description="refractory time of events, s; absent: that of the protocol")
    ] = None
    lag_s: Annotated[
        float | None, Field(gt=0, le=1, description="lag of the subject's internal model, s; absent: as the protocol")
    ] = None
    visual_delay_s: Annotated[
        float | None, Field(ge=0, le=1, description="delay of the error that is seen, s; absent: that of the protocol")
    ] = None
    publish: Annotated[bool, Field(description="give the measures back to the running session as metrics")] = True

    @model_validator(mode="after")
    def _in_order(self) -> Config:
        first, last = self.train
        if last < first:
            raise ValueError(f"train = {first},{last}: the first trial must not be after the last")
        return self


def run(session: Session, config: Config, on_progress: Callable[[str], None]) -> None:
    """Measure a running session from its beginning to its end."""
    from decoderd_plugins.demultiplex import runner

    runner.run_live(session, config, on_progress)


def stored(directory: Path, config: Config, on_progress: Callable[[str], None]) -> None:
    """Measure the recorded session in `directory`."""
    from decoderd_plugins.demultiplex import runner

    runner.run_recorded(directory, config, on_progress)


DEMULTIPLEX = Plugin(Config, run, stored)
