"""Types that components pass to one another, and the state of a session.

Every array here has a leading batch axis of B parallel trials or seeds; a session is a batch of one.
No array is changed in place: a step returns new ones, so an older state stays a valid checkpoint.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.checkpoint import stored

# A cursor is one array (B, 4): x, y in metres, vx, vy in metres per second.
POSITION = slice(0, 2)
VELOCITY = slice(2, 4)


# A tick that no session reaches.
NEVER = sys.maxsize

# Phases of a trial, as numbered in cues and messages.
REST, CENTRE, CENTRE_HOLD, REACH, HOLD = range(5)


class TimeIndex(NamedTuple):
    """A time in a session: tick, day, and ticks since the day and the bin began. Ticks count from 0, days from 1."""

    tick: int
    day: int
    day_tick: int  # ticks since the day began
    bin_tick: int  # ticks since the decoder's bin began


class Timing(NamedTuple):
    """Length of a tick, and of the decoder's bin, which is a whole number of ticks."""

    tick_s: float
    bin_ticks: int

    @property
    def bin_s(self) -> float:
        """Length of a bin in seconds."""
        return self.tick_s * self.bin_ticks


@stored("cue")
class Cue(NamedTuple):
    """What the task shows at a tick: the goal, the phase of the trial, and events of this tick."""

    goal: Array | None  # (B, 2) m
    radius_m: float  # of the goal
    phase: int
    target: int  # index of the trial's target, -1 where targets have no index
    trial: int  # trials since the session began
    start: Array | None  # (B, 2) m: put the effector here, at rest; None: do not move it
    events: tuple[Event, ...]


class Reaches(NamedTuple):
    """Starts, goals and lengths of a batch of trials, all known in advance."""

    start: Array  # (..., B, 2) m
    goal: Array  # (..., B, 2) m
    ticks: int
    hold_ticks: int  # the last of them, in which the target has to be held


@stored("event")
class Event(NamedTuple):
    """A change of a trial's phase. The event that ends the trial has its `outcome`."""

    phase: int
    outcome: str | None


@stored("command")
class Command(NamedTuple):
    """The decoder's output, which controls the effector.

    `velocity` is a velocity in m/s for the cursor, a force in N for the point mass, torques in N m at shoulder and
    elbow for the two-link arm.
    """

    velocity: Array  # (B, 2), in the effector's unit
    correction: Array | None  # (B, 2) m, added to the position at the end of a bin


@stored("observation")
class Observation(NamedTuple):
    """A decoder's observation model, y = C x + q with q ~ N(0, Q): M observed, n states."""

    C: Array  # (M, n)
    Q: Array  # (M, M)


@stored("log_linear")
class LogLinear(NamedTuple):
    """A point-process decoder's observation model: M units with expected counts exp(beta x), n states."""

    beta: Array  # (M, n)
    law: str  # of the counts: poisson or bernoulli, see `analysis.log_linear`


@stored("progress")
class Progress(NamedTuple):
    """The session's place in its schedule, and its trials so far."""

    day: int
    block: int  # index into the blocks of the protocol
    day_tick: int  # session tick at which the day began
    block_tick: int  # session tick at which the block began
    day_trial: int  # trials finished before the day began
    block_trial: int  # trials finished before the block began
    trials: int  # finished
    successes: int
    day_successes: int  # successes before the day began
    done: bool


@stored("trial_log")
class TrialLog(NamedTuple):
    """The current trial; at its end it becomes a row of the trial table."""

    trial: int
    start_tick: int
    go_tick: int  # -1 until the go cue
    target: int  # index, -1 until the go cue or without one
    place: Array | None  # (1, 2) m, of the target; None until the go cue
    names: tuple[str, ...]  # of perturbations that were on during the trial


@stored("perturbing")
class Perturbing(NamedTuple):
    """A perturbation of a session that is waiting, on, or past."""

    spec: Any  # its validated config
    onset: int  # tick at which it came on, -1 while it waits
    offset: int  # tick at which it went off, -1 until then
    memory: Any  # of its transform


@stored("readout")
class Readout(NamedTuple):
    """The decoder's parameters as perturbed, and the amount of each perturbation."""

    amounts: tuple[tuple[str, float], ...]
    parameters: Any
    # Of all perturbations that turn movements, as the population knows them; None: it does not know this decoder yet.
    known: tuple[tuple[str, float], ...] | None = None


@stored("parameters")
class Parameters(NamedTuple):
    """Arrays that change only overnight, by plasticity, by an updater or by a decoder swap."""

    population: Any
    decoder: Any
    readouts: NDArray[np.int64] | None = None  # units the decoder reads, in its order; None: all
    lost: NDArray[np.int64] | None = None  # units that are no longer recorded


@stored("bin_counts")
class BinCounts(NamedTuple):
    """Spike counts of the decoder's current bin."""

    ticks: tuple[Mapping[str, NDArray[Any]], ...]  # (B, N) by channel, a tick each
    # Of the channel that the decoder reads. Summed tick by tick, so that the tick that ends a bin takes no longer than
    # others.
    total: Array  # (B, N); (1, 1) before the first tick


EMPTY_BIN = BinCounts((), np.zeros((1, 1)))


@stored("clipped")
class Clipped(NamedTuple):
    """Rates above the limit of the population, taken as the limit: how many, and the first of them."""

    unit_ticks: int  # units that were clipped, summed over ticks
    tick: int  # of the first; -1 before
    unit: int
    expected: float  # spikes in that tick
    cause: str  # what drove it


NEVER_CLIPPED = Clipped(0, -1, -1, 0.0, "")


@stored("session")
class SessionState(NamedTuple):
    """Everything that changes in a session. A checkpoint is this state."""

    tick: int
    progress: Progress
    parameters: Parameters
    task: Any
    population: Any
    decoder: Any
    effector: Any
    plasticity: Any
    trace: tuple[Any, ...]  # ticks of the current trial, for plasticity
    readout: Readout
    command: Command
    bin: BinCounts
    perturbations: tuple[Perturbing, ...]
    log: TrialLog
    sequences: Mapping[str, int]  # next sequence number by topic; not of `tick`, whose number is the tick
    updater: Any = None  # state of the updater; None without one
    clipped: Clipped = NEVER_CLIPPED


def still(batch: int) -> Command:
    """The command before the first bin is decoded: velocity 0."""
    velocity = np.zeros((batch, 2))
    return Command(velocity, None)


def time_index(state: SessionState) -> TimeIndex:
    """Where in time the next tick of a session is."""
    tick, progress = state.tick, state.progress
    return TimeIndex(tick, progress.day, tick - progress.day_tick, len(state.bin.ticks))
