"""Short-term plasticity of synapses: what a presynaptic spike releases depends on the spikes before it.

Tsodyks & Markram (1997), with a step of facilitation f of its own. A spike releases u x; then x loses u x and u gains
f (1 - u). Between spikes x returns to 1 with tau_d, and u to U with tau_f. Depressing synapses pass on the rate of
events, facilitating ones that of bursts (Payeur et al. 2021).

All synapses of a presynaptic neuron are alike, so there is one x and one u a neuron. They are brought up to date at its
spikes alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.spiking.synapses import Indices


class Law(NamedTuple):
    """Constants of a kind of synapses."""

    recovery_s: float  # tau_d
    facilitation_s: float  # tau_f
    rest: float  # U
    gain: float  # f


FACILITATING = Law(recovery_s=0.1, facilitation_s=0.1, rest=0.02, gain=0.1)
DEPRESSING = Law(recovery_s=0.02, facilitation_s=1.0, rest=0.9, gain=0.1)


@stored("spiking.short_term")
class Resources(NamedTuple):
    """State of the synapses of M presynaptic neurons, (M,) each, as it was at `at_s`."""

    available: Array  # x
    used: Array  # u, the part of what is available that a spike releases
    at_s: Array


def rested(law: Law, number: int) -> Resources:
    """Synapses of `number` neurons that have not fired."""
    return Resources(np.ones(number), np.full(number, law.rest), np.zeros(number))


def released(law: Law, resources: Resources, spiking: Indices, now_s: float) -> tuple[Resources, Array]:
    """Resources after a spike of each neuron in `spiking` (K,), and what each releases (K,), from 0 to 1."""
    passed = now_s - resources.at_s[spiking]
    x = 1.0 + (resources.available[spiking] - 1.0) * np.exp(-passed / law.recovery_s)
    u = law.rest + (resources.used[spiking] - law.rest) * np.exp(-passed / law.facilitation_s)
    amount = u * x
    available, used, at_s = (field.copy() for field in resources)
    available[spiking], used[spiking], at_s[spiking] = x - amount, u + law.gain * (1.0 - u), now_s
    return Resources(available, used, at_s), amount
