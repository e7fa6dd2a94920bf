"""Permutation of the readout: units (outside the manifold) or factors (within it) take one another's place."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decoderd.config import UnitIndices
from decoderd.errors import Refused
from decoderd.perturbations import Perturbation, PerturbationConfig, SessionInfo, chosen
from decoderd.perturbations.envelope import Ramp
from decoderd.rng import generator


class PermutationConfig(PerturbationConfig):
    """The decoder takes `of` number order[i] for number i. Without `order`, a random one.

    `among` restricts a random order to these units or factors.
    """

    kind: Literal["permutation"] = "permutation"
    site: Literal["readout"] = "readout"
    of: Literal["units", "factors"] = "units"
    order: Annotated[tuple[Annotated[int, Field(strict=True, ge=0)], ...], Field(min_length=2)] | None = None
    among: UnitIndices | None = None


def begin(config: PermutationConfig, session: SessionInfo) -> NDArray[np.int64]:
    """The order of all units or factors: the one given, or a random one drawn from seed and name."""
    kind = session.decoder.Config.model_fields["kind"].default
    if config.of == "factors" and session.decoder.permute_factors is None:
        raise Refused(f"a decoder of kind {kind!r} has no factors to permute; use of = 'units'", "of")
    if config.of == "units" and session.decoder.permute_units is None:
        raise Refused(f"a decoder of kind {kind!r} reads no units that can be permuted", "site")
    if isinstance(config.envelope, Ramp):
        raise Refused("a permutation cannot be applied in part: use a step or a block, not a ramp", "envelope")
    size = session.reads if config.of == "units" else session.decoder.factors(session.decoder_parameters)
    if config.order is None:
        members = chosen(config.among, size, config.of)
        order = np.arange(size)
        order[members] = generator(session.seed, f"perturbations/{config.name}").permutation(members)
        return order
    order = np.array(config.order)
    if config.among is not None:
        raise Refused("among restricts a random order; with an order of your own, leave it out", "among")
    if len(order) != size or not np.array_equal(np.sort(order), np.arange(size)):
        raise Refused(f"order: must hold each of the {size} {config.of} 0..{size - 1} once", "order")
    return order


def readout(config: PermutationConfig, memory: NDArray[Any], amount: float, decoder: Any, parameters: Any) -> Any:
    """The decoder with its units or factors permuted."""
    permute = decoder.permute_units if config.of == "units" else decoder.permute_factors
    return permute(parameters, memory)


PERMUTATION = Perturbation(PermutationConfig, begin, {"readout": readout}, memoryless=True)
