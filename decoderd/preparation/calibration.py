"""Calibration: simulated reaches to which a decoder without a file is fitted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from decoderd import registry
from decoderd.arrays import Array
from decoderd.decoders import CalibrationData
from decoderd.errors import ArrayError, ProtocolError
from decoderd.populations import COUNTS
from decoderd.preparation import pretraining
from decoderd.protocol.protocol import Protocol
from decoderd.rng import generator, open_streams
from decoderd.rollout.rollout import TickByTick
from decoderd.state import POSITION, VELOCITY, Reaches

# Directions of the reaches, in turn.
DIRECTIONS = 8

OnProgress = Callable[[int], None]


def decoded_channel(protocol: Protocol) -> str:
    """The channel of the population that the decoder reads. Raises ProtocolError for one that it does not have."""
    channel: str = getattr(protocol.decoder, "channel", COUNTS)
    channels = registry.find("populations", protocol.population.kind).channels
    if channel not in channels:
        raise ProtocolError(
            f"decoder.channel = {channel!r}: a population of kind {protocol.population.kind!r} has the channels "
            f"{', '.join(channels)}",
            "decoder.channel",
        )
    return channel


def calibrate(
    protocol: Protocol, parameters: Any, on_progress: OnProgress = lambda reaches: None, day: int = 0
) -> CalibrationData:
    """Counts of a population in reaches from the centre whose kinematics are known.

    A population that moves an arm reaches with the arm of its pretraining, under manual control. For the others the
    subject watches a cursor that follows its intention at once, to 8 directions in turn. Counts are those of the
    channel that the decoder reads. Calibrations of different days are different; `on_progress` is called with the
    number of reaches done. Raises ArrayError for a population without an intention of its own (replay), and where the
    arm is not named.
    """
    config: Any = protocol.decoder
    settings, timing, channel = config.calibration, protocol.timing, decoded_channel(protocol)
    kind = registry.find("populations", protocol.population.kind)
    if kind.manual is not None:
        if protocol.pretraining is None:
            raise ArrayError("no file is given, and no pretraining that says which arm to calibrate with", "file")
        return pretraining.recorded(
            protocol.pretraining,
            kind,
            protocol.population,
            parameters,
            timing,
            protocol.seed,
            settings.reaches,
            day,
            channel,
        )
    if not kind.drawn:
        raise ArrayError("no file is given, and recorded counts cannot be calibrated on; name a decoder file", "file")
    plan = kind.plan(_intending(protocol.population), timing)
    streams = open_streams((protocol.seed,), "calibration", kind.streams(plan, parameters))
    bins = max(1, round(settings.reach_s / timing.bin_s))
    ticks = bins * timing.bin_ticks
    counts, cursors = [], []
    for reach in range(settings.reaches):
        angle = 2 * np.pi * (reach % DIRECTIONS) / DIRECTIONS
        goal = settings.distance_m * np.array([[np.cos(angle), np.sin(angle)]])
        tables = {name: stream.rows(day, reach * ticks, ticks) for name, stream in streams.items()}
        rollout = TickByTick(
            kind, plan, parameters, Reaches(np.zeros((1, 2)), goal, ticks, 0), tables, timing.bin_ticks
        )
        spikes, path = _following(rollout, ticks, channel, timing.tick_s)
        counts.append(spikes.reshape(bins, timing.bin_ticks, -1).sum(axis=1))
        cursors.append(path[:: timing.bin_ticks])
        on_progress(reach + 1)
    ends = np.stack(cursors)[..., POSITION]  # (reaches, bins + 1, 2)
    moved = np.diff(ends, axis=1)  # counts add up over the bin, so velocity is its mean
    return CalibrationData(
        np.concatenate(counts).astype(np.float64),
        ends[:, 1:].reshape(-1, 2),
        (moved / timing.bin_s).reshape(-1, 2),
        timing.bin_s,
    )


def _intending(config: Any) -> Any:
    """The configuration of a population whose subject intends by itself, as it does in every calibration."""
    subject = getattr(config, "subject", None)
    if subject is None or getattr(subject, "intent", "regulator") == "regulator":
        return config
    return config.model_copy(update={"subject": subject.model_copy(update={"intent": "regulator"})})


def _following(rollout: TickByTick, ticks: int, channel: str, tick_s: float) -> tuple[Array, Array]:
    """Counts (ticks, N) and cursors (ticks + 1, 4) of one reach whose cursor follows the intention at once."""
    cursors, counts = np.zeros((ticks + 1, 1, 4)), []
    for t in range(ticks):
        counts.append(rollout.spikes(t, cursors)[channel])
        intent = rollout.intents[t]
        cursors[t + 1, :, POSITION] = cursors[t, :, POSITION] + intent * tick_s
        cursors[t + 1, :, VELOCITY] = intent
    return np.concatenate(counts), cursors[:, 0]


def arbitrary_directions(protocol: Protocol, kind: Any, parameters: Any, day: int = 0) -> Any:
    """The decoder with each unit's readout turned by an angle of its own, uniform on the circle.

    Baselines and depths of modulation stay as fitted. Raises ArrayError for a kind that cannot be turned.
    """
    if kind.rotate is None:
        raise ArrayError("this kind has no readout that could be made arbitrary", "calibration")
    units = kind.units(parameters)
    angles = generator(protocol.seed, "decoder/arbitrary", day).uniform(0, 2 * np.pi, units)
    for unit, angle in enumerate(angles.tolist()):
        parameters = kind.rotate(parameters, angle, np.array([unit]))
    return parameters
