"""Triggers: when a perturbation or updating starts or stops."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from decoderd.config import Config, Count


class Trigger(Config):
    """A time given by a tick of the session, a day, a trial of the session, or (day and trial) a trial of that day.

    Ticks count from 0, days and trials from 1. A trial is reached when it begins.
    """

    tick: Annotated[int, Field(strict=True, ge=0, le=2**53)] | None = None
    day: Count | None = None
    trial: Count | None = None

    @model_validator(mode="after")
    def _some(self) -> Trigger:
        if self.tick is None and self.day is None and self.trial is None:
            raise ValueError("needs tick, day, trial, or day and trial")
        if self.tick is not None and (self.day is not None or self.trial is not None):
            raise ValueError("tick cannot be combined with day or trial")
        return self


def reached(trigger: Trigger, tick: int, day: int, trial: int, day_trial: int) -> bool:
    """Whether the time of a trigger has come.

    `trial` counts the trials begun in the session, `day_trial` those begun this day.
    """
    if trigger.tick is not None:
        return tick >= trigger.tick
    if trigger.day is None:
        return trigger.trial is not None and trial >= trigger.trial
    if day != trigger.day or trigger.trial is None:
        return day >= trigger.day
    return day_trial >= trigger.trial
