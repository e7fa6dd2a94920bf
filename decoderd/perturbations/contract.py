"""The contract of perturbations: their configuration, and the functions that a kind consists of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, Protocol, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from decoderd.arrays import Array
from decoderd.config import ComponentConfig
from decoderd.errors import Refused
from decoderd.perturbations.envelope import Envelope, Step
from decoderd.perturbations.sites import SITES, PerturbationContext
from decoderd.rng import Draws, Spec
from decoderd.state import Command, Timing


class PerturbationConfig(ComponentConfig):
    """The fields that every perturbation has. Subclasses narrow `site` to a Literal of the sites they can act on.

    Raises TypeError for a subclass that names a site which is not in `SITES`.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    site: str
    envelope: Envelope = Step()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Check the sites that a subclass declares."""
        unknown = [site for site in get_args(cls.model_fields["site"].annotation) if site not in SITES]
        if unknown:
            raise TypeError(f"{cls.__name__}.site: {', '.join(unknown)} is no site; sites are {', '.join(SITES)}")


class SessionInfo(NamedTuple):
    """The session on which a perturbation acts, as `begin` gets it."""

    units: int
    reads: int  # of them, those the decoder reads
    drawn: bool  # whether counts are drawn from rates; False for recorded counts
    decoder: Any  # the component (decoders.Decoder)
    decoder_parameters: Any
    timing: Timing
    seed: int
    signed: bool = False  # whether rates may be negative


class Begin(Protocol):
    """Prepare a perturbation when it is added to a session."""

    def __call__(self, config: Any, session: SessionInfo, /) -> Any:
        """The perturbation's first memory. Raises Refused, with the reason, where it cannot act on this session."""


class CursorTransform(Protocol):
    """Change what the decoded movement does (site `cursor`)."""

    def __call__(
        self, config: Any, memory: Any, amount: float, command: Command, context: PerturbationContext, /
    ) -> tuple[Any, Command]:
        """(memory, command as carried out). `amount` is the envelope's value, 0..1."""


class FeedbackTransform(Protocol):
    """Change what the subject sees of the cursor (site `feedback`)."""

    def __call__(
        self, config: Any, memory: Any, amount: float, seen: Array, context: PerturbationContext, /
    ) -> tuple[Any, Array]:
        """(memory, cursor as seen (B, 4) in m and m/s). `amount` is the envelope's value, 0..1."""


class NeuralTransform(Protocol):
    """Change firing rates (site `neural`)."""

    def __call__(self, config: Any, memory: Any, amount: float, rates: Array, draws: Draws, /) -> tuple[Any, Array]:
        """(memory, rates (B, N) in Hz). `draws` holds this tick's rows of the perturbation's `streams`."""


class ReadoutTransform(Protocol):
    """Change the decoder's mapping (site `readout`)."""

    def __call__(self, config: Any, memory: Any, amount: float, decoder: Any, parameters: Any, /) -> Any:
        """The decoder's parameters as perturbed. Called again only when an amount has changed."""


class Streams(Protocol):
    """Name the streams of random numbers that a perturbation draws from while it is on."""

    def __call__(self, config: Any, units: int, /) -> dict[str, Spec]:
        """{name: Spec} for a population of `units`."""


Transform = CursorTransform | FeedbackTransform | NeuralTransform | ReadoutTransform


class Perturbation(NamedTuple):
    """A perturbation kind: its configuration, how it begins, and its transform for each site it can act on."""

    Config: type[PerturbationConfig]
    begin: Begin
    sites: Mapping[str, Transform]  # by name of `perturbations.sites.SITES`
    streams: Streams | None = None  # None: it draws no random numbers while it is on
    memoryless: bool = False  # whether its transforms leave the memory as it is


def chosen(units: tuple[int, ...] | None, there: int, noun: str = "units") -> NDArray[np.int64]:
    """Indices of the chosen units, sorted, of the `there` that exist; all of them for None.

    Raises Refused for indices that do not exist.
    """
    if units is None:
        return np.arange(there)
    absent = [unit for unit in units if unit >= there]
    if absent:
        raise Refused(f"{noun} {absent} are not there: there are {noun} 0..{there - 1}", "units")
    return np.unique(np.array(units, dtype=np.int64))
