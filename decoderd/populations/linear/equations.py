"""The static linear network with Gaussian noise of Payeur, Orsborn & Lajoie (2023), as equations.

    v = A (b + U x + xi),   A = (I - W)^-1,   xi ~ N(0, s I),   x = x_k + B_k zeta,   zeta ~ N(0, I)

x_k is the input of target k: one entry of K is 1, or a pattern of higher dimension; only in the second case is there
noise on it. N units, K targets, D inputs, m dimensions of input noise. What is moved is linear in the activity: let
Z = G A, where G (2, N) is how far it comes for the activity of each unit. With d the distance that is left to the
target on average, the mean of the squared distance, and its gradients, are

    |d|^2 + s |Z|^2 + |Z U B_k|^2
    d/dW = 2 Z' (d mu' + s Z A' + Z U B_k (A U B_k)')     d/dU = 2 Z' (d x_k' + Z U B_k B_k')     d/db = 2 Z' d

with mu = A (b + U x_k) the mean activity. Nothing is sampled.

Any number of axes may stand in front: seeds, and trials where a function says so.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array


class Gradients(NamedTuple):
    """Of a loss, by what may be plastic."""

    W: Array  # (..., N, N)
    U: Array  # (..., N, D)
    b: Array  # (..., N)


class Noise(NamedTuple):
    """Where the variance of activity comes from."""

    variance: float | Array  # s
    entering: Array  # (..., B, N, m): U B_k of each trial
    patterns: Array  # (..., B, D, m): B_k


def targets(number: int) -> Array:
    """(2, K): evenly spaced on the unit circle, from (1, 0) counter-clockwise."""
    angle = 2 * np.pi * np.arange(number) / number
    return np.array([np.cos(angle), np.sin(angle)])


def recurrent(generator: np.random.Generator, units: int, exponent: float) -> Array:
    """W (N, N) ~ N(0, N^-2a). a = 0.55 starts in the lazy regime of learning, a = 1 in the rich one."""
    return generator.standard_normal((units, units)) * float(units) ** -exponent


def readout(generator: np.random.Generator, units: int) -> Array:
    """V (2, N) ~ N(0, 1), scaled to the norm 0.2 sqrt(800/N)."""
    V = generator.standard_normal((2, units))
    return V * (0.2 * np.sqrt(800 / units) / np.linalg.norm(V))


def gain(W: Array) -> Array:
    """A = (I - W)^-1, (..., N, N)."""
    return np.linalg.inv(np.eye(W.shape[-1]) - W)


def mean_square(Z: Array, left: Array, noise: Noise) -> Array:
    """(..., B) of Z (..., B, 2, N) and what is left, d (..., B, 2)."""
    through = Z @ noise.entering
    return (left**2).sum(axis=-1) + noise.variance * (Z**2).sum(axis=(-2, -1)) + (through**2).sum(axis=(-2, -1))


def gradients(Z: Array, left: Array, noise: Noise, A: Array, means: Array, inputs: Array, amounts: Array) -> Gradients:
    """Of the sum over trials of amounts (..., B) times `mean_square`; means (..., B, N) mu, inputs (..., B, D) x_k."""
    input_gradient = 2 * amounts[..., np.newaxis, np.newaxis] * Z  # (..., B, 2, N)
    through = Z @ noise.entering  # (..., B, 2, m)
    felt = left[..., np.newaxis] * means[..., np.newaxis, :] + noise.variance * (Z @ _t(A)[..., np.newaxis, :, :])
    felt = felt + through @ _t(A[..., np.newaxis, :, :] @ noise.entering)
    came = left[..., np.newaxis] * inputs[..., np.newaxis, :] + through @ _t(noise.patterns)
    to_b = (input_gradient * left[..., np.newaxis]).sum(axis=(-3, -2))
    return Gradients(_summed(input_gradient, felt), _summed(input_gradient, came), to_b)


def _summed(input_gradient: Array, driving: Array) -> Array:
    """Sum over trials and both axes of the outer products of rows (..., B, 2, N) and (..., B, 2, M)."""
    one, other = (part.reshape(*part.shape[:-3], -1, part.shape[-1]) for part in (input_gradient, driving))
    return _t(one) @ other


def _t(matrices: Array) -> Array:
    return np.swapaxes(matrices, -1, -2)
