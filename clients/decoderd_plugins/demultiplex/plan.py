"""What the measurement needs to know of a session: its channels, the constants of its bursts, and its decoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd import registry
from decoderd.arrays import Array, check_array, load_npz
from decoderd.config import ticks
from decoderd.preparation.feedback import velocity_weights
from decoderd.state import Parameters
from decoderd_client.plugins import Unable
from decoderd_plugins.demultiplex import DECODER, Config
from decoderd_plugins.demultiplex.trials import CHANNELS, Layout

Arrays = Mapping[str, NDArray[Any]]

# Where a protocol has what an option may replace.
OF_POPULATION = {"threshold_s": "burst_threshold_s", "refractory_s": "refractory_s"}
OF_SUBJECT = {"lag_s": "lag_s", "visual_delay_s": "visual_delay_s"}


class Plan(NamedTuple):
    """Options, and what the session says."""

    config: Config
    layout: Layout
    refractory_s: float
    K: Array | None  # (N, 2)


def make_plan(description: Mapping[str, Any], arrays: Arrays, config: Config) -> Plan:
    """The plan for a session, from what `describe` replies and the arrays of its decoder.

    Raises Unable for a session without the channels of bursts, for one that does not say what it needs and is not
    given as an option, for bins shorter than a tick, and for a K of a wrong shape.
    """
    channels, population = description["channels"], description["protocol"]["population"]
    missing = [channel for channel in CHANNELS if channel not in channels]
    if missing:
        raise Unable(
            f"population: kind {population['kind']!r} has no channel {', '.join(missing)} (it has "
            f"{', '.join(channels)}): take a population that bursts, such as 'bursting'"
        )
    tick_s, units = description["tick_s"], description["units"]
    if config.bin_s < tick_s:
        raise Unable(f"bin_s = {config.bin_s:g}: must be at least a tick of the session, {tick_s:g} s")
    threshold_s, refractory_s = (_setting(name, config, population, OF_POPULATION) for name in OF_POPULATION)
    subject = population.get("subject") or {}
    lag_s, delay_s = (_setting(name, config, subject, OF_SUBJECT) for name in OF_SUBJECT)
    layout = Layout(
        tick_s,
        ticks(config.bin_s, tick_s),
        threshold_s,
        min(1.0, tick_s / lag_s),
        ticks(delay_s, tick_s),
        units,
    )
    return Plan(config, layout, refractory_s, _feedback(description, arrays, config))


def _setting(name: str, config: Config, given: Mapping[str, Any], names: Mapping[str, str]) -> float:
    option = getattr(config, name)
    if option is not None:
        return float(option)
    if names[name] not in given:
        raise Unable(f"{name}: the protocol of this session has no {names[name]}: give --{name.replace('_', '-')}")
    return float(given[names[name]])


def _feedback(description: Mapping[str, Any], arrays: Arrays, config: Config) -> Array | None:
    """K (N, 2), or None where it is not known. Raises Unable, or ArrayError for a file that does not fit."""
    if config.feedback is None:
        return None
    units = description["units"]
    if config.feedback == Path(DECODER):
        K = _transpose_of_decoder(description, arrays)
    else:
        K = _of_file(config.feedback, units)
    if (rank := np.linalg.matrix_rank(K)) < 2:
        raise Unable(f"feedback = {config.feedback}: K has rank {rank}, but errors have 2 components")
    return K


def _transpose_of_decoder(description: Mapping[str, Any], arrays: Arrays) -> Array:
    name = description["decoder"]["kind"]
    kind = registry.find("decoders", name)
    readouts = description["readouts"]
    read = None if readouts is None else np.array(readouts)
    weights = (
        None
        if not arrays
        else velocity_weights(kind, Parameters(None, kind.load(arrays), readouts=read), description["units"])
    )
    if weights is None:
        raise Unable(
            f"feedback = {DECODER}: a decoder of kind {name!r} has no weight of each unit; give a file with K, or "
            "leave feedback out"
        )
    return weights.T


def _of_file(path: Path, units: int) -> Array:
    found = load_npz(path)
    if "K" in found:
        return check_array(f"{path}: K", found["K"], (units, 2))
    if "M2" in found:
        return check_array(f"{path}: M2", found["M2"], (2, units)).T
    raise Unable(f"{path}: has neither K ({units} x 2) nor M2 (2 x {units})")
