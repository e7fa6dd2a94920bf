"""What a session has come through: measures by day and perturbations, summed up from its messages since the first."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from statistics import median
from typing import Any

from decoderd.wire.messages import AnyMessage, Day, Metrics, Perturbation, Plasticity, Trial

TOPICS = ("trial", "day", "perturbation", "plasticity", "metrics")
RECENT = 20  # trials
TARGETS = 64
SHOWN = 200  # perturbations, the newest


class DayMeasures:
    """Measures of the trials of one day."""

    def __init__(self) -> None:
        self.trials = self.successes = 0
        self.times_s: list[float] = []  # from the go cue to the end of successful trials, sorted
        self.n_c: float | None = None


class History:
    """Days, targets, outcomes and perturbations of a session. Topics may arrive in any order among one another."""

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._days: dict[int, DayMeasures] = {}
        self._first_ticks: list[tuple[int, int]] = []  # (tick, day)
        self._loss_ticks: list[int] = []
        self._loss_sums = [0.0]  # of all losses before
        self._last: dict[str, dict[str, Any]] = {}
        self.perturbations: list[dict[str, Any]] = []
        self.targets: dict[int, tuple[float, float]] = {}
        self.outcomes: list[str] = []

    def receive(self, message: AnyMessage) -> None:
        """Take in a message of one of TOPICS; others change nothing."""
        match message:
            case Trial():
                self._add_trial(message)
            case Day(event="block"):
                if all(day != message.day for _, day in self._first_ticks):
                    self._first_ticks.append((message.tick, message.day))
            case Plasticity(reason=""):
                self._loss_ticks.append(message.tick)
                self._loss_sums.append(self._loss_sums[-1] + message.loss)
            case Metrics() if "n_c" in message.values:
                self._of(message.day).n_c = message.values["n_c"]
            case Perturbation():
                self._change(message)

    def days(self) -> list[dict[str, Any]]:
        """A row for each day with anything to measure, in order.

        Success rate, median time from the go cue to the end of successful trials (s), mean loss of the updates of
        plasticity, N_c; None where there is nothing to measure.
        """
        losses = self._mean_losses()
        rows = []
        for day in sorted(self._days.keys() | losses.keys()):
            one = self._days.get(day, DayMeasures())
            success = one.successes / one.trials if one.trials else None
            time_s = round(median(one.times_s), 4) if one.times_s else None
            rows.append(
                {
                    "day": day,
                    "trials": one.trials,
                    "success": success,
                    "time_s": time_s,
                    "loss": losses.get(day),
                    "n_c": one.n_c,
                }
            )
        return rows

    def day_starts(self) -> list[tuple[int, int]]:
        """(first tick, day) of each day that has begun."""
        return self._first_ticks

    def _mean_losses(self) -> dict[int, float]:
        """By day: an update belongs to the day of its tick."""
        starts = [bisect_left(self._loss_ticks, tick) for tick, _ in self._first_ticks]
        ends = [*starts[1:], len(self._loss_ticks)]
        spans = zip(self._first_ticks, starts, ends, strict=False)
        sums = self._loss_sums
        return {day: (sums[end] - sums[first]) / (end - first) for (_, day), first, end in spans if end > first}

    def _of(self, day: int) -> DayMeasures:
        return self._days.setdefault(day, DayMeasures())

    def _add_trial(self, trial: Trial) -> None:
        day, won = self._of(trial.day), trial.outcome == "success"
        day.trials += 1
        day.successes += won
        if won and trial.go_tick >= 0:
            insort(day.times_s, (trial.tick - trial.go_tick) * self._tick_s)
        self.outcomes = [*self.outcomes[1 - RECENT :], trial.outcome]
        if trial.target is not None and trial.target_index >= 0 and len(self.targets) < TARGETS:
            self.targets[trial.target_index] = trial.target

    def _change(self, message: Perturbation) -> None:
        """A perturbation is [added, on, off) in ticks; the last two None while that has not come."""
        one = self._last.get(message.name)
        if one is None or one["off"] is not None:
            kind, site = message.config.get("kind", ""), message.config.get("site", "")
            one = {"name": message.name, "kind": kind, "site": site, "added": message.tick, "on": None, "off": None}
            self._last[message.name] = one
            self.perturbations = [*self.perturbations[1 - SHOWN :], one]
        if message.event == "on":
            one["on"] = message.tick
        elif message.event in ("off", "removed"):
            one["off"] = message.tick


def now_on(perturbations: Iterable[dict[str, Any]]) -> list[str]:
    """Names of those that are on or wait to be."""
    return [one["name"] for one in perturbations if one["off"] is None]
