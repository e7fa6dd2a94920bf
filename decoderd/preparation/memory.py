"""How much memory a protocol needs, estimated part by part before anything is drawn or read.

Each component estimates its own arrays (`memory` in the contracts of populations, decoders and updaters); here they are
added up. The sum is that of the parts at their largest, and meant to be right within a factor of two. Components
without an estimate count as nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from decoderd import registry
from decoderd.arrays import npz_entries
from decoderd.config import ticks
from decoderd.errors import ArrayError, ProtocolError
from decoderd.preparation.memory_limit import MemoryLimit, shown
from decoderd.protocol.protocol import Protocol

# Bytes by part.
Estimate = dict[str, int]

# The program without a session: interpreter and libraries, of which some are loaded where they are needed only.
PROGRAM = 100 * 2**20
# A number of a file as float64, with the copies that checks and checkpoints make.
FROM_FILE = 8 * 5
# Counts of a calibration as float64: bin by bin, together, and the residuals of the fit.
CALIBRATION = 8 * 4
# Numbers of manual reaches: noise, rates, counts.
MANUAL = 8 * 6
# Counts of a bin: collected, joined and encoded.
BIN = 8 * 3
# The estimate of a population covers its parameters and four copies.
POPULATION_COPIES = 5

# The field of a protocol that decides the size of a part.
FIELDS = {"pretraining": "pretraining.targets", "calibration": "decoder.calibration.reaches"}


def of_session(protocol: Protocol, units: int | None = None) -> Estimate:
    """Bytes that a session takes once it is prepared; `units` where a file has them.

    Where neither the protocol nor `units` says how many units there are, parts that depend on it are left out.
    """
    population: Any = protocol.population
    kind, units = registry.find("populations", population.kind), units or getattr(population, "units", None)
    found = {"program": PROGRAM, "population": _population(protocol)}
    plastic, rule = kind.plastic, registry.find("plasticity", protocol.plasticity.kind)
    if plastic is not None and rule.learns_from is not None:
        trial = _trial_ticks(protocol) * (0 if plastic.memory is None else plastic.memory(population))
        found["plasticity"] = rule.copies * found["population"] // POPULATION_COPIES + trial
    if units is None:
        return found
    found["counts"] = BIN * units * protocol.bin_ticks * len(kind.channels)
    read = _read(protocol, units)
    found["decoder"] = _decoder(protocol, read)
    calibration: Any = getattr(protocol.decoder, "calibration", None)
    updater = registry.find("updaters", protocol.updater.kind)
    if updater.memory is not None:
        factors = registry.find("decoders", protocol.decoder.kind).factors is not None and calibration is not None
        observed = calibration.factors if factors else read
        found["updater"] = updater.memory(observed)
    return found


def of_preparation(protocol: Protocol, units: int | None = None) -> Estimate:
    """Bytes that pretraining and calibration take besides; `units` as in `of_session`."""
    population, decoder = protocol.population, protocol.decoder
    kind, units = registry.find("populations", population.kind), units or getattr(population, "units", None)
    found: Estimate = {}
    pretraining, from_file = protocol.pretraining, getattr(population, "file", None) is not None
    length = 0 if pretraining is None else ticks(pretraining.reach_s, protocol.tick_s)
    if pretraining is not None and not from_file and kind.plastic is not None and kind.plastic.memory is not None:
        rule = registry.find("plasticity", pretraining.plasticity.kind)
        learning = rule.copies * _population(protocol) // POPULATION_COPIES
        found["pretraining"] = learning + length * pretraining.targets * kind.plastic.memory(population)
    if units is not None and _calibrated(protocol):
        reaches = decoder.calibration.reaches  # type: ignore[attr-defined]  # `_calibrated` has checked it
        manual = kind.manual is not None
        found["calibration"] = MANUAL * reaches * length * units if manual else CALIBRATION * _bins(protocol) * units
    return found


def described(estimate: Estimate) -> str:
    """An estimate in words, such as "3.2 GB (population 2.9 GB, program 0.17 GB)"; parts below 1 % are left out."""
    total = sum(estimate.values())
    parts = sorted(((size, part) for part, size in estimate.items() if size >= total / 100), reverse=True)
    return f"{shown(total)} ({', '.join(f'{part} {shown(size)}' for size, part in parts)})"


def check(estimate: Estimate, limit: MemoryLimit) -> None:
    """Raise ProtocolError, naming the field that decides the largest part, for an estimate above the limit."""
    if sum(estimate.values()) <= limit.most:
        return
    largest = max(estimate.items() - {("program", PROGRAM)}, key=lambda item: item[1], default=("program", 0))[0]
    field = FIELDS.get(largest, "population.units")
    raise ProtocolError(
        f"{field}: the session needs about {described(estimate)} of memory; allowed are {shown(limit.most)} "
        f"({limit.source}). Lower {field}, or allow more with --max-memory",
        field,
    )


def _population(protocol: Protocol) -> int:
    """Bytes of the population: by its kind, and by the numbers in its file if it has one."""
    population = protocol.population
    file, kind = getattr(population, "file", None), registry.find("populations", population.kind)
    by_kind = 0 if kind.memory is None else kind.memory(population, protocol.timing)
    return max(by_kind, 0 if file is None else FROM_FILE * _entries(file))


def _decoder(protocol: Protocol, units: int) -> int:
    """Bytes of the decoder of so many units: by its kind, and by the numbers in its file if it has one."""
    config, file = protocol.decoder, getattr(protocol.decoder, "file", None)
    memory = registry.find("decoders", config.kind).memory
    by_kind = 0 if memory is None else memory(config, units, _bins(protocol) if _calibrated(protocol) else 0)
    return int(max(by_kind, 0 if file is None else FROM_FILE * _entries(file)))


def _entries(file: Path) -> int:
    try:
        return npz_entries(file)
    except ArrayError:  # reading it says what is wrong; a session that is resumed does not need it
        return 0


def _read(protocol: Protocol, units: int) -> int:
    """The number of units that the decoder reads."""
    given = protocol.readouts
    return len(given.units) if given.units is not None else min(units, given.count or units)


def _calibrated(protocol: Protocol) -> bool:
    """Whether the decoder is fitted to a calibration."""
    kind = registry.find("decoders", protocol.decoder.kind)
    return kind.fit is not None and getattr(protocol.decoder, "file", None) is None


def _bins(protocol: Protocol) -> int:
    """Bins of the calibration."""
    calibration: Any = getattr(protocol.decoder, "calibration", None)
    if calibration is None:
        return 0
    return int(calibration.reaches * max(1, round(calibration.reach_s / protocol.timing.bin_s)))


def _trial_ticks(protocol: Protocol) -> int:
    """Ticks of a trial in which there is a goal, at most; 0 where the task does not say."""
    task: Any = protocol.task
    seconds = getattr(task, "reach_timeout_s", getattr(task, "reach_s", 0.0)) + getattr(task, "target_hold_s", 0.0)
    return ticks(seconds, protocol.tick_s)
