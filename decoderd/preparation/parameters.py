"""Parameters of a session before its first tick: the population drawn or read from a file, the decoder read or fitted.

The results are arrays. They are stored with the session, so that neither a replay nor a resume needs the files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from decoderd import registry
from decoderd.arrays import load_npz
from decoderd.decoders import files as decoder_files
from decoderd.decoders.files import Loop
from decoderd.errors import ArrayError, NumericalError, ProtocolError, Shortage
from decoderd.populations.subject import SubjectConfig
from decoderd.preparation import feedback, memory, memory_limit, pretraining
from decoderd.preparation.calibration import arbitrary_directions, calibrate
from decoderd.preparation.memory_limit import MemoryLimit
from decoderd.protocol import readouts
from decoderd.protocol.protocol import Protocol
from decoderd.rng import generator
from decoderd.state import Parameters
from decoderd.twin.counts_check import are_rates

OnProgress = Callable[[int], None]

# Peak speed of fast reaching movements of a hand, where a population does not say its subject's.
HAND_M_S = 1.0


def prepare(
    protocol: Protocol, on_progress: OnProgress = lambda done: None, limit: MemoryLimit | None = None
) -> Parameters:
    """Parameters of population and decoder, and the readouts.

    `on_progress` is called with the number of reaches of a calibration, or updates of a pretraining, that are done.
    `limit` is the memory that the session may take, by default what the machine has.

    Raises ProtocolError, naming file and array, for files that do not fit the kinds that are to read them. Raises
    ProtocolError, with the estimate by part and before anything is drawn or read, for a session that needs more memory
    than `limit`, and Shortage where memory runs out all the same.
    """
    limit = limit or memory_limit.available()
    estimate = needed(protocol)
    memory.check(estimate, limit)
    try:
        return feedback.known(protocol, _prepared(protocol, on_progress, limit))
    except MemoryError as error:
        raise Shortage(
            f"memory ran out as the session was prepared ({error}); its estimate is {memory.described(estimate)}: give "
            f"it fewer units or reaches, or run it where there is more memory",
            "population.units",
        ) from None


def needed(protocol: Protocol, units: int | None = None) -> memory.Estimate:
    """Bytes by part that a session takes with its preparation; `units` where the protocol does not say how many."""
    return memory.of_session(protocol, units) | memory.of_preparation(protocol, units)


def _prepared(protocol: Protocol, on_progress: OnProgress, limit: MemoryLimit) -> Parameters:
    population = individual(protocol, limit)
    memory.check(needed(protocol, _kind(protocol).units(population)), limit)
    if protocol.pretraining is not None and getattr(protocol.population, "file", None) is None:
        population = _pretrained(protocol, population, on_progress)
    config: Any = protocol.decoder
    kind = registry.find("decoders", config.kind)
    try:
        if kind.fit is None or getattr(config, "file", None) is not None:
            decoder, units = _decoder(protocol, limit), _kind(protocol).units(population)
            return Parameters(population, decoder, readouts.given(protocol.readouts, units))
        recorded = calibrate(protocol, population, on_progress)
        read = readouts.choose(protocol.readouts, recorded.counts)
        if read is not None:
            recorded = recorded._replace(counts=recorded.counts[:, read])
        decoder = kind.load(kind.fit(recorded, config.calibration, config))
        if config.calibration.arbitrary:
            decoder = arbitrary_directions(protocol, kind, decoder)
        return Parameters(population, decoder, read)
    except (ArrayError, NumericalError) as error:
        where = getattr(config, "file", None) or "fitted to a calibration"
        raise ProtocolError(f"decoder: {where}: {error}", "decoder") from None


def _decoder(protocol: Protocol, limit: MemoryLimit) -> Any:
    """The decoder of the protocol's file. Raises ArrayError or NumericalError for one that does not fit."""
    config: Any = protocol.decoder
    kind = registry.find("decoders", config.kind)
    file = decoder_files.parse(kind, _arrays(config, limit))
    decoder_files.check_session(kind, file, loop(protocol))
    return kind.load(file.arrays)


def loop(protocol: Protocol) -> Loop:
    """The closed loop of a protocol, as it decides what a decoder file may be."""
    if protocol.effector.kind != "cursor":  # commands are forces or torques
        return Loop(protocol.timing.bin_s, None)
    return Loop(protocol.timing.bin_s, top_speed(protocol) or HAND_M_S)


def top_speed(protocol: Protocol) -> float | None:
    """The highest speed that the subject intends, m/s; None for a population without such a limit."""
    subject: SubjectConfig | None = getattr(protocol.population, "subject", None)
    return None if subject is None else subject.max_speed_m_s


def _kind(protocol: Protocol) -> Any:
    return registry.find("populations", protocol.population.kind)


def individual(protocol: Protocol, limit: MemoryLimit | None = None) -> Any:
    """Parameters of the population as drawn, or read from its file of at most `limit`.

    Raises ProtocolError where they do not fit.
    """
    config: Any = protocol.population
    try:
        arrays = _arrays(config, limit)
        decoder_files.check_bin("the population", arrays, protocol.timing.bin_s)
        _check_no_rates(protocol, arrays)
        return _kind(protocol).load(config, generator(protocol.seed, "population/individual"), arrays)
    except (ArrayError, NumericalError) as error:
        where = getattr(config, "file", None) or f"seed {protocol.seed}"
        raise ProtocolError(f"population: {where}: {error}", "population") from None


def _check_no_rates(protocol: Protocol, arrays: dict[str, Any]) -> None:
    """Raise ArrayError for rates given as the counts that a population replays."""
    bin_s = protocol.timing.bin_s
    if _kind(protocol).drawn or "counts" not in arrays or not are_rates(arrays["counts"], bin_s):
        return
    raise ArrayError(
        f"counts: all are multiples of {1 / bin_s:.4g}, one over the bin of the session: these look like rates in Hz; "
        f"counts are expected, rates times the bin",
        "counts",
    )


def _pretrained(protocol: Protocol, population: Any, on_progress: OnProgress) -> Any:
    settings: Any = protocol.pretraining
    (trained,) = pretraining.pretrained(
        settings, _kind(protocol), protocol.population, [population], protocol.timing, (protocol.seed,), on_progress
    )
    loss, most = pretraining.final_loss(trained), settings.loss_at_most
    if most is not None and not loss <= most:
        raise ProtocolError(
            f"pretraining.loss_at_most = {most:g}: the population of seed {protocol.seed} did not learn to reach, its "
            f"loss is {loss:.3g}; take another seed, or train it for longer",
            "pretraining.loss_at_most",
        )
    return trained.population


def _arrays(config: Any, limit: MemoryLimit | None) -> dict[str, Any]:
    path: Path | None = getattr(config, "file", None)
    return {} if path is None else load_npz(path, None if limit is None else limit.most)


def refitted(protocol: Protocol, parameters: Parameters, day: int, arbitrary: bool) -> Any:
    """A decoder of the same readouts, fitted to a calibration at the start of `day`; its directions may be arbitrary.

    Raises NumericalError or ArrayError where that calibration determines no decoder.
    """
    config: Any = protocol.decoder
    kind = registry.find("decoders", config.kind)
    recorded = calibrate(protocol, parameters.population, day=day)
    if parameters.lost is not None:
        recorded.counts[:, parameters.lost] = 0
    if parameters.readouts is not None:
        recorded = recorded._replace(counts=recorded.counts[:, parameters.readouts])
    decoder = kind.load(kind.fit(recorded, config.calibration, config))
    return arbitrary_directions(protocol, kind, decoder, day) if arbitrary else decoder
