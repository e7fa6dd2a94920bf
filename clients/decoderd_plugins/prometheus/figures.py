"""Figures of one session, summed up from its messages since they are followed."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from typing import Any

from decoderd.wire.messages import AnyMessage, Day, Health, Spread, Trial

TOPICS = ("health", "trial", "day")

# Upper bounds of the histograms' buckets, s; above the last is one bucket more.
BOUNDS_S = (2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0)


class Histogram:
    """Ticks by a duration, of which only median, 99th percentile and maximum of every few ticks are known.

    Each tick is counted at the bound that is known for it: half of them at the median, others up to 99 % at the 99th
    percentile, the rest at the maximum. So no quantile of it is below the true one. `counts` are those of the buckets,
    each without those below it; `sum_s` is the sum of the bounds.
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, ticks: int, spread_us: Spread) -> None:
        """Count so many ticks with this median, 99th percentile and maximum, us."""
        last = ticks - 1
        to_median = last // 2 + 1  # the places that the three have among the sorted ticks of a `health` message
        to_99 = -(-99 * last // 100) + 1
        for number, bound_us in zip((to_median, to_99 - to_median, ticks - to_99), spread_us, strict=True):
            self.counts[bisect_left(BOUNDS_S, bound_us * 1e-6)] += number
            self.sum_s += number * bound_us * 1e-6

    @property
    def cumulative(self) -> list[tuple[str, int]]:
        """(upper bound, ticks up to it) of each bucket, the last one `+Inf`."""
        names = [*(f"{bound:g}" for bound in BOUNDS_S), "+Inf"]
        return [(name, sum(self.counts[: place + 1])) for place, name in enumerate(names)]


class Figures:
    """What is known of a session. Counters begin with 0 when it is first followed.

    `tick` is the last one stored, `day` and `days` those of the protocol; `trials` counts trials that ended by outcome.
    """

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.tick, self.day, self.days = description["tick"], description["day"], description["days"]
        self.ticks = self.missed_deadlines = 0
        self.lateness, self.duration = Histogram(), Histogram()
        self.trials: Counter[str] = Counter()

    def receive(self, message: AnyMessage) -> None:
        """Take in a message of one of TOPICS; others change nothing."""
        match message:
            case Health():
                self.tick = message.tick
                self.ticks += message.ticks
                self.missed_deadlines += message.missed_deadlines
                if message.ticks and message.lateness_us is not None and message.duration_us is not None:
                    self.lateness.add(message.ticks, message.lateness_us)
                    self.duration.add(message.ticks, message.duration_us)
            case Trial():
                self.trials[message.outcome] += 1
            case Day(event="block"):
                self.day = message.day
