"""A quiet tick of many sessions: population, decoder and effector, on rows of arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.batch.gathering import Shown
from decoderd.batch.perturbed import Perturbed
from decoderd.populations import Spikes
from decoderd.rng import Draws
from decoderd.session.assembly import Session
from decoderd.state import POSITION, Command


class Numbers(NamedTuple):
    """What changes in the quiet ticks of S sessions, and the parameters by which it does."""

    parameters: Any  # of the populations
    population: Any
    readout: Any  # parameters of the decoders, as perturbed
    decoder: Any
    effector: Array
    velocity: Array  # (S, 2), as decoded last
    total: Array  # (S, N) counts of the bin
    reads: NDArray[np.int64] | None  # (S, M): the units that each decoder reads; None: all
    lost: NDArray[np.bool_] | None  # (S, N): the units that are no longer recorded; None: none


class QuietTick(NamedTuple):
    """What a quiet tick makes of the numbers."""

    numbers: Numbers
    rates: Array  # (S, N) Hz, as perturbed
    counts: Spikes  # (S, N) by channel
    cursor: Array  # (S, 4), at the beginning of the tick
    carried_out: Array  # (S, 2) m/s: the velocity after the perturbations of the cursor
    read: Array | None  # (S, M): the counts that the decoders read, at the end of a bin


def quiet_tick(
    session: Session,
    numbers: Numbers,
    cursor: Array,
    shown: Shown,
    perturbed: Perturbed,
    draws: Draws,
    bin_tick: int,
) -> QuietTick:
    """Compute a tick of all sessions, the `bin_tick`-th of a bin; `session` is any of them.

    The order is that of `session.step`. Raises NumericalError where population or decoder of any session fails.
    """
    population, decoder, goal = session.population.side_by_side, session.decoder.side_by_side, shown.goal
    assert population is not None  # or no tick is quiet, see `quiet.restless`
    assert decoder is not None
    plan, parameters = session.population_plan, numbers.parameters
    seen = perturbed.passed("feedback", cursor, goal, cursor)
    state, rates = population.rates(plan, parameters, numbers.population, goal, shown.phase, seen, bin_tick, draws)
    rates = perturbed.passed("neural", rates, goal, cursor)
    state, counts = population.spikes(plan, parameters, state, rates, draws)
    if numbers.lost is not None:
        counts = {channel: np.where(numbers.lost, array.dtype.type(0), array) for channel, array in counts.items()}
    total = counts[session.channel] + (numbers.total if bin_tick else 0.0)
    estimate, velocity, read = numbers.decoder, numbers.velocity, None
    if bin_tick == session.timing.bin_ticks - 1:
        read = total if numbers.reads is None else np.take_along_axis(total, numbers.reads, axis=1)
        estimate, command = decoder.step(numbers.readout, estimate, read, cursor[:, POSITION])
        velocity = command.velocity.copy()  # it may be a part of the estimate, and rows are replaced in place
    carried_out = perturbed.passed("cursor", Command(velocity, None), goal, cursor)
    # One matrix moves all effectors. BLAS adds in another order for several rows than for one, so each is moved alone.
    apart = Command(carried_out.velocity[:, np.newaxis], None)
    effector = session.effector.step(session.effector_plan, numbers.effector[:, np.newaxis], apart)[:, 0]
    following = numbers._replace(population=state, decoder=estimate, effector=effector, velocity=velocity, total=total)
    return QuietTick(following, rates, counts, cursor, carried_out.velocity, read)
