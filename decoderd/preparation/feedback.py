"""The decoder as a population knows it: the velocity that a spike of each unit adds."""

from __future__ import annotations

import numpy as np

from decoderd import registry
from decoderd.arrays import Array
from decoderd.decoders import Decoder, influence
from decoderd.errors import ArrayError, ProtocolError
from decoderd.protocol.protocol import Protocol
from decoderd.state import Parameters


def known(protocol: Protocol, parameters: Parameters) -> Parameters:
    """The parameters, the decoder made known to a population that uses it. Raises ProtocolError where it cannot."""
    kind = registry.find("populations", protocol.population.kind)
    if kind.with_decoder is None:
        return parameters
    decoder = registry.find("decoders", protocol.decoder.kind)
    weights = velocity_weights(decoder, parameters, kind.units(parameters.population))
    try:
        population = kind.with_decoder(protocol.population, parameters.population, weights)
    except ArrayError as error:
        raise ProtocolError(f"population: {error}", "population") from None
    return parameters._replace(population=population)


def velocity_weights(decoder: Decoder, parameters: Parameters, units: int) -> Array | None:
    """(2, N) velocity that a count of each unit adds in the decoder's first bin; 0 for units not read, or lost.

    None for a decoder whose step is not affine, or whose state has no known velocity.
    """
    read = influence.of_counts(decoder, parameters.decoder)
    if read is None or len(read) != 2:
        return None
    weights = np.zeros((2, units))
    weights[:, slice(None) if parameters.readouts is None else parameters.readouts] = read
    if parameters.lost is not None:
        weights[:, parameters.lost] = 0
    return weights
