"""Perturbs a running session by plan: on and off at a tick, a day, a trial, or once a success rate is reached."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from decoderd.trigger import Trigger
from decoderd.wire.message import Message
from decoderd.wire.messages import Trial
from decoderd_client.control import Session
from decoderd_client.plugins import Plugin
from decoderd_plugins.options import as_fields
from decoderd_plugins.progress import SessionProgress, progress_of


class SuccessRate(BaseModel):
    """A success rate over the last trials, as a condition for a change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    success_rate: Annotated[float, Field(ge=0, le=1, description="fraction of the last `of` trials that succeeded")]
    of: Annotated[int, Field(ge=1, description="trials that the success rate is taken over")] = 20


def _new_spelling(value: Any) -> Any:
    value = as_fields(value)
    if isinstance(value, dict) and isinstance(value.get("trials"), int):
        raise ValueError(f"trials = {value['trials']} is an old spelling: write trial = {value['trials'] + 1}")
    return value


def _form(value: Any) -> str:
    given = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    return "success rate" if {"success_rate", "of"} & set(given) else "trigger"


When = Annotated[
    Annotated[Trigger, Tag("trigger")] | Annotated[SuccessRate, Tag("success rate")],
    Discriminator(_form),
    BeforeValidator(_new_spelling),
]


class PlannedPerturbation(BaseModel):
    """A perturbation, when it is added and when it is removed; without `off` it stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    perturbation: Annotated[dict[str, Any], Field(description="fields of a protocol's [[perturbations]]")]
    on: When
    off: When | None = None

    @model_validator(mode="after")
    def _has_name(self) -> PlannedPerturbation:
        if not isinstance(self.perturbation.get("name"), str):
            raise ValueError("perturbation.name: a perturbation needs a name")
        return self

    @property
    def name(self) -> str:
        """Name of the perturbation."""
        return str(self.perturbation["name"])


class Config(BaseModel):
    """The plan: perturbations with the times at which they are added and removed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schedule: Annotated[tuple[PlannedPerturbation, ...], Field(min_length=1)]


class Conditions:
    """Decides whether a trigger or a success rate is reached, from the session's messages.

    The success rate counts trials since the plug-in began, or since a perturbation was last added or removed.
    """

    def __init__(self, progress: SessionProgress) -> None:
        self.progress = progress
        self._successes: deque[bool] = deque(maxlen=10_000)

    def receive(self, message: Message) -> None:
        """Take in a message of the topics tick, trial or day."""
        self.progress.receive(message)
        if isinstance(message, Trial):
            self._successes.append(message.outcome == "success")

    def restart_success_rate(self) -> None:
        """Count successes from here on only."""
        self._successes.clear()

    def reached(self, when: Trigger | SuccessRate) -> bool:
        """Whether the trigger is due, or the success rate is reached."""
        if isinstance(when, Trigger):
            return self.progress.reached(when)
        recent = list(self._successes)[-when.of :]
        return len(recent) == when.of and sum(recent) >= when.success_rate * when.of


class PlanRunner:
    """Adds and removes the perturbations of a plan in a session, each once."""

    def __init__(self, session: Session, config: Config, on_progress: Callable[[str], None]) -> None:
        self._session, self._on_progress = session, on_progress
        self._waiting, self._on = list(config.schedule), list[PlannedPerturbation]()
        triggers = [when for when in _all(config) if isinstance(when, Trigger)]
        self.conditions = Conditions(progress_of(session, triggers))

    def act(self) -> None:
        """Add and remove what is due."""
        for planned in [planned for planned in self._waiting if self.conditions.reached(planned.on)]:
            self._report(planned, "added", self._session.perturb(planned.perturbation)["tick"])
            self._waiting.remove(planned)
            self._on.append(planned)
        for planned in [one for one in self._on if one.off is not None and self.conditions.reached(one.off)]:
            self._report(planned, "removed", self._session.unperturb(planned.name)["tick"])
            self._on.remove(planned)

    def _report(self, planned: PlannedPerturbation, change: str, tick: int) -> None:
        progress = self.conditions.progress
        where = f"at tick {tick}, after {progress.trials} trials, on day {progress.day}"
        self._on_progress(f"{planned.name} {change} {where}")
        self.conditions.restart_success_rate()

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be added or removed."""
        return not self._waiting and all(planned.off is None for planned in self._on)

    @property
    def never_added(self) -> list[str]:
        """Names of the perturbations that have not been added."""
        return [planned.name for planned in self._waiting]


def run(session: Session, config: Config, on_progress: Callable[[str], None]) -> None:
    """Follow the session and perturb it until the plan is complete or the session ends."""
    at_tick = any(isinstance(when, Trigger) and when.tick is not None for when in _all(config))
    with session.subscribe(["trial", "day", *(["tick"] if at_tick else [])]) as messages:
        runner = PlanRunner(session, config, on_progress)
        runner.act()
        for message in messages:
            runner.conditions.receive(message)
            if messages.over:
                break
            runner.act()
            if runner.complete:
                return
        left = runner.never_added
        on_progress(f"the session is over; never added: {', '.join(left)}" if left else "the session is over")


def _all(config: Config) -> list[Trigger | SuccessRate]:
    return [when for planned in config.schedule for when in (planned.on, planned.off) if when is not None]


PERTURB = Plugin(Config, run)
