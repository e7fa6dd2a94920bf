"""A pyramidal neuron of two compartments: a soma with a moving threshold, and a dendrite that answers with plateaus.

Payeur et al. (2021), equations of the methods. With V of the soma, U of the dendrite, s = logistic((U - E_d) / D):

    dV/dt = (E - V + drive_s) / tau_s + (g_s s + b w + I_s) / C_s        w: +1 at a spike, decays with tau_w
    dU/dt = (E - U + drive_d) / tau_d + (g_d s + a z + c K + I_d) / C_d  K: 1 for 2 ms after a spike
    dz/dt = (U - E - z) / tau_z,      dtheta/dt = (theta_0 - theta) / tau_theta      theta: +2 mV at a spike
    drive = x (E_exc - V) + y (E_inh - V)      x, y: conductances in units of the leak, +weight at a presynaptic spike

V > theta is a spike; V is then E. Both drives have the voltage of the soma, as in the published simulations. Euler
steps: drives of the conductances and voltages before the step; conductances decay; voltages, then w, z and theta.

Without coupling (`DRAWN`) bursts are drawn: P(burst) = logistic((U + 57 mV) / 6 mV) at each event; the second spike
follows after 5 to 15 ms. A neuron is refractory for 20 ms after each spike; it integrates all the while.

The functions work element by element on floats and arrays of any shape, and change nothing in place.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.checkpoint import stored
from decoderd.spiking.exponential import logistic

REST_V, THRESHOLD_V, THRESHOLD_STEP_V = -70e-3, -50e-3, 2e-3
EXCITATION_V, INHIBITION_V = 0.0, -80e-3
PLATEAU_V, DRAWN_V, SLOPE_V = -38e-3, -57e-3, 6e-3  # centres of the logistic functions, and their slope
SOMA_S, SOMA_F, SOMA_COUPLING_A = 16e-3, 370e-12, 1300e-12
DENDRITE_S, DENDRITE_F, DENDRITE_COUPLING_A = 7e-3, 170e-12, 1200e-12
ADAPTATION_S, ADAPTATION_A = 100e-3, -200e-12
RECOVERY_S, RECOVERY_SIEMENS = 30e-3, -13e-9
PULSE_S, PULSE_A = 2e-3, 2600e-12  # the action potential that travels back
THRESHOLD_S, AMPA_S, GABA_S = 27e-3, 5e-3, 10e-3
REFRACTORY_S, SECOND_S = 20e-3, (5e-3, 15e-3)  # of neurons whose bursts are drawn


class Factors(NamedTuple):
    """What the equations multiply by in a step of `dt_s`."""

    dt_s: float
    soma: float
    soma_coupling: float
    soma_current: float  # V per A
    adaptation: float
    dendrite: float
    dendrite_coupling: float
    dendrite_current: float  # V per A
    recovery: float
    pulse: float
    pulse_steps: int
    keep_adaptation: float
    follow_recovery: float
    follow_threshold: float
    keep_excitation: float
    keep_inhibition: float
    refractory_steps: int
    second_steps: tuple[int, int]


def factors(dt_s: float) -> Factors:
    """The factors of steps of `dt_s` seconds."""
    return Factors(
        dt_s=dt_s,
        soma=dt_s / SOMA_S,
        soma_coupling=dt_s * SOMA_COUPLING_A / SOMA_F,
        soma_current=dt_s / SOMA_F,
        adaptation=dt_s * ADAPTATION_A / SOMA_F,
        dendrite=dt_s / DENDRITE_S,
        dendrite_coupling=dt_s * DENDRITE_COUPLING_A / DENDRITE_F,
        dendrite_current=dt_s / DENDRITE_F,
        recovery=dt_s * RECOVERY_SIEMENS / DENDRITE_F,
        pulse=dt_s * PULSE_A / DENDRITE_F,
        pulse_steps=round(PULSE_S / dt_s),
        keep_adaptation=float(np.exp(-dt_s / ADAPTATION_S)),
        follow_recovery=dt_s / RECOVERY_S,
        follow_threshold=dt_s / THRESHOLD_S,
        keep_excitation=float(np.exp(-dt_s / AMPA_S)),
        keep_inhibition=float(np.exp(-dt_s / GABA_S)),
        refractory_steps=round(REFRACTORY_S / dt_s),
        second_steps=(round(SECOND_S[0] / dt_s), round(SECOND_S[1] / dt_s)),
    )


@stored("spiking.conductances")
class Conductances(NamedTuple):
    """Conductances of synapses in units of the leak, each (N,): excitation and inhibition of soma and dendrite."""

    soma_excitation: Array
    soma_inhibition: Array
    dendrite_excitation: Array
    dendrite_inhibition: Array


@stored("spiking.membranes")
class Membranes(NamedTuple):
    """Voltages in V and what follows them, each (N,)."""

    soma: Array
    threshold: Array
    adaptation: Array
    dendrite: Array
    recovery: Array


@stored("spiking.two_compartment")
class Neurons(NamedTuple):
    """State of N neurons. Pulse and second count steps down."""

    membranes: Membranes
    conductances: Conductances
    pulse: NDArray[np.int64]  # steps for which the pulse lasts; drawn bursts: steps for which the neuron is refractory
    second: NDArray[np.int64]  # drawn bursts: steps until the second spike; 0: none


def at_rest(soma_v: Array) -> Neurons:
    """Neurons at rest but for the voltages (N,) of their somata."""
    zero = np.zeros(np.shape(soma_v))
    membranes = Membranes(np.asarray(soma_v, dtype=np.float64), zero + THRESHOLD_V, zero, zero + REST_V, zero)
    none = np.zeros(np.shape(soma_v), dtype=np.int64)
    return Neurons(membranes, Conductances(zero, zero, zero, zero), none, none)


def drive(soma: Array, excitation: Array, inhibition: Array) -> Array:
    """Synaptic current by the leak, in V, at the voltage of the soma."""
    return excitation * (EXCITATION_V - soma) + inhibition * (INHIBITION_V - soma)


def faded(f: Factors, g: Conductances) -> Conductances:
    """Conductances after a step without presynaptic spikes."""
    return Conductances(
        g.soma_excitation * f.keep_excitation,
        g.soma_inhibition * f.keep_inhibition,
        g.dendrite_excitation * f.keep_excitation,
        g.dendrite_inhibition * f.keep_inhibition,
    )


def soma_after(f: Factors, m: Membranes, g: Conductances, plateau: Array, current_a: Array) -> Array:
    """Voltage of the soma after a step, before spikes; `plateau` is the activation of the dendrite, 0 to 1."""
    received = drive(m.soma, g.soma_excitation, g.soma_inhibition)
    soma: Array = m.soma + f.soma * (REST_V - m.soma + received)
    soma = soma + f.soma_coupling * plateau + f.adaptation * m.adaptation + f.soma_current * current_a
    return soma


def dendrite_after(f: Factors, m: Membranes, g: Conductances, plateau: Array, pulse: Array, current_a: Array) -> Array:
    """Voltage of the dendrite after a step; `pulse` is 1 while an action potential travels back, else 0."""
    received = drive(m.soma, g.dendrite_excitation, g.dendrite_inhibition)
    dendrite: Array = m.dendrite + f.dendrite * (REST_V - m.dendrite + received)
    dendrite = dendrite + f.dendrite_coupling * plateau + f.recovery * m.recovery + f.pulse * pulse
    dendrite = dendrite + f.dendrite_current * current_a
    return dendrite


def recovery_after(f: Factors, recovery: Array, dendrite: Array) -> Array:
    """Recovery variable of the dendrite after a step that leaves it at this voltage."""
    return recovery + f.follow_recovery * (dendrite - REST_V - recovery)


def threshold_after(f: Factors, threshold: Array) -> Array:
    """Threshold after a step without a spike."""
    return threshold + f.follow_threshold * (THRESHOLD_V - threshold)


def integrated(
    f: Factors, m: Membranes, g: Conductances, plateau: Array, pulse: Array, soma_a: Array, dendrite_a: Array
) -> Membranes:
    """Membranes after a step, before spikes."""
    soma, dendrite = soma_after(f, m, g, plateau, soma_a), dendrite_after(f, m, g, plateau, pulse, dendrite_a)
    adaptation, recovery = m.adaptation * f.keep_adaptation, recovery_after(f, m.recovery, dendrite)
    return Membranes(soma, threshold_after(f, m.threshold), adaptation, dendrite, recovery)


def plateau(dendrite: Array) -> Array:
    """Activation of the dendrite, 0 to 1, at its voltage."""
    return logistic((dendrite - PLATEAU_V) * (1.0 / SLOPE_V))


def burst_probability(dendrite: Array) -> Array:
    """P(burst) of neurons whose bursts are drawn, at the voltage of the dendrite."""
    return logistic((dendrite - DRAWN_V) * (1.0 / SLOPE_V))


def reset(m: Membranes, spikes: Array) -> Membranes:
    """Membranes after spikes, 0 or 1."""
    return Membranes(
        np.where(spikes > 0, REST_V, m.soma),
        m.threshold + THRESHOLD_STEP_V * spikes,
        m.adaptation + spikes,
        m.dendrite,
        m.recovery,
    )


def advanced(f: Factors, neurons: Neurons, soma_a: Array, dendrite_a: Array) -> tuple[Neurons, NDArray[np.bool_]]:
    """Neurons after a step with currents (N,) or scalars in A, and which of them spike."""
    m, g = neurons.membranes, neurons.conductances
    pulse = (neurons.pulse > 0) * 1.0
    m = integrated(f, m, g, plateau(m.dendrite), pulse, soma_a, dendrite_a)
    spikes = m.soma > m.threshold
    left = np.where(spikes, f.pulse_steps, np.maximum(neurons.pulse - 1, 0))
    return Neurons(reset(m, spikes * 1.0), faded(f, g), left, neurons.second), spikes


def advanced_with_drawn_bursts(
    f: Factors, neurons: Neurons, soma_a: Array, dendrite_a: Array, uniform: Array
) -> tuple[Neurons, NDArray[np.bool_]]:
    """Neurons without coupling after a step, and which of them spike; `uniform` (N,) in [0, 1) draws their bursts.

    A number is used if its neuron begins an event: below P it makes a burst, and number / P sets when. One number may
    serve as many steps as a neuron is refractory.
    """
    m = integrated(f, neurons.membranes, neurons.conductances, 0.0, 0.0, soma_a, dendrite_a)  # type: ignore[arg-type]
    refractory, second = np.maximum(neurons.pulse - 1, 0), np.maximum(neurons.second - 1, 0)
    begins = (m.soma > m.threshold) & (refractory == 0)
    follows = (neurons.second == 1) & ~begins
    p = burst_probability(m.dendrite)
    low, high = f.second_steps
    after = low + (uniform / p * (high - low + 1)).astype(np.int64)
    second = np.where(begins, np.where(uniform < p, after, 0), second)
    spikes = begins | follows
    refractory = np.where(spikes, f.refractory_steps, refractory)
    return Neurons(reset(m, begins * 1.0), faded(f, neurons.conductances), refractory, second), spikes
