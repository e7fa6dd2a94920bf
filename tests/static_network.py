"""An individual of the static network, for sessions and for experiments."""

from typing import Any

import numpy as np

from decoderd.experiments.manifold.static_network import Network
from decoderd.populations.linear import equations
from decoderd.preparation.parameters import individual
from decoderd.protocol import protocol
from tests.learners import DISTANCE_M, STATIC, TICK_S, reaching

K = 5
# From V, which puts targets on the unit circle, to a decoder's m/s a count.
SCALE = DISTANCE_M / TICK_S


def files(folder, population=STATIC, seed=11):
    """Fields of a protocol with an individual and its own readout as decoder, in files; and the same as a Network."""
    config: Any = protocol.parse(reaching(population=population)).population
    one = individual(protocol.parse(reaching(seed=seed, population=population)))
    np.savez(folder / "individual.npz", **one._asdict())
    np.savez(folder / "decoder.npz", M2=SCALE * one.V)
    each = {name: getattr(one, name)[np.newaxis] for name in ("W", "U", "b", "V")}
    network = Network(**each, targets=equations.targets(K), noise_var=config.noise_var)
    data = {
        "population": {**population, "file": str(folder / "individual.npz")},
        "decoder": {"kind": "linear", "file": str(folder / "decoder.npz")},
    }
    return data, network
