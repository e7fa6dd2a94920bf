"""Static linear networks with Gaussian noise that learn K targets by exact gradient descent (Payeur et al. 2023).

    v = A (b + U x + xi),   A = (I - W)^-1,   xi ~ N(0, s I)        u = V v

One-hot input x, one entry for each target t_k = (cos 2 pi k / K, sin 2 pi k / K). Activity has mean mu_k = A (b + U_k)
and covariance S = s A A' for every target, so that the expected loss is known exactly, without sampling:

    L = tr(V S V')/2 + sum_k |V mu_k - t_k|^2 / 2K

(Payeur, Orsborn & Lajoie 2023; see `decoderd.populations.linear.equations`). With Z = V A and errors
e_k = V mu_k - t_k, its gradients are

    dL/dW = Z' H A',   H = s Z + sum_k e_k (b + U_k)' / K        dL/dU_k = Z' e_k / K        dL/db = sum_k Z' e_k / K

dL/dW has rank two: a step W - r Z' Q with Q = H A' changes A by the Sherman-Morrison-Woodbury identity,

    A - r A Z' (I + r Q A Z')^-1 Q A,

a few products of A with two rows. A is inverted again every `UPDATES_PER_INVERSION` updates, and the
rounding error of the steps is recorded.

Learning from samples has the same form. With one sample v_k of activity for each target, the gradient of the mean of
|V v_k - t_k|^2 / 2 has the same Z, and Q = sum_k (V v_k - t_k) v_k' / K.

All arrays have a leading batch axis of B networks (seeds, perturbations, learning rates); no network affects another.
N units, K targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.analysis import stability
from decoderd.arrays import Array, transposed
from decoderd.errors import NumericalError
from decoderd.populations.linear import equations
from decoderd.populations.linear.equations import Gradients, Noise, gain, targets
from decoderd.rng import generator

# Updates between two inversions of A: enough that inversions cost little; see `UpdateBlock.rounding` for the error.
UPDATES_PER_INVERSION = 50


# A function of the number of an update: standard normal numbers (B, N, K), private noise of one sample for each target.
Samples = Callable[[int], Array]


class Network(NamedTuple):
    """Weights, readout and targets of B networks."""

    W: Array  # (B, N, N) recurrent weights
    U: Array  # (B, N, K) input weights
    b: Array  # (B, N) constant input
    V: Array  # (B, 2, N) readout
    targets: Array  # (2, K)
    noise_var: float  # s


class Moments(NamedTuple):
    """Means and covariances of activity of B networks."""

    means: Array  # (B, N, K) for each target
    private: Array  # (B, N, N) S, the covariance about them
    total: Array  # (B, N, N) covariance over all targets
    second: Array  # (B, N, N) E[v v']


class Rates(NamedTuple):
    """Learning rates of W, U and b; 0 keeps them fixed."""

    W: Array  # (B,)
    U: float = 0.0
    b: float = 0.0


class UpdateBlock(NamedTuple):
    """m successive updates: before update i, W was begin.W - rate (left_0' right_0 + ... + left_{i-1}' right_{i-1})."""

    begin: Network  # before the first of them
    rates: Array  # (B,) rates of W; 0 where a network has stopped
    left: Array  # (B, m, 2, N) Z
    right: Array  # (B, m, 2, N) Q
    losses: Array  # (B, m) before each update; expected losses, also when learning from samples
    gradient_norms: Array  # (B, m) |left' right|, Frobenius: |dL/dW| unless learning from samples
    kept: NDArray[np.int64]  # (B,) number of updates carried out: m, or fewer where the network then stopped
    rounding: float  # largest error of A at the end, over its largest entry
    end: Network  # after the last of them


def draw(
    seeds: tuple[int, ...], exponent: float, units: int = 100, inputs: int = 6, noise_var: float = 1e-2
) -> Network:
    """Networks before learning: W ~ N(0, N^-2a), U ~ U(-1, 1), b = 0, V ~ N(0, 1) scaled to |V| = 0.2 sqrt(800/N).

    `exponent` is a: 0.55 starts in the lazy regime of learning, 1 in the rich one.
    """
    drawn = []
    for seed in seeds:
        weights = equations.recurrent(generator(seed, "static_network/recurrent"), units, exponent)
        entering = generator(seed, "static_network/input").uniform(-1, 1, (units, inputs))
        readout = equations.readout(generator(seed, "static_network/readout"), units)
        drawn.append((weights, entering, readout))
    W, U, V = (np.array(one) for one in zip(*drawn, strict=True))
    return Network(W, U, np.zeros((len(seeds), units)), V, targets(inputs), noise_var)


def chosen(network: Network, index: NDArray[np.int64] | list[int]) -> Network:
    """The networks of `index`, in its order; an index may occur several times."""
    return network._replace(W=network.W[index], U=network.U[index], b=network.b[index], V=network.V[index])


def moments(network: Network) -> Moments:
    """Means and covariances of activity."""
    A = gain(network.W)
    means = A @ (network.b[..., np.newaxis] + network.U)
    private = network.noise_var * A @ transposed(A)
    second = private + means @ transposed(means) / means.shape[-1]
    centre = means.mean(axis=-1, keepdims=True)
    return Moments(means, private, second - centre @ transposed(centre), second)


def loss(network: Network) -> Array:
    """Expected loss L (B,)."""
    A = gain(network.W)
    return _loss(network, *_errors(network, A, network.b[..., np.newaxis] + network.U))


def gradients(network: Network) -> Gradients:
    """Gradients of the expected loss, by the equations above."""
    A, (batch, n), K = gain(network.W), network.b.shape, network.targets.shape[1]
    drive = network.b[..., np.newaxis] + network.U
    Z, errors = _errors(network, A, drive)
    each, inputs = np.broadcast_to(Z[:, np.newaxis], (batch, K, 2, n)), np.broadcast_to(np.eye(K), (batch, K, K))
    noise = Noise(network.noise_var, np.zeros((batch, K, n, 0)), np.zeros((batch, K, K, 0)))
    share = np.full((batch, K), 0.5 / K)
    return equations.gradients(each, transposed(errors), noise, A, transposed(A @ drive), inputs, share)


def weights_before(block: UpdateBlock, network: int, update: int) -> Array:
    """W (N, N) of one network before an update of a block, counted from 0."""
    n = block.left.shape[-1]
    left, right = (side[network, :update].reshape(-1, n) for side in (block.left, block.right))
    return block.begin.W[network] - block.rates[network] * left.T @ right


def descend(
    network: Network, rates: Rates, updates: int, every: int = UPDATES_PER_INVERSION, samples: Samples | None = None
) -> Iterator[UpdateBlock]:
    """Gradient descent in blocks of updates, on the expected loss or, with `samples`, on one sample for each target.

    A network stops before an update that would move an eigenvalue of W out of the unit disc, where activity has no
    steady state; the others continue. Raises NumericalError if a network is unstable at first.
    """
    certificates = [_certified(W) for W in network.W]
    running = np.array(rates.W, dtype=np.float64)
    stopped = np.zeros(len(running), dtype=bool)
    A = gain(network.W)
    for first in range(0, updates, every):
        m = min(every, updates - first)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # after an instability; undone below
            left, right, losses, norms, last, U, b = _updates(
                network, A, running, rates, range(first, first + m), ~stopped, samples
            )
        kept = np.where(stopped, 0, m)
        W = network.W.copy()
        for i in np.flatnonzero(~stopped).tolist():
            holds, kept[i] = stability.first_unstable(certificates[i], network.W[i], running[i], left[i], right[i])
            certificates[i] = holds or certificates[i]
            n = W.shape[-1]
            W[i] -= running[i] * left[i, : kept[i]].reshape(-1, n).T @ right[i, : kept[i]].reshape(-1, n)
            if kept[i] < m and (rates.U or rates.b):
                again = _updates(network, A, running, rates, range(first, first + int(kept[i])), ~stopped, samples)
                U[i], b[i] = again[-2][i], again[-1][i]
        stopped = kept < m
        fresh = gain(W)
        going = ~stopped
        size = np.abs(fresh[going]).max(axis=(1, 2), initial=0.0)
        rounding = float((np.abs(last[going] - fresh[going]).max(axis=(1, 2), initial=0.0) / size).max(initial=0.0))
        end = network._replace(W=W, U=U, b=b)
        yield UpdateBlock(network, running, left, right, losses, norms, kept, rounding, end)
        running = np.where(stopped, 0.0, running)
        network, A = end, fresh


def _certified(W: Array) -> stability.Certificate:
    certificate = stability.certify(W)
    if certificate is None:
        raise NumericalError("W: an eigenvalue is on or outside the unit circle; activity has no steady state", "W")
    return certificate


def _updates(
    network: Network,
    A: Array,
    rate: Array,
    rates: Rates,
    which: range,
    going: NDArray[np.bool_],
    samples: Samples | None,
) -> tuple[Array, Array, Array, Array, Array, Array, Array]:
    """Carry out the updates of these numbers: Z, Q, losses, gradient norms of each, and A, U, b after the last."""
    (batch, n), m = network.b.shape, len(which)
    left, right = np.empty((batch, m, 2, n)), np.empty((batch, m, 2, n))
    losses, norms = np.empty((batch, m)), np.empty((batch, m))
    A, U, b = A.copy(), network.U.copy(), network.b.copy()
    drive = b[..., np.newaxis] + U
    step, of_U, of_b = (r[:, np.newaxis, np.newaxis] for r in (rate, rates.U * going, rates.b * going))
    for i, update in enumerate(which):
        Z, errors = _errors(network, A, drive)
        losses[:, i] = _loss(network, Z, errors)
        if samples is None:
            Q = _H(network, Z, errors, drive) @ transposed(A)
        else:
            entering = drive + np.sqrt(network.noise_var) * samples(update)
            errors = Z @ entering - network.targets
            Q = errors @ transposed(A @ entering) / errors.shape[-1]
        norms[:, i] = np.sqrt(((Z @ transposed(Z)) * (Q @ transposed(Q))).sum(axis=(1, 2)))
        left[:, i], right[:, i] = Z, Q
        QA, AZ = Q @ A, A @ transposed(Z)
        A -= (step * AZ) @ (_inverse(step * (Q @ AZ)) @ QA)
        if rates.U or rates.b:
            to_U = transposed(Z) @ errors / errors.shape[-1]
            U -= of_U * to_U
            b -= of_b[..., 0] * to_U.sum(axis=-1)
            drive = b[..., np.newaxis] + U
    return left, right, losses, norms, A, U, b


def _errors(network: Network, A: Array, drive: Array) -> tuple[Array, Array]:
    """Z (B, 2, N) and e (B, 2, K)."""
    Z = network.V @ A
    return Z, Z @ drive - network.targets


def _H(network: Network, Z: Array, errors: Array, drive: Array) -> Array:
    return network.noise_var * Z + errors @ transposed(drive) / errors.shape[-1]


def _loss(network: Network, Z: Array, errors: Array) -> Array:
    return 0.5 * (network.noise_var * (Z**2).sum(axis=(1, 2)) + (errors**2).sum(axis=(1, 2)) / errors.shape[-1])


def _inverse(small: Array) -> Array:
    """(I + small)^-1 of 2 x 2 matrices (B, 2, 2), written out: faster than a call of LAPACK."""
    a, b, c, d = 1 + small[:, 0, 0], small[:, 0, 1], small[:, 1, 0], 1 + small[:, 1, 1]
    adjugate = np.array([[d, -b], [-c, a]]).transpose(2, 0, 1)
    return adjugate / (a * d - b * c)[:, np.newaxis, np.newaxis]
