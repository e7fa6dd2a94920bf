"""Settings of events and bursts, and the channels in which they travel, for populations of `burst_process` units."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from decoderd.arrays import Array
from decoderd.config import ComponentConfig
from decoderd.errors import ProtocolError
from decoderd.populations import COUNTS, Spikes, burst_process
from decoderd.populations.burst_process import Law, Uniform, Units
from decoderd.rng import Draws, Spec
from decoderd.state import Timing

EVENTS, BURSTS, TIME_AT_RISK = "events", "bursts", "time_at_risk"
CHANNELS = (COUNTS, EVENTS, BURSTS, TIME_AT_RISK)

# Streams with a number for each spike that a unit can fire in a tick.
OF_SPIKES = Uniform._fields

_Interval = Annotated[float, Field(strict=True, ge=0.0005, le=0.1)]
_Spikes = Annotated[int, Field(strict=True, ge=2, le=20)]


class BurstsConfig(ComponentConfig):
    """Refractory time of events, and number and intervals of the spikes of a burst."""

    refractory_s: Annotated[float, Field(strict=True, ge=0.0005, le=0.1)] = 0.02
    burst_threshold_s: Annotated[float, Field(strict=True, ge=0.001, le=0.1)] = 0.016
    burst_interval_s: tuple[_Interval, _Interval] = (0.004, 0.012)
    burst_spikes: tuple[_Spikes, _Spikes] = (2, 3)
    chance_bursts: bool = False

    @model_validator(mode="after")
    def _bursts_differ_from_events(self) -> Self:
        theta = self.burst_threshold_s
        for name in ("burst_interval_s", "burst_spikes"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} = [{low}, {high}]: the first value must not exceed the second")
        if self.burst_interval_s[1] >= theta:
            raise ValueError(
                f"burst_interval_s = {list(self.burst_interval_s)}: must be shorter than burst_threshold_s = {theta}; "
                f"spikes further apart are events"
            )
        if self.refractory_s < theta and not self.chance_bursts:
            raise ValueError(
                f"refractory_s = {self.refractory_s}: must be at least burst_threshold_s = {theta}, or events follow "
                f"one another so closely that they look like bursts; chance_bursts = true allows it"
            )
        return self


def law(config: BurstsConfig) -> Law:
    """Constants of the spikes."""
    return Law(config.refractory_s, config.burst_threshold_s, config.burst_interval_s, config.burst_spikes)


def check_threshold(threshold_s: float, timing: Timing) -> None:
    """Raise ProtocolError for a burst threshold below a tick."""
    if threshold_s < timing.tick_s:
        raise ProtocolError(
            f"population.burst_threshold_s = {threshold_s}: must be at least tick_s = {timing.tick_s}; within a longer "
            f"tick a burst and two events look alike",
            "population.burst_threshold_s",
        )


def streams(law: Law, tick_s: float, units: int) -> dict[str, Spec]:
    """Random numbers of a tick: one for the first event of each unit, three for each spike that it can fire."""
    of_spikes = Spec("uniform", units * burst_process.most_spikes(law, tick_s))
    return {"first": Spec("uniform", units)} | dict.fromkeys(OF_SPIKES, of_spikes)


def spikes(
    law: Law, units: Units | None, rates: Array, probability: Array, tick_s: float, draws: Draws
) -> tuple[Units, Spikes]:
    """Units, and all spikes, events, bursts and the time at risk in s of one tick, (B, N) each.

    From event rates (B, N) in Hz and burst probabilities (B, N). `units` is None in the first tick of a day.
    """
    before = units if units is not None else burst_process.begin(law, draws.row("first"))
    uniform = Uniform(*(draws.row(name).reshape(len(rates), -1, rates.shape[1]) for name in OF_SPIKES))
    after, tally = burst_process.advance(law, before, rates, probability, tick_s, uniform)
    return after, dict(zip(CHANNELS, (tally.counts, tally.events, tally.bursts, tally.at_risk_s), strict=True))


def memory(law: Law, timing: Timing, units: int) -> int:
    """Bytes of the units, and of numbers for each spike that a unit can fire in a tick."""
    return 8 * units * (burst_process.most_spikes(law, timing.tick_s) * 3 * len(OF_SPIKES) + 5 * 8)
