"""The burst-dependent rule: bursts strengthen, events weaken, and the moving burst probability sets the balance.

Payeur, Guerguiev, Zenke, Richards & Naud (2021), with event trains E(t) and burst trains B(t):

    dw_ij/dt = eta [B_i(t) - Pbar_i(t) E_i(t)] Etilde_j(t)        0 <= w_ij <= w_max
    Pbar_i = min(Bbar_i / Ebar_i, 1)                              1 where Ebar_i = 0

Etilde_j is the trace of the presynaptic events (+1 each, tau_pre). Ebar_i and Bbar_i are exponential averages of
postsynaptic events and bursts in Hz (+1/tau_avg each). Averages that start at 0 make Pbar 1, full depression: let them
run for several tau_avg before weights change. Homeostasis keeps event rates between e_min and e_max:

    -(Ebar_i - e_max)/Ebar_i      is added to the signal of every event and burst while Ebar_i > e_max
    eta (e_min - r_i)             is added to w_ij at every event of j while r_i < e_min

r_i is an average rate of unit i: Ebar_i, or a slower one.

A step in time is, in this order:

    trace, averages = decayed(trace, ...), passed(averages, ...)
    w_ij = bounded(rule, w_ij + low_i) for events of j, with low = silence(rule, r)
    trace = trace + events of j
    averages, signal = postsynaptic(rule, averages, events, bursts)
    w_ij = changed(rule, w_ij, signal_i, trace_j)

All functions work element by element on floats and arrays of any shape, and change nothing in place.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.checkpoint import stored


class Rule(NamedTuple):
    """Constants of the rule. With e_min_hz = 0 and e_max_hz = inf there is no homeostasis."""

    eta: float
    tau_pre_s: float
    tau_avg_s: float
    e_min_hz: float = 0.0
    e_max_hz: float = np.inf
    w_max: float = 1.0
    w_min: float = 0.0


@stored("plasticity.burst_rule.averages")
class Averages(NamedTuple):
    """Moving averages of the events and bursts of each postsynaptic unit in Hz, of one shape."""

    events: Array  # Ebar
    bursts: Array  # Bbar


def decayed(values: Array, duration_s: float | Array, tau_s: float) -> Array:
    """Traces or averages after a time without events."""
    return np.asarray(values * np.exp(-duration_s / tau_s))


def passed(averages: Averages, duration_s: float | Array, tau_s: float) -> Averages:
    """Averages after a time without events and bursts. Pbar stays as it is."""
    keep = np.exp(-duration_s / tau_s)
    return Averages(averages.events * keep, averages.bursts * keep)


def expected(averages: Averages) -> Array:
    """Pbar of each unit: bursts by events, at most 1; 1 for a unit without events."""
    known = averages.events > 0
    return np.where(known, np.minimum(averages.bursts / np.where(known, averages.events, 1.0), 1.0), 1.0)


def silence(rule: Rule, rate_hz: Array) -> Array:
    """Homeostasis of units below e_min: what each event of an input adds to its weight, 0 for other units."""
    return np.asarray(rule.eta * np.maximum(rule.e_min_hz - rate_hz, 0.0))


def excess(rule: Rule, averages: Averages) -> Array:
    """Homeostasis of units above e_max: what it takes from the signal of an event or burst, 0 for other units."""
    over = np.maximum(averages.events - rule.e_max_hz, 0.0)
    return np.asarray(over / np.where(over > 0, averages.events, 1.0))


def postsynaptic(rule: Rule, averages: Averages, events: NDArray[Any], bursts: NDArray[Any]) -> tuple[Averages, Array]:
    """Averages after the events and bursts of a step, and the signal by which the step multiplies traces.

    `events` and `bursts` are numbers of each unit, 0 or 1 in short steps. An event reads Pbar first and raises Ebar
    afterwards; a burst raises Bbar.
    """
    weaker = events * (expected(averages) + excess(rule, averages))
    raised = Averages(averages.events + events / rule.tau_avg_s, averages.bursts + bursts / rule.tau_avg_s)
    return raised, bursts * (1.0 - excess(rule, raised)) - weaker


def changed(rule: Rule, weights: Array, signal: Array, trace: Array) -> Array:
    """Weights after the signals of their postsynaptic units, at the traces of their presynaptic ones."""
    return bounded(rule, weights + rule.eta * signal * trace)


def bounded(rule: Rule, weights: Array) -> Array:
    """Weights between w_min and w_max."""
    return np.minimum(np.maximum(weights, rule.w_min), rule.w_max)
