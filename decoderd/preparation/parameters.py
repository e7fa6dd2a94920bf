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
from decoderd.decoders import CalibrationData
from decoderd.errors import ArrayError, NumericalError, ProtocolError
from decoderd.preparation import pretraining
from decoderd.protocol import readouts
from decoderd.protocol.protocol import Protocol
from decoderd.rng import Draws, generator, open_streams
from decoderd.state import POSITION, Cue, Parameters, TimeIndex
from decoderd.tasks.trial import REACH

Watch = Callable[[int], None]


def prepare(protocol: Protocol, watch: Watch = lambda done: None) -> Parameters:
    """Parameters of population and decoder, and the readouts; `watch` is told how many reaches of a calibration, or
    updates of a pretraining, are done.

    Raises ProtocolError, naming file and array, for files that do not fit the kinds that are to read them.
    """
    population = individual(protocol)
    if protocol.pretraining is not None and getattr(protocol.population, "file", None) is None:
        population = _pretrained(protocol, population, watch)
    config: Any = protocol.decoder
    kind = registry.find("decoders", config.kind)
    try:
        if kind.fit is None or getattr(config, "file", None) is not None:
            decoder, units = kind.load(_arrays(config)), _kind(protocol).units(population)
            return Parameters(population, decoder, readouts.given(protocol.readouts, units))
        recorded = calibrate(protocol, population, watch)
        read = readouts.choose(protocol.readouts, recorded.counts)
        if read is not None:
            recorded = recorded._replace(counts=recorded.counts[:, read])
        decoder = kind.load(kind.fit(recorded, config.calibration, config))
        if config.calibration.arbitrary:
            decoder = _arbitrary(protocol, kind, decoder)
        return Parameters(population, decoder, read)
    except (ArrayError, NumericalError) as error:
        where = getattr(config, "file", None) or "fitted to a calibration"
        raise ProtocolError(f"decoder: {where}: {error}", "decoder") from None


def _kind(protocol: Protocol) -> Any:
    return registry.find("populations", protocol.population.kind)


def individual(protocol: Protocol) -> Any:
    """Parameters of the population as drawn, or read from its file. Raises ProtocolError where they do not fit."""
    config: Any = protocol.population
    try:
        return _kind(protocol).load(config, generator(protocol.seed, "population/individual"), _arrays(config))
    except (ArrayError, NumericalError) as error:
        where = getattr(config, "file", None) or f"seed {protocol.seed}"
        raise ProtocolError(f"population: {where}: {error}", "population") from None


def _pretrained(protocol: Protocol, population: Any, watch: Watch) -> Any:
    settings: Any = protocol.pretraining
    (trained,) = pretraining.pretrained(
        settings, _kind(protocol), protocol.population, [population], protocol.timing, (protocol.seed,), watch
    )
    loss, most = pretraining.final_loss(trained), settings.loss_at_most
    if most is not None and not loss <= most:
        raise ProtocolError(
            f"pretraining.loss_at_most = {most:g}: the individual of seed {protocol.seed} did not learn to reach, its "
            f"loss is {loss:.3g}; take another seed, or train it for longer",
            "pretraining.loss_at_most",
        )
    return trained.population


def _arrays(config: Any) -> dict[str, Any]:
    path: Path | None = getattr(config, "file", None)
    return {} if path is None else load_npz(path)


def _arbitrary(protocol: Protocol, kind: Any, parameters: Any, day: int = 0) -> Any:
    """The decoder with every unit's readout turned by an angle of its own, uniform on the circle: it knows baselines
    and depths of modulation, and nothing of directions."""
    if kind.rotate is None:
        raise ArrayError("this kind has no readout that could be made arbitrary", "calibration")
    units = kind.units(parameters)
    angles = generator(protocol.seed, "decoder/arbitrary", day).uniform(0, 2 * np.pi, units)
    for unit, angle in enumerate(angles.tolist()):
        parameters = kind.rotate(parameters, angle, np.array([unit]))
    return parameters


def refitted(protocol: Protocol, parameters: Parameters, day: int, arbitrary: bool) -> Any:
    """A decoder of the same readouts, fitted to a calibration of the morning of `day`; its directions may be arbitrary.

    Raises NumericalError or ArrayError where that calibration gives none.
    """
    config: Any = protocol.decoder
    kind = registry.find("decoders", config.kind)
    recorded = calibrate(protocol, parameters.population, day=day)
    if parameters.lost is not None:
        recorded.counts[:, parameters.lost] = 0
    if parameters.readouts is not None:
        recorded = recorded._replace(counts=recorded.counts[:, parameters.readouts])
    decoder = kind.load(kind.fit(recorded, config.calibration, config))
    return _arbitrary(protocol, kind, decoder, day) if arbitrary else decoder


def calibrate(
    protocol: Protocol, parameters: Any, watch: Watch = lambda reaches: None, day: int = 0
) -> CalibrationData:
    """Counts of a population while an arm or a cursor does what it means to do, in reaches from the centre.

    A population that moves an arm reaches with that of its pretraining, under manual control. The subject of another
    one watches a cursor do at once what it intends, to 8 directions in turn. Raises ArrayError for a population that
    has no intention of its own (replay), or an arm that is not named. Calibrations of different days are different.
    """
    settings: Any = protocol.decoder
    plan_of, timing = settings.calibration, protocol.timing
    kind = _kind(protocol)
    if kind.manual is not None:
        if protocol.pretraining is None:
            raise ArrayError("no file is given, and no pretraining that says which arm it would calibrate with", "file")
        return pretraining.recorded(
            protocol.pretraining, kind, protocol.population, parameters, timing, protocol.seed, plan_of.reaches, day
        )
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
                draws = Draws(streams, day, tick)
                moment = TimeIndex(tick, 0, tick, bin_tick)
                state, rates, intent = kind.rates(plan, parameters, state, cue, cursor, moment, draws)
                collected.append(kind.counts(plan, rates, draws))
                position = cursor[:, POSITION] + intent * timing.tick_s
                cursor = np.hstack([position, intent])
                tick += 1
            moved = cursor[0, POSITION] - before  # counts add up over the bin, so velocity is its mean
            rows.append((np.concatenate(collected).sum(axis=0), cursor[0, POSITION], moved / timing.bin_s))
        watch(reach + 1)
    counts, position, velocity = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    return CalibrationData(counts, position, velocity, timing.bin_s)
