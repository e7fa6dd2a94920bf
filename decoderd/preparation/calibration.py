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
from decoderd.rng import Stream, generator, open_streams
from decoderd.rollout.rollout import TickByTick
from decoderd.state import POSITION, VELOCITY, Reaches, Timing

# Directions of the reaches, in turn.
DIRECTIONS = 8
# Entries of an array with a number for each unit, tick and reach of those that are computed together: 4 MB.
TOGETHER = 500_000

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
    together = max(1, TOGETHER // (ticks * kind.units(parameters)))
    for first in range(0, settings.reaches, together):
        reaches = np.arange(first, min(first + together, settings.reaches))
        angles = 2 * np.pi * (reaches % DIRECTIONS) / DIRECTIONS
        goals = settings.distance_m * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        tables = {name: _of_reaches(stream, day, first, len(reaches), ticks) for name, stream in streams.items()}
        rollout = TickByTick(
            kind, plan, parameters, Reaches(np.zeros_like(goals), goals, ticks, 0), tables, timing.bin_ticks
        )
        spikes, path = _following(rollout, len(reaches), ticks, channel, timing)
        counts.append(spikes.swapaxes(0, 1).reshape(len(reaches) * bins, -1))
        cursors.append(path[:: timing.bin_ticks].swapaxes(0, 1))
        on_progress(first + len(reaches))
    ends = np.concatenate(cursors)[..., POSITION]  # (reaches, bins + 1, 2)
    moved = np.diff(ends, axis=1)  # counts add up over the bin, so velocity is its mean
    return CalibrationData(
        np.concatenate(counts),
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


def _of_reaches(stream: Stream, day: int, first: int, reaches: int, ticks: int) -> Array:
    """The rows (ticks, reaches, width) of successive reaches, each with those that follow on the reach before."""
    rows = stream.rows(day, first * ticks, reaches * ticks)[:, 0]
    return rows.reshape(reaches, ticks, -1).swapaxes(0, 1)


def _following(rollout: TickByTick, reaches: int, ticks: int, channel: str, timing: Timing) -> tuple[Array, Array]:
    """Counts (bins, B, N) and cursors (ticks + 1, B, 4) of B reaches whose cursors follow the intention at once."""
    cursors = np.zeros((ticks + 1, reaches, 4))
    bins: list[Array] = []
    for t in range(ticks):
        counts = rollout.spikes(t, cursors)[channel]
        if t % timing.bin_ticks:
            bins[-1] += counts
        else:
            bins.append(counts.astype(np.float64))
        intent = rollout.intents[t]
        cursors[t + 1, :, POSITION] = cursors[t, :, POSITION] + intent * timing.tick_s
        cursors[t + 1, :, VELOCITY] = intent
    return np.array(bins), cursors


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
