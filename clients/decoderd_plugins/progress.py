"""Tick, day and trial that a session has reached, as far as its messages say: when triggers are due."""

from __future__ import annotations

from collections.abc import Iterable

from decoderd.trigger import Trigger, reached
from decoderd.wire.message import Message
from decoderd.wire.messages import Day, Trial
from decoderd_client.control import Session


class SessionProgress:
    """Where a session stands.

    A trial begins with the tick after the one before it ended, so the trial that has begun is always that after the
    last one that ended.

    Attributes:
        tick: the next tick to be run, from 0.
        day: the day that has begun, from 1.
        trials: trials of the session that are over.
        trials_before_day: how many of these belong to days that are over.
    """

    def __init__(self, tick: int = 0, day: int = 1, trials: int = 0, trials_before_day: int = 0) -> None:
        self.tick, self.day, self.trials, self.trials_before_day = tick, day, trials, trials_before_day

    def receive(self, message: Message) -> None:
        """Take in a message. Topics other than trial and day change nothing but the tick."""
        self.tick = max(self.tick, message.tick + 1)
        if isinstance(message, Trial):
            self.trials = max(self.trials, message.trial)
        elif isinstance(message, Day) and message.event == "end":
            self.trials_before_day += message.trials
        elif isinstance(message, Day):
            self.day = max(self.day, message.day)

    def reached(self, trigger: Trigger, more_trials: int = 0) -> bool:
        """Whether the trigger is due, or would be after `more_trials` more trials of this day."""
        begun = self.trials + more_trials + 1
        return reached(trigger, self.tick, self.day, begun, begun - self.trials_before_day)


def progress_of(session: Session, triggers: Iterable[Trigger]) -> SessionProgress:
    """The progress of a running session now.

    `describe` does not say how many trials belong to earlier days. Where one of `triggers` counts the trials of a day,
    this is read from the recorded messages of the topic `day`.
    """
    description = session.describe()
    before = 0
    if description["day"] > 1 and any(trigger.day and trigger.trial for trigger in triggers):
        with session.subscribe(["day"], from_start=True) as messages:
            days = [messages.next() for _ in range(description["next"]["day"])]
        before = trials_before(description["day"], [message for message in days if message is not None])
    return SessionProgress(description["tick"], description["day"], description["trials"], before)


def trials_before(day: int, messages: Iterable[Message]) -> int:
    """Trials of the days before `day`, from messages of the topic `day`."""
    ends = [message for message in messages if isinstance(message, Day) and message.event == "end"]
    return sum(message.trials for message in ends if message.day < day)
