"""Feedback that is learnt from the loop: what the events of each unit did to the velocity displayed.

A unit fires more or fewer events than its rate says. This noise comes from no intent, so that it is related to what the
cursor does next through the decoder alone. Each unit keeps a trace x of its own noise, and regresses the changes dv of
the displayed velocity on it:

    x <- x exp(-dt / tau) + (events - rate dt)
    C <- C + a (x dv - C),    V <- V + a (x^2 - V),    K = C / V

with a = dt / memory and tau a bin. All of it is local to the unit but dv, which all units see. It is node perturbation
with the noise that is there (Lansdell, Prakash & Kording 2020; Akrout et al. 2019). What the loop makes of the noise
later, as the decoder smooths and the subject corrects, is the same linear function of each unit's weights: it turns all
rows of K alike.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.state import Timing


class Learning(NamedTuple):
    """Constants of learning, computed once."""

    keep: float  # of a trace, from one tick to the next
    rate: float  # part of the averages that a tick replaces


@stored("populations.learnt_feedback")
class Experience(NamedTuple):
    """What units remember: their noise, and its averages with the movement of the cursor."""

    velocity: Array  # (B, 2) m/s, as displayed last
    trace: Array  # (B, N) events more than expected
    moved: Array  # (B, N, 2) average of trace times change of velocity
    squared: Array  # (B, N) average of the square of the trace


def plan(memory_s: float, timing: Timing) -> Learning:
    """Constants: traces last for about a bin of the decoder."""
    return Learning(float(np.exp(-timing.tick_s / timing.bin_s)), timing.tick_s / memory_s)


def begin(kept: Experience | None, batch: int, units: int) -> Experience:
    """The experience at the start of a day, of a cursor at rest: that kept from a session of one (B = 1), or none."""
    velocity, trace = np.zeros((batch, 2)), np.zeros((batch, units))
    if kept is None:
        return Experience(velocity, trace, np.zeros((batch, units, 2)), np.zeros((batch, units)))
    return Experience(velocity, trace, np.repeat(kept.moved, batch, axis=0), np.repeat(kept.squared, batch, axis=0))


def seen(learning: Learning, experience: Experience, velocity: Array) -> Experience:
    """The experience after a displayed velocity (B, 2) in m/s: its change is due to the events so far."""
    change, trace = velocity - experience.velocity, experience.trace
    a = learning.rate
    moved = (1 - a) * experience.moved + (a * trace)[:, :, np.newaxis] * change[:, np.newaxis]
    return Experience(velocity, trace, moved, (1 - a) * experience.squared + a * trace**2)


def fired(learning: Learning, experience: Experience, surplus: Array) -> Experience:
    """The experience after a tick with a surplus (B, N) of events over those expected."""
    return experience._replace(trace=learning.keep * experience.trace + surplus)


def matrix(experience: Experience) -> Array:
    """K (B, N, 2), scaled to rows of root mean square length 1; zeros without experience."""
    squared = experience.squared[:, :, np.newaxis]
    K = np.divide(experience.moved, squared, out=np.zeros(experience.moved.shape), where=squared > 0)
    length = np.sqrt((K**2).sum(axis=2).mean(axis=1))[:, np.newaxis, np.newaxis]
    return np.asarray(np.divide(K, length, out=K, where=length > 0))
