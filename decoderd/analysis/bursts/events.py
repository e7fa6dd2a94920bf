"""The events of a spike train: isolated spikes, and bursts as a whole."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from decoderd.arrays import Array, check_array
from decoderd.errors import ArrayError

THRESHOLD_S = 0.016  # the longest interval within a burst, of Payeur et al. 2021

# Intervals that exceed the threshold by less are at it: times in floating point are off by that.
ROUNDING_S = 1e-9


class Events(NamedTuple):
    """A unit's spikes, and which of them begin an event."""

    spikes_s: Array  # (S,) s, ascending
    first: NDArray[np.intp]  # (E,) places of first spikes, ascending

    @property
    def times_s(self) -> Array:
        """Times (E,) of the events' first spikes, s."""
        return self.spikes_s[self.first]

    @property
    def sizes(self) -> NDArray[np.intp]:
        """Spikes (E,) of each event; a burst has two or more."""
        return np.diff(self.first, append=len(self.spikes_s))

    @property
    def bursts_s(self) -> Array:
        """Times (B,) of the bursts' second spikes, s, at which rules of plasticity count a burst."""
        return self.spikes_s[self.first[self.sizes > 1] + 1]


def by_interval(spikes_s: ArrayLike, threshold_s: float = THRESHOLD_S) -> Events:
    """The events of ascending spike times (S,), s: spikes whose preceding interval exceeds the threshold.

    The first spike is one. Raises ArrayError for times that are not finite or not ascending, and for a threshold that
    is not positive. Payeur et al. 2021, Nat. Neurosci. 24.
    """
    spikes = _ascending(spikes_s)
    check_threshold(threshold_s)
    intervals = np.diff(spikes, prepend=-np.inf)
    return Events(spikes, np.flatnonzero(intervals > threshold_s + ROUNDING_S))


def by_trace(spikes_s: ArrayLike, tau_s: float = THRESHOLD_S) -> Events:
    """The events of ascending spike times (S,), s, as a spike trace finds them: spikes at which it is below 1/e.

    Each spike adds 1 to the trace, which decays with the time constant `tau_s`. One spike keeps it at 1/e or more for
    `tau_s`, two spikes for longer: 10 ms apart for 23 ms after the second, where `tau_s` is 16 ms. The published C++
    program of Payeur et al. 2021 detects events so. Time at risk and chance bursts in `fraction` are those of
    `by_interval`, not of this. Raises ArrayError as `by_interval` does.
    """
    spikes = _ascending(spikes_s)
    check_threshold(tau_s, "tau_s")
    kept = np.exp(-np.diff(spikes, prepend=-np.inf) / tau_s)
    limit = np.exp(-1.0 - ROUNDING_S / tau_s)
    first, trace = [], 0.0
    for spike, decay in enumerate(kept.tolist()):
        trace *= decay
        if trace < limit:
            first.append(spike)
        trace += 1.0
    return Events(spikes, np.array(first, dtype=np.intp))


def of_counts(counts: ArrayLike, tick_s: float, threshold_s: float = THRESHOLD_S) -> list[Events]:
    """The events, by interval, of each of N units, from spike counts (T, N) in ticks of `tick_s`.

    A spike is put in the middle of its tick. Spikes k ticks apart may have been up to a tick closer or farther; so a
    threshold half a tick above a multiple of the tick (16.5 ms at ticks of 1 ms) is the one that acts on average, and
    the one to give to `fraction`. Raises ArrayError for counts that are not whole numbers from 0, and for a threshold
    below the tick.
    """
    if not 0 < tick_s < np.inf:
        raise ArrayError(f"tick_s = {tick_s}: must be above 0 and finite", "tick_s")
    if threshold_s < tick_s:
        raise ArrayError(
            f"threshold_s = {threshold_s:g} is below the tick of {tick_s:g} s, which cannot resolve such intervals; "
            f"use shorter ticks or a longer threshold",
            "threshold_s",
        )
    table = counts
    if not isinstance(table, np.ndarray) or table.ndim != 2:
        table = check_array("counts", table, (None, None))
    return [by_interval(_middles(column, tick_s), threshold_s) for column in table.T]


def _middles(counts: NDArray[Any], tick_s: float) -> Array:
    """Times (S,) of a unit's spikes, in the middle of their ticks, from its counts (T,). Raises ArrayError."""
    whole = check_array("counts", counts, (None,))  # of one unit: all units as float64 may be more than the memory
    if (whole < 0).any() or (whole % 1).any():
        raise ArrayError("counts: some are not whole numbers from 0", "counts")
    fired = np.flatnonzero(whole)
    return np.repeat((fired + 0.5) * tick_s, whole[fired].astype(np.intp))


def check_threshold(threshold_s: float, name: str = "threshold_s") -> None:
    """Raise ArrayError unless a threshold is positive and finite."""
    if not 0 < threshold_s < np.inf:
        raise ArrayError(f"{name} = {threshold_s}: must be above 0 s and finite", name)


def _ascending(spikes_s: ArrayLike) -> Array:
    """Spike times (S,), of which there may be none. Raises ArrayError."""
    if np.shape(spikes_s) == (0,):
        return np.zeros(0)
    spikes = check_array("spikes_s", spikes_s, (None,))
    back = np.flatnonzero(np.diff(spikes) < 0)
    if len(back):
        before, spike = back[0], back[0] + 1
        raise ArrayError(
            f"spikes_s[{spike}] = {spikes[spike]:.6g} s comes after {spikes[before]:.6g} s; sort the spike times",
            "spikes_s",
        )
    return spikes
