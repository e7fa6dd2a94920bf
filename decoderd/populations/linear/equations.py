"""Equations of the static linear network with Gaussian noise of Payeur, Orsborn & Lajoie (2023).

    v = A (b + U x + xi),   A = (I - W)^-1,   xi ~ N(0, s I),   x = x_k + B_k zeta,   zeta ~ N(0, I)

x_k is the input of target k: K numbers of which one is 1, or a pattern of higher dimension, which may be noisy.
N units, K targets, D inputs, m dimensions of input noise. The position reached is linear in the activity, G v with
G (2, N); let Z = G A. With d the mean error, position reached less target, the mean squared error and its gradients
are

    |d|^2 + s |Z|^2 + |Z U B_k|^2
    d/dW = 2 Z' (d mu' + s Z A' + Z U B_k (A U B_k)')     d/dU = 2 Z' (d x_k' + Z U B_k B_k')     d/db = 2 Z' d

with mu = A (b + U x_k) the mean activity. Nothing is sampled.

Every function takes any number of axes in front, of seeds; those with an axis of trials B name it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array, transposed


class Gradients(NamedTuple):
    """Gradients of a loss by recurrent weights, input weights and biases."""

    W: Array  # (..., N, N)
    U: Array  # (..., N, D)
    b: Array  # (..., N)


class Noise(NamedTuple):
    """Private noise of the units, and noise of their input, of B trials."""

    variance: float | Array  # s, of the private noise
    unit_patterns: Array  # (..., B, N, m) U B_k: input noise as it reaches the units
    patterns: Array  # (..., B, D, m) B_k


def targets(number: int) -> Array:
    """Positions (2, K) of targets, evenly spaced on the unit circle from (1, 0) counter-clockwise."""
    angle = 2 * np.pi * np.arange(number) / number
    return np.array([np.cos(angle), np.sin(angle)])


def recurrent(generator: np.random.Generator, units: int, exponent: float) -> Array:
    """Draw recurrent weights W (N, N) ~ N(0, N^-2a).

    Exponent a = 0.55 starts in the lazy regime of learning, a = 1 in the rich one.
    """
    return generator.standard_normal((units, units)) * float(units) ** -exponent


def readout(generator: np.random.Generator, units: int) -> Array:
    """Draw the network's own readout V (2, N) ~ N(0, 1), scaled to the norm 0.2 sqrt(800/N)."""
    V = generator.standard_normal((2, units))
    return V * (0.2 * np.sqrt(800 / units) / np.linalg.norm(V))


def gain(W: Array) -> Array:
    """The gain A = (I - W)^-1 (..., N, N), from input to activity."""
    return np.linalg.inv(np.eye(W.shape[-1]) - W)


def mean_squared_error(Z: Array, error: Array, noise: Noise) -> Array:
    """Mean squared error (..., B) of B trials, from Z (..., B, 2, N) and the mean error d (..., B, 2)."""
    spread = Z @ noise.unit_patterns  # (..., B, 2, m)
    return (error**2).sum(axis=-1) + noise.variance * (Z**2).sum(axis=(-2, -1)) + (spread**2).sum(axis=(-2, -1))


def gradients(Z: Array, error: Array, noise: Noise, A: Array, means: Array, inputs: Array, amounts: Array) -> Gradients:
    """Gradients of the sum over trials of amounts (..., B) times `mean_squared_error`.

    means (..., B, N) are mu, inputs (..., B, D) x_k.
    """
    input_gradient = 2 * amounts[..., np.newaxis, np.newaxis] * Z  # (..., B, 2, N)
    spread = Z @ noise.unit_patterns  # (..., B, 2, m)
    private = noise.variance * (Z @ transposed(A)[..., np.newaxis, :, :])
    of_W = error[..., np.newaxis] * means[..., np.newaxis, :] + private
    of_W = of_W + spread @ transposed(A[..., np.newaxis, :, :] @ noise.unit_patterns)
    of_U = error[..., np.newaxis] * inputs[..., np.newaxis, :] + spread @ transposed(noise.patterns)
    b = (input_gradient * error[..., np.newaxis]).sum(axis=(-3, -2))
    return Gradients(_outer_sum(input_gradient, of_W), _outer_sum(input_gradient, of_U), b)


def _outer_sum(left: Array, right: Array) -> Array:
    """Sum (..., N, M) over trials and both axes of the outer products of rows (..., B, 2, N) and (..., B, 2, M)."""
    left, right = (part.reshape(*part.shape[:-3], -1, part.shape[-1]) for part in (left, right))
    return transposed(left) @ right
