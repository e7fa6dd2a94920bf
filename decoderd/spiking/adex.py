"""Adaptive exponential integrate-and-fire neurons, for inhibitory populations.

Brette & Gerstner (2005). In units of the leak conductance, with V the voltage and w the adaptation in V:

    tau dV/dt = E - V + D exp((V - theta) / D) + x (E_exc - V) + y (E_inh - V) - w + I / g
    tau_w dw/dt = a (V - E) - w

V > 0 is a spike: w gains b, and V is held at E for the refractory time, as in the published simulations of Payeur
et al. (2021); the reset voltage that they name has no effect. Euler steps: V from the values before the step, w from
the V after it; then the conductances decay.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.spiking.exponential import exponential
from decoderd.spiking.two_compartment import AMPA_S, GABA_S, INHIBITION_V, REST_V, drive

HIGHEST_V = 20e-3  # voltages are cut there, above the voltage of a spike


class Law(NamedTuple):
    """Constants of a kind of neurons; arrays (N,) where neurons differ."""

    leak_s: float | Array  # tau
    leak_siemens: float | Array  # g
    slope_v: float | Array  # D
    threshold_v: float | Array  # theta
    follows: float | Array  # a in units of the leak
    jump_v: float | Array  # b in units of the leak
    adaptation_s: float | Array  # tau_w
    refractory_s: float | Array


def law(
    *, rheobase_a: float, leak_siemens: float, leak_s: float, slope_v: float, refractory_s: float,
    follows_siemens: float = 0.0, jump_a: float = 0.0, adaptation_s: float = 1.0,
) -> Law:  # fmt: skip
    """The law of neurons that a constant current above `rheobase_a` makes fire.

    Of the threshold: the current at which the two fixed points of V meet (Touboul & Brette 2008), for a slow w.
    """
    follows = follows_siemens / leak_siemens
    threshold = REST_V + rheobase_a / (leak_siemens + follows_siemens) + slope_v - slope_v * np.log1p(follows)
    jump = jump_a / leak_siemens
    return Law(leak_s, leak_siemens, slope_v, float(threshold), follows, jump, adaptation_s, refractory_s)


PARVALBUMIN = law(rheobase_a=200e-12, leak_siemens=10e-9, leak_s=10e-3, slope_v=2e-3, refractory_s=1e-3)
SOMATOSTATIN = law(
    rheobase_a=25e-12,
    leak_siemens=5e-9,
    leak_s=20e-3,
    slope_v=4e-3,
    refractory_s=2e-3,
    follows_siemens=0.5e-9,
    jump_a=10e-12,
    adaptation_s=0.5,
)


def joined(laws: tuple[Law, ...], numbers: tuple[int, ...]) -> Law:
    """The law of several kinds of neurons one after the other, so many of each."""
    return Law(*(np.repeat(np.array(values), numbers) for values in zip(*laws, strict=True)))


@stored("spiking.adex")
class Neurons(NamedTuple):
    """State of N neurons, (N,) each; conductances in units of the leak."""

    voltage: Array
    adaptation: Array
    refractory: NDArray[np.int64]  # steps
    excitation: Array
    inhibition: Array


def at_rest(voltage: Array) -> Neurons:
    """Neurons at rest but for their voltages (N,)."""
    zero = np.zeros(voltage.shape)
    return Neurons(np.asarray(voltage, dtype=np.float64), zero, np.zeros(voltage.shape, np.int64), zero, zero)


def advanced(law: Law, neurons: Neurons, current_a: float | Array, dt_s: float) -> tuple[Neurons, NDArray[np.bool_]]:
    """Neurons after a step with currents (N,) in A, and which of them spike."""
    v, w, refractory, x, y = neurons
    upswing = law.slope_v * exponential((v - law.threshold_v) / law.slope_v)
    change = REST_V - v + upswing + drive(v, x, y) - w + current_a / law.leak_siemens
    v = np.clip(v + dt_s / law.leak_s * change, INHIBITION_V, HIGHEST_V)
    held = refractory > 0
    v = np.where(held, REST_V, v)
    spikes = v > 0
    v, w = np.where(spikes, REST_V, v), w + np.where(spikes, law.jump_v, 0.0)
    w = w + dt_s / law.adaptation_s * (law.follows * (v - REST_V) - w)
    silent = np.round(law.refractory_s / dt_s).astype(np.int64)
    left = np.where(spikes, silent, np.maximum(refractory - 1, 0))
    return Neurons(v, w, left, x * np.exp(-dt_s / AMPA_S), y * np.exp(-dt_s / GABA_S)), spikes
