"""Before the first tick: the individual is drawn or read from its file, the decoder read or fitted.

What comes out is arrays; they are stored with the session, so that neither a replay nor a resume needs the files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from decoderd import registry
from decoderd.arrays import load_npz
from decoderd.decoders import Recorded
from decoderd.errors import ArrayError, NumericalError, ProtocolError
from decoderd.protocol import Protocol
from decoderd.rng import Draws, generator, open_streams
from decoderd.state import POSITION, Cue, Moment, Parameters
from decoderd.tasks.trial import REACH

Watch = Callable[[int], None]


def prepare(protocol: Protocol, watch: Watch = lambda reaches: None) -> Parameters:
    """Parameters of population and decoder; `watch` is told how many reaches of a calibration are done.

    Raises ProtocolError, naming file and array, for files that do not fit the kinds that are to read them.
    """
    population = _population(protocol)
    return Parameters(population, _decoder(protocol, population, watch))


def _arrays(config: Any) -> dict[str, Any]:
    path: Path | None = getattr(config, "file", None)
    return {} if path is None else load_npz(path)


def _population(protocol: Protocol) -> Any:
    config: Any = protocol.population
    kind = registry.find("populations", config.kind)
    try:
        return kind.load(config, generator(protocol.seed, "population/individual"), _arrays(config))
    except (ArrayError, NumericalError) as error:
        raise ProtocolError(f"population: {getattr(config, 'file', '')}: {error}", "population") from None


def _decoder(protocol: Protocol, population: Any, watch: Watch) -> Any:
    config: Any = protocol.decoder
    kind = registry.find("decoders", config.kind)
    try:
        if kind.fit is None or getattr(config, "file", None) is not None:
            return kind.load(_arrays(config))
        return kind.load(kind.fit(calibrate(protocol, population, watch), config.calibration, config))
    except (ArrayError, NumericalError) as error:
        where = getattr(config, "file", None) or "fitted to a calibration"
        raise ProtocolError(f"decoder: {where}: {error}", "decoder") from None


def calibrate(protocol: Protocol, parameters: Any, watch: Watch = lambda reaches: None) -> Recorded:
    """Counts of a population whose subject watches a cursor do at once what it intends, in reaches from the centre.

    Reaches go to 8 directions in turn. A population that has no intention of its own (replay) cannot be calibrated
    on: ArrayError.
    """
    settings: Any = protocol.decoder
    plan_of, timing = settings.calibration, protocol.timing
    kind = registry.find("populations", protocol.population.kind)
    if not kind.drawn:
        raise ArrayError("no file is given, and recorded counts cannot be calibrated on; name a decoder file", "file")
    plan = kind.plan(protocol.population, timing)
    specs = kind.streams(protocol.population, parameters)
    streams = open_streams((protocol.seed,), "calibration", specs)
    bins = max(1, round(plan_of.reach_s / timing.bin_s))
    rows: list[tuple[Any, Any, Any]] = []
    tick = 0
    for reach in range(plan_of.reaches):
        angle = 2 * np.pi * (reach % 8) / 8
        goal = plan_of.distance_m * np.array([[np.cos(angle), np.sin(angle)]])
        cue = Cue(goal, 0.0, REACH, reach % 8, reach + 1, None, ())
        cursor = np.zeros((1, 4))
        state = kind.init(plan, parameters, cursor)
        for _ in range(bins):
            collected, before = [], cursor[0, POSITION]
            for bin_tick in range(timing.bin_ticks):
                draws = Draws(streams, 0, tick)
                moment = Moment(tick, 0, tick, bin_tick)
                state, rates, intent = kind.rates(plan, parameters, state, cue, cursor, moment, draws)
                collected.append(kind.counts(plan, rates, draws))
                position = cursor[:, POSITION] + intent * timing.tick_s
                cursor = np.hstack([position, intent])
                tick += 1
            moved = cursor[0, POSITION] - before  # counts add up over the bin, so velocity is its mean
            rows.append((np.concatenate(collected).sum(axis=0), cursor[0, POSITION], moved / timing.bin_s))
        watch(reach + 1)
    counts, position, velocity = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    return Recorded(counts, position, velocity, timing.bin_s)
