"""The direction in which bursts of each layer change the weights of a population that was taught in trials."""

from __future__ import annotations

from typing import Any

import numpy as np

from decoderd.arrays import Array
from decoderd.plasticity import burstprop
from decoderd.plasticity.burstprop import Network
from decoderd.rollout.adjoint import Loop, Trajectory


def taught_direction(
    loop: Loop, parameters: Any, trajectory: Trajectory, amounts: Array, fields: tuple[str, ...]
) -> dict[str, Array]:
    """{field: sum over trials of amount (..., B) times direction}; a direction is the integral over a trial, in s."""
    plastic = loop.population.plastic
    assert plastic is not None  # callers have checked it
    assert plastic.layered is not None
    rates, error, p0 = plastic.layered.taught(loop.population_plan, parameters, trajectory.trace)
    found = {name: np.zeros_like(getattr(parameters, name)) for name in fields}
    for index in np.ndindex(*amounts.shape[:-1]):
        one = type(parameters)(*(field[index] for field in parameters))
        network = Network(**plastic.layered.weights(one))
        for trial, amount in enumerate(amounts[index]):
            place = (*index, slice(None), trial)
            along = burstprop.direction(network, [rate[place] for rate in rates], error[place], p0)
            for name, array in plastic.layered.fields(along.W, along.c, along.R).items():
                if name in fields:
                    found[name][index] += amount * loop.tick_s * array
    return found
