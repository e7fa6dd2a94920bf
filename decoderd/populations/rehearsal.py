"""Many trials of a recurrent network at once, in arrays written in place: what `network.rates` does tick by tick.

What comes in is delayed, so at any time the inputs of as many ticks as the delay is long are known, and go through the
input weights in one product. Both agree to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from decoderd.arrays import Array
from decoderd.populations.network import Parameters, Plan, cues, initial
from decoderd.populations.trace import Trace
from decoderd.state import HOLD, POSITION, REACH, Reaches

_ZERO = np.array(0.0)


class Rehearsal:
    """See `populations.Rehearsal`."""

    def __init__(self, plan: Plan, parameters: Parameters, reaches: Reaches, tables: Mapping[str, Array]) -> None:
        self._plan, self._reaches = plan, reaches
        lead, (n, m) = reaches.goal.shape[:-1], parameters.U.shape[-2:]
        E, U, W = (part.swapaxes(-1, -2) for part in (parameters.E, parameters.U, parameters.W))
        self._E = np.concatenate([E[..., :2, :] * plan.scale, E[..., 2:, :], parameters.c[..., np.newaxis, :]], axis=-2)
        self._E = self._E[..., np.newaxis, :, :]
        self._s = np.ones((*lead, reaches.ticks, 7 + plan.hold_cue))  # position, cues and 1
        change = max(0, reaches.ticks - reaches.hold_ticks)
        for phase, of in ((REACH, slice(change)), (HOLD, slice(change, None))):
            self._s[..., of, 2:-1] = cues(plan, reaches.goal, phase, lead)[..., np.newaxis, :]
        self._U = np.multiply(U, plan.a, order="C")[..., np.newaxis, :, :]
        self._W = np.multiply(W, plan.a, order="C")
        self._b = (plan.a * parameters.b)[..., np.newaxis, np.newaxis, :]
        self._v = initial(plan, tables["initial"][0])
        self._r = np.empty((*lead, reaches.ticks + 1, n))
        np.maximum(self._v, _ZERO, out=self._r[..., 0, :])
        self._xi = np.moveaxis(tables["noise"], 0, -2)
        self._e = np.empty((*lead, reaches.ticks, m))
        self._drive = np.empty((*lead, max(1, plan.delay), n))
        self._first, self._known = 0, 0  # of the ticks whose drive is there

    def rates(self, t: int, cursors: Array) -> Array:
        """Hz (..., B, N) of tick t, by cursors (T + 1, ..., B, 4) of which those up to t are there."""
        if t == self._known:
            self._take_in(t, cursors)
        v, r = self._v, self._r[..., t + 1, :]
        v *= self._plan.keep
        v += self._r[..., t, :] @ self._W
        v += self._drive[..., t - self._first, :]
        return np.maximum(v, _ZERO, out=r) * self._plan.hz

    def _take_in(self, first: int, cursors: Array) -> None:
        """All that drives the network from tick `first` on but the network itself, as far as it is known."""
        plan = self._plan
        until = min(first + max(1, plan.delay), self._reaches.ticks)
        s, e = (part[..., first:until, :] for part in (self._s, self._e))
        shown = cursors[np.maximum(np.arange(first, until) - plan.delay, 0)]
        s[..., :2] = np.moveaxis(shown[..., POSITION], 0, -2)
        np.matmul(s, self._E, out=e)
        np.maximum(e, _ZERO, out=e)
        drive = np.matmul(e, self._U, out=self._drive[..., : until - first, :])
        drive += self._b
        drive += plan.noise * self._xi[..., first:until, :]
        self._first, self._known = first, until

    def trace(self) -> Trace:
        """Of all ticks."""
        return Trace(self._r, self._xi, self._e)
