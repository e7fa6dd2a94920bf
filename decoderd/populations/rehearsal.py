"""Many trials of a recurrent network at once, in arrays written in place: what `network.rates` does tick by tick.

What comes in is delayed, so at any time the inputs of as many ticks as the delay is long are known, and go through the
input weights in one product. Both agree to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from decoderd.arrays import Array
from decoderd.populations.network import Parameters, Plan, cues, initial
from decoderd.populations.products import rows
from decoderd.populations.trace import Trace
from decoderd.state import HOLD, POSITION, REACH, Reaches


class Rehearsal:
    """See `populations.Rehearsal`."""

    def __init__(self, plan: Plan, parameters: Parameters, reaches: Reaches, tables: Mapping[str, Array]) -> None:
        self._plan, self._reaches = plan, reaches
        lead, (n, m), dtype = reaches.goal.shape[:-1], parameters.U.shape[-2:], plan.a.dtype
        E, U, W = (part.swapaxes(-1, -2) for part in (parameters.E, parameters.U, parameters.W))
        parts = [E[..., :2, :] * plan.scale, E[..., 2:, :], parameters.c[..., np.newaxis, :]]
        self._E = np.concatenate(parts, axis=-2, dtype=dtype)
        lead, trials = lead[:-1], lead[-1]
        self._s = np.ones((*lead, reaches.ticks, trials, 7 + plan.hold_cue), dtype)  # position, cues and 1
        change = max(0, reaches.ticks - reaches.hold_ticks)
        for phase, of in ((REACH, slice(change)), (HOLD, slice(change, None))):
            told = cues(plan, reaches.goal, phase, (*lead, trials))
            self._s[..., of, :, 2:-1] = told[..., np.newaxis, :, :]
        self._U = np.multiply(U, plan.a, order="C")
        self._W = np.multiply(W, plan.a, order="C")
        self._b = (plan.a * parameters.b)[..., np.newaxis, :]
        self._v = initial(plan, tables["initial"][0])
        self._r = np.empty((*lead, reaches.ticks + 1, trials, n), dtype)
        np.maximum(self._v, 0, out=self._r[..., 0, :, :])
        self._xi = np.ascontiguousarray(np.moveaxis(tables["noise"], 0, -3))
        self._e = np.empty((*lead, reaches.ticks, trials, m), dtype)
        together = max(1, plan.delay)  # ticks of which the input is known at once
        self._drive = np.empty((*lead, together, trials, n), dtype)
        self._hz = np.empty(self._v.shape)
        self._noise = np.empty((*lead, together * trials, n), dtype)
        # Rectified by arrays of zeros, which takes half the time of a single one.
        self._no_rates, self._no_input = np.zeros_like(self._v), np.zeros((*lead, together * trials, m), dtype)
        self._first, self._known = 0, 0  # of the ticks whose drive is there

    def rates(self, t: int, cursors: Array) -> Array:
        """Hz (..., B, N) of tick t, by cursors (T + 1, ..., B, 4) of which those up to t are there."""
        if t == self._known:
            self._take_in(t, cursors)
        v, r = self._v, self._r[..., t + 1, :, :]
        v *= self._plan.keep
        v += self._r[..., t, :, :] @ self._W
        v += self._drive[..., t - self._first, :, :]
        np.maximum(v, self._no_rates, out=r)
        return np.multiply(r, self._plan.hz, out=self._hz)

    def _take_in(self, first: int, cursors: Array) -> None:
        """All that drives the network from tick `first` on but the network itself, as far as it is known."""
        plan = self._plan
        until = min(first + max(1, plan.delay), self._reaches.ticks)
        s, e, xi = (rows(part[..., first:until, :, :]) for part in (self._s, self._e, self._xi))
        drive = rows(self._drive[..., : until - first, :, :])
        shown = cursors[np.maximum(np.arange(first, until) - plan.delay, 0)]
        s[..., :2] = rows(np.moveaxis(shown[..., POSITION], 0, -3))
        np.matmul(s, self._E, out=e)
        np.maximum(e, self._no_input[..., : e.shape[-2], :], out=e)
        np.matmul(e, self._U, out=drive)
        drive += self._b
        drive += np.multiply(plan.noise, xi, out=self._noise[..., : xi.shape[-2], :])
        self._first, self._known = first, until

    def trace(self) -> Trace:
        """Of all ticks."""
        return Trace(self._r, self._xi, self._e)
