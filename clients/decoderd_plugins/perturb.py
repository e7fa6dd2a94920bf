"""Perturbs a running session: on at a trial, at a day or once the subject succeeds often enough; off likewise."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from decoderd_client.control import Session
from decoderd_client.plugins import Plugin

Count = Annotated[int, Field(ge=1)]


class When(BaseModel):
    """A moment: exactly one of trial, day and success rate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trials: Annotated[Count | None, Field(description="once so many trials of the session are over")] = None
    day: Annotated[Count | None, Field(description="when this day begins")] = None
    success_rate: Annotated[float | None, Field(ge=0, le=1, description="once the last `of` trials reach it")] = None
    of: Annotated[Count, Field(description="trials that the success rate is taken over")] = 20

    @model_validator(mode="after")
    def _one(self) -> When:
        if sum(given is not None for given in (self.trials, self.day, self.success_rate)) != 1:
            raise ValueError("give exactly one of trials, day and success_rate")
        return self


class Scheduled(BaseModel):
    """A perturbation, when it comes, and when it goes; without `off` it stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    perturbation: Annotated[dict[str, Any], Field(description="fields of a protocol's [[perturbations]]")]
    on: When
    off: When | None = None

    @model_validator(mode="after")
    def _named(self) -> Scheduled:
        if not isinstance(self.perturbation.get("name"), str):
            raise ValueError("perturbation.name: a perturbation needs a name")
        return self


class Config(BaseModel):
    """What the plug-in is to do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schedule: Annotated[tuple[Scheduled, ...], Field(min_length=1)]


class History:
    """What has happened so far, as far as moments depend on it."""

    def __init__(self, trials: int, day: int) -> None:
        self.trials, self.day = trials, day
        self._outcomes: deque[bool] = deque(maxlen=10_000)

    def hear(self, topic: str, payload: dict[str, Any]) -> None:
        """Take a `trial` or `day` message in."""
        if topic == "trial":
            self.trials = payload["r"]
            self._outcomes.append(payload["x"] == "success")
        elif payload["x"] == "block":
            self.day = payload["d"]

    def forget(self) -> None:
        """Success is counted anew: a perturbation has come or gone."""
        self._outcomes.clear()

    def reached(self, when: When) -> bool:
        """Whether the moment has come."""
        if when.trials is not None:
            return self.trials >= when.trials
        if when.day is not None:
            return self.day >= when.day
        recent = list(self._outcomes)[-when.of :]
        return len(recent) == when.of and sum(recent) >= (when.success_rate or 0.0) * when.of


def run(session: Session, config: Config, tell: Callable[[str], None]) -> None:
    """Follow the session and perturb it until everything scheduled has come and gone, or the session ends."""
    with session.subscribe(["trial", "day"]) as messages:
        description = session.describe()
        history = History(description["trials"], description["day"])
        waiting, on = list(config.schedule), []

        def act() -> None:
            for one in [one for one in waiting if history.reached(one.on)]:
                name = one.perturbation["name"]
                tick = session.perturb(one.perturbation)["tick"]
                tell(f"{name} added at tick {tick}, after {history.trials} trials, on day {history.day}")
                waiting.remove(one)
                on.append(one)
                history.forget()
            for one in [one for one in on if one.off is not None and history.reached(one.off)]:
                name = one.perturbation["name"]
                tick = session.unperturb(name)["tick"]
                tell(f"{name} removed at tick {tick}, after {history.trials} trials, on day {history.day}")
                on.remove(one)
                history.forget()

        act()
        for message in messages:
            history.hear(message.topic, message.payload)
            if messages.over:
                break
            act()
            if not waiting and all(one.off is None for one in on):
                return
        left = [one.perturbation["name"] for one in waiting]
        tell(f"the session is over; never added: {', '.join(left)}" if left else "the session is over")


PERTURB = Plugin(Config, run)
