"""The metrics as Prometheus reads them, made anew at every scrape: a session that has gone leaves no series behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from decoderd.wire.replies import STATES
from decoderd_plugins.prometheus.figures import Figures


class Daemon(NamedTuple):
    """The daemon at its last answer: `states` counts its sessions, `up` says whether it answers."""

    up: bool
    states: Mapping[str, int]
    restarts: int


def session_families(sessions: Mapping[str, Figures]) -> Iterator[Metric]:
    """Metrics with a label `session`."""
    label = ["session"]
    ticks = CounterMetricFamily("decoderd_ticks", "Ticks that were stored.", labels=label)
    missed = CounterMetricFamily(
        "decoderd_missed_deadlines", "Ticks that had not ended when the next was due.", labels=label
    )
    trials = CounterMetricFamily("decoderd_trials", "Trials that ended, by outcome.", labels=[*label, "outcome"])
    lateness = HistogramMetricFamily(
        "decoderd_tick_lateness_seconds", "How late ticks began; bounds from above.", labels=label
    )
    duration = HistogramMetricFamily(
        "decoderd_tick_duration_seconds", "How long ticks took; bounds from above.", labels=label
    )
    tick = GaugeMetricFamily("decoderd_tick", "The last tick that was stored.", labels=label)
    day = GaugeMetricFamily("decoderd_day", "The day under way, from 1.", labels=label)
    days = GaugeMetricFamily("decoderd_last_day", "The protocol's last day.", labels=label)
    for name, figures in sessions.items():
        ticks.add_metric([name], figures.ticks)
        missed.add_metric([name], figures.missed_deadlines)
        for outcome, number in sorted(figures.trials.items()):
            trials.add_metric([name, outcome], number)
        lateness.add_metric([name], figures.lateness.cumulative, figures.lateness.sum_s)
        duration.add_metric([name], figures.duration.cumulative, figures.duration.sum_s)
        tick.add_metric([name], figures.tick)
        day.add_metric([name], figures.day)
        days.add_metric([name], figures.days)
    yield from (ticks, missed, lateness, duration, trials, tick, day, days)


def daemon_families(daemon: Daemon) -> Iterator[Metric]:
    """Metrics of the daemon: whether it answers, and its sessions by state."""
    yield GaugeMetricFamily("decoderd_up", "Whether the daemon answers.", value=daemon.up)
    if not daemon.up:
        return
    states = GaugeMetricFamily("decoderd_sessions", "Sessions in each state.", labels=["state"])
    for state in STATES:
        states.add_metric([state], daemon.states.get(state, 0))
    yield states
    yield CounterMetricFamily(
        "decoderd_restarts", "Sessions resumed after a crash, since the daemon began.", value=daemon.restarts
    )
