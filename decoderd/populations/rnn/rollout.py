"""A batch of trials of the recurrent network, in arrays written in place: `equations.rates` for many trials at once.

Feedback is delayed. So the inputs of as many ticks as the delay is long are known in advance, and one matrix product
multiplies them by the input weights. Results agree with `equations.rates` to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from decoderd.arrays import Array, transposed
from decoderd.populations.contract import COUNTS, Spikes
from decoderd.populations.products import rows
from decoderd.populations.rnn.equations import Parameters, Plan, cues, initial
from decoderd.populations.rnn.trace import Trace
from decoderd.populations.spikes import poisson
from decoderd.state import HOLD, REACH, Reaches


class BatchRollout:
    """The batch rollout of population `rnn`: see `contract.BatchRollout`."""

    def __init__(self, plan: Plan, parameters: Parameters, reaches: Reaches, tables: Mapping[str, Array]) -> None:
        self._plan, self._reaches, self._tables = plan, reaches, tables
        lead, (n, m), dtype = reaches.goal.shape[:-1], parameters.U.shape[-2:], plan.a.dtype
        E, U, W = (transposed(part) for part in (parameters.E, parameters.U, parameters.W))
        parts = [E[..., :2, :] * plan.scale, E[..., 2:, :], parameters.c[..., np.newaxis, :]]
        self._E = np.concatenate(parts, axis=-2, dtype=dtype)
        lead, trials = lead[:-1], lead[-1]
        self._s = np.ones((*lead, reaches.ticks, trials, 7 + plan.hold_cue), dtype)  # position, cues and 1
        change = max(0, reaches.ticks - reaches.hold_ticks)
        for phase, of in ((REACH, slice(change)), (HOLD, slice(change, None))):
            entries = cues(plan, reaches.goal, phase, (*lead, trials))
            self._s[..., of, :, 2:-1] = entries[..., np.newaxis, :, :]
        self._U = np.multiply(U, plan.a, order="C")
        self._W = np.multiply(W, plan.a, order="C")
        self._b = (plan.a * parameters.b)[..., np.newaxis, :]
        self._v = initial(plan, tables["initial"][0])
        # Rates of past ticks, and drive of ticks ahead: with one array for both, memory is fetched once.
        self._r = np.empty((*lead, reaches.ticks + 1, trials, n), dtype)
        np.maximum(self._v, 0, out=self._r[..., 0, :, :])
        self._xi = np.ascontiguousarray(np.moveaxis(tables["noise"], 0, -3))
        self._e = np.empty((*lead, reaches.ticks, trials, m), dtype)
        ahead = max(1, plan.delay)  # ticks whose input is known at once
        self._recurrent = np.empty_like(self._v)
        self._per_rate = plan.hz * plan.tick_s  # expected counts at a rate of 1
        self._noise = np.empty((*lead, ahead * trials, n), dtype)
        # Arrays of zeros to rectify by: the maximum with an array takes half the time of that with a number.
        self._no_rates, self._no_input = np.zeros((trials, n), dtype), np.zeros((ahead * trials, m), dtype)
        self._known = 0  # ticks whose drive is computed

    def spikes(self, t: int, cursors: Array) -> Spikes:
        """Counts (..., B, N) of tick t by channel. Of the cursors (T + 1, ..., B, 4) rows 0..t are set."""
        plan = self._plan
        if t == self._known:
            self._drive(t, cursors)
        v, r = self._v, self._r[..., t + 1, :, :]
        v *= plan.keep
        v += np.matmul(self._r[..., t, :, :], self._W, out=self._recurrent)
        v += r
        np.maximum(v, self._no_rates, out=r)
        expected = r * self._per_rate
        return {COUNTS: poisson(expected, self._tables["spikes"][t], plan.clip) if plan.poisson else expected}

    def _drive(self, first: int, cursors: Array) -> None:
        """Compute input, bias and noise of the units from tick `first` on, for the ticks whose input is known."""
        plan = self._plan
        until = min(first + max(1, plan.delay), self._reaches.ticks)
        s, e, xi = (rows(part[..., first:until, :, :]) for part in (self._s, self._e, self._xi))
        drive = rows(self._r[..., first + 1 : until + 1, :, :])
        shown = cursors[np.maximum(np.arange(first, until) - plan.delay, 0)]
        for axis in (0, 1):  # one coordinate of all trials at a time is twice as fast
            self._s[..., first:until, :, axis] = np.moveaxis(shown[..., axis], 0, -2)
        np.matmul(s, self._E, out=e)
        np.maximum(e, self._no_input[: e.shape[-2]], out=e)
        np.matmul(e, self._U, out=drive)
        drive += self._b
        drive += np.multiply(plan.noise, xi, out=self._noise[..., : xi.shape[-2], :])
        self._known = until

    def trace(self) -> Trace:
        """The trace of all ticks."""
        return Trace(self._r, self._xi, self._e)
