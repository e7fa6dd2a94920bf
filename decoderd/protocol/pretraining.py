"""Settings of pretraining: a population learns reaches under manual control before the session."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from decoderd.config import ComponentConfig, Config, Count, Metres, Seconds, SecondsOrZero


class Pretraining(Config):
    """Reaches with `effector` to `targets` on a circle, each target once in every update of `plasticity`."""

    effector: ComponentConfig
    plasticity: ComponentConfig
    updates: Count = 5000
    targets: Annotated[int, Field(strict=True, ge=1, le=64)] = 8
    distance_m: Metres = 0.07
    reach_s: Seconds = 1.0
    hold_s: SecondsOrZero = 0.0
    loss_at_most: Annotated[
        float | None,
        Field(strict=True, gt=0, description="mean loss of the last 100 updates above which the session is refused"),
    ] = None
