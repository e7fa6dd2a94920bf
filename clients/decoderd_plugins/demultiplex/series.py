"""The windows of a session, measured one after another as its messages arrive."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from decoderd.errors import ArrayError
from decoderd.wire.message import Message
from decoderd_client.plugins import Unable
from decoderd_plugins.demultiplex import measures
from decoderd_plugins.demultiplex.measures import Fit, Window
from decoderd_plugins.demultiplex.plan import Plan
from decoderd_plugins.demultiplex.trials import Trial, TrialAssembler


class Series:
    """Measures windows of trials, and fits the regression once its last trial is over.

    A window ends after its number of trials, and with its day.
    """

    def __init__(self, plan: Plan, on_progress: Callable[[str], None]) -> None:
        self.plan, self.windows, self.fit = plan, list[Window](), None
        self._on_progress = on_progress
        self._assembler = TrialAssembler(plan.layout)
        self._waiting: list[Trial] = []
        self._training: list[Trial] = []

    fit: Fit | None

    def receive(self, message: Message) -> list[Window]:
        """Take in a message; returns the windows that are whole with it."""
        found = []
        for trial in self._assembler.receive(message):
            if self._waiting and trial.day != self._waiting[0].day:
                found += self.conclude()
            self._waiting.append(trial)
            self._train(trial)
            if len(self._waiting) == self.plan.config.window:
                found += self.conclude()
        return found

    def conclude(self) -> list[Window]:
        """Measure the trials that wait for more of them, if there are any."""
        trials, self._waiting = self._waiting, []
        if not any(len(trial.seen) for trial in trials):
            return []
        window = measures.measure(trials, self.plan, self.fit)
        self.windows.append(window)
        return [window]

    @property
    def left_out(self) -> int:
        """Trials that were too long."""
        return self._assembler.left_out

    def check_events(self) -> None:
        """Raise Unable where no bin has events enough."""
        if any(window.course.enough.any() for window in self.windows):
            return
        events = [window.course.pooled.events for window in self.windows]
        most = max((int(each.max()) for each in events), default=0)
        bins, config = sum(map(len, events)), self.plan.config
        raise Unable(
            f"too few events: of {bins} bins of {config.bin_s:g} s none has {config.least_events}, and the fullest has "
            f"{most}; take longer bins (--bin-s), more units, or longer sessions"
        )

    def _train(self, trial: Trial) -> None:
        first, last = self.plan.config.train
        if first <= trial.number <= last:
            self._training.append(trial)
        if trial.number != last:
            return
        try:
            self.fit = measures.fit([one for one in self._training if len(one.seen)])
        except (ArrayError, ValueError) as error:
            self._on_progress(f"no regression: {error}")
        self._training = []


def correlations(windows: list[Window]) -> dict[str, float]:
    """r of each recovered error as a mean over windows, weighted by their bins with events enough; NaN for none."""
    found = {}
    for name in measures.RECOVERED:
        values = np.array([window.correlations[name] for window in windows])
        weights = np.array([window.course.enough.sum() for window in windows], dtype=float)
        known = np.isfinite(values)
        found[name] = float(np.average(values[known], weights=weights[known])) if known.any() else float("nan")
    return found
