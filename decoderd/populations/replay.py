"""Population `replay`: the counts of a recording, bin by bin, independent of task and cursor.

After the last bin of the recording the first one follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array, check_array, require_arrays
from decoderd.checkpoint import stored
from decoderd.config import ComponentConfig
from decoderd.errors import ArrayError
from decoderd.populations import COUNTS, Population, Spikes
from decoderd.rng import Draws, Spec
from decoderd.state import Cue, TimeIndex, Timing


class ReplayConfig(ComponentConfig):
    """`file` is a recording .npz with `counts` (bins x units)."""

    kind: Literal["replay"] = "replay"
    file: Path


@stored("populations.replay.parameters")
class Parameters(NamedTuple):
    """The recording."""

    recorded: Array  # (bins, N) counts


class Plan(NamedTuple):
    """Constants, computed once."""

    last: int  # index within the bin of the tick that gives its counts
    tick_s: float


def load(config: ReplayConfig, generator: np.random.Generator, arrays: Mapping[str, NDArray[Any]]) -> Parameters:
    """Read the recording. Raises ArrayError unless `counts` holds whole numbers from 0 to 65535."""
    require_arrays(arrays, ("counts",), "a replayed population")
    recorded = check_array("counts", arrays["counts"], (None, None))
    bad = np.argwhere((recorded < 0) | (recorded > 65535) | (recorded != np.floor(recorded)))
    if len(bad):
        at = tuple(bad[0])
        raise ArrayError(
            f"counts[{at[0]}, {at[1]}] = {recorded[at]}: counts are whole numbers from 0 to 65535", "counts"
        )
    return Parameters(recorded)


def units(parameters: Parameters) -> int:
    """Number of units N."""
    return parameters.recorded.shape[1]


def plan(config: ReplayConfig, timing: Timing) -> Plan:
    """Constants: a recorded bin is given in the last tick of the decoder's bin."""
    return Plan(timing.bin_ticks - 1, timing.tick_s)


def streams(plan: Plan, parameters: Parameters) -> dict[str, Spec]:
    """No streams: nothing is random."""
    return {}


def init(plan: Plan, parameters: Parameters, cursor: Array) -> int:
    """Start at the first bin; the state is the index of the next bin to give."""
    return 0


def rates(
    plan: Plan, parameters: Parameters, state: int, cue: Cue, seen: Array, time: TimeIndex, draws: Draws
) -> tuple[int, Array, Array]:
    """The recorded counts as rates (B, N) in Hz in the last tick of a bin, 0 before; the intended velocity is 0."""
    batch = len(seen)
    intent = np.zeros((batch, 2))
    if time.bin_tick != plan.last:
        return state, np.zeros((batch, units(parameters))), intent
    row = np.repeat(parameters.recorded[state][np.newaxis], batch, axis=0)
    return (state + 1) % len(parameters.recorded), row / plan.tick_s, intent


def spikes(plan: Plan, parameters: Parameters, state: int, rates: Array, draws: Draws) -> tuple[int, Spikes]:
    """The recorded counts (B, N), computed back from rates."""
    recorded = np.rint(rates * plan.tick_s)
    return state, {COUNTS: recorded.astype(np.uint8 if recorded.max() < 256 else np.uint16)}


def overnight(config: ReplayConfig, parameters: Parameters, generator: np.random.Generator) -> Parameters:
    """The same recording every day."""
    return parameters


REPLAY = Population(ReplayConfig, load, units, plan, streams, init, rates, spikes, overnight, drawn=False)
