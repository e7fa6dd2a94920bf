"""The sites of perturbation: the places in a tick at which a perturbation changes a value of the closed loop.

`SITES` is the only list of them. A new site is an entry here and a call of `passed` at its station in session.step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from decoderd.arrays import Array
from decoderd.rng import Draws, Stream
from decoderd.state import POSITION, Command, TimeIndex

# Step of central differences, in the unit of the value: m, m/s or Hz.
_SMALL = 1e-5


class PerturbationContext(NamedTuple):
    """What is on the screen at this tick: the goal, if there is one, and the cursor."""

    goal: Array | None  # (B, 2) m
    goal_radius_m: float
    cursor: Array  # (B, 4) m and m/s


class ActivePerturbation(NamedTuple):
    """A perturbation that is on at this tick."""

    name: str
    site: str
    apply: Any  # its transform for this site
    config: Any
    amount: float  # of the envelope, 0..1
    memory: Any
    streams: Mapping[str, Stream]  # its random numbers


class Call(Protocol):
    """Apply one perturbation at a site, with what the site gives to its transforms."""

    def __call__(self, active: ActivePerturbation, value: Any, context: Any, /) -> tuple[Any, Any]:
        """(memory, value) after this perturbation."""


class Differentiate(Protocol):
    """Derivatives of what leaves a site by what enters it, for plasticity that follows the gradient of the loop."""

    def __call__(self, change: Callable[[Any, Any], Any], value: Any, context: Any, /) -> dict[str, Array]:
        """{field of rollout.adjoint.Derivatives: array} of `change(value, context) -> value` at this value."""


class Site(NamedTuple):
    """A place in the loop where perturbations change a value."""

    name: str  # as protocols write it
    effect: str  # what a perturbation changes here, for the documentation
    value: str  # the value that passes
    context: str  # what a transform gets besides
    call: Call
    differentiate: Differentiate | None  # None: plasticity needs no derivative of this site


def passed(site: str, active: Sequence[ActivePerturbation], value: Any, context: Any) -> tuple[Any, dict[str, Any]]:
    """The value after all active perturbations of one site, in the order in which they were added.

    Returns the value and {name: memory} of the perturbations whose memory has changed. `context` is what the site's
    entry in `SITES` says.
    """
    if not active:
        return value, {}
    call, memories = SITES[site].call, {}
    for one in active:
        if one.site == site:
            memory, value = call(one, value, context)
            if memory is not one.memory:
                memories[one.name] = memory
    return value, memories


def derivatives(active: Sequence[ActivePerturbation], at: Mapping[str, tuple[Any, Any]]) -> dict[str, Array]:
    """Derivatives of the sites at which a perturbation is active; `at` is {site: (value that enters, context)}.

    Their names are the fields of rollout.adjoint.Derivatives. Measured by central differences, which is exact for
    perturbations that are linear in the value: all but `assist`. The effect that a delay has at later ticks is left
    out.
    """
    found: dict[str, Array] = {}
    for name, (value, context) in at.items():
        here = tuple(one for one in active if one.site == name)
        differentiate = SITES[name].differentiate
        if here and differentiate is not None:
            found |= differentiate(partial(_value_after, name, here), value, context)
    return found


def _value_after(site: str, active: Sequence[ActivePerturbation], value: Any, context: Any) -> Any:
    return passed(site, active, value, context)[0]


def jacobian(function: Callable[[Array], Array], at: Array) -> Array:
    """(outputs, inputs): derivatives of a function from (1, inputs) to (1, outputs), by central differences."""
    steps = _SMALL * np.eye(at.shape[1])[:, np.newaxis]
    columns = [(function(at + step) - function(at - step))[0] / (2 * _SMALL) for step in steps]
    return np.stack(columns, axis=1)


def _with_context(active: ActivePerturbation, value: Any, context: PerturbationContext) -> tuple[Any, Any]:
    memory, value = active.apply(active.config, active.memory, active.amount, value, context)
    return memory, value


def _with_draws(active: ActivePerturbation, value: Array, time: TimeIndex) -> tuple[Any, Array]:
    rows = Draws(active.streams, time.day, time.day_tick)
    memory, value = active.apply(active.config, active.memory, active.amount, value, rows)
    return memory, value


def _with_decoder(active: ActivePerturbation, parameters: Any, decoder: Any) -> tuple[Any, Any]:
    return active.memory, active.apply(active.config, active.memory, active.amount, decoder, parameters)


def _of_feedback(change: Callable[[Any, Any], Any], cursor: Array, context: PerturbationContext) -> dict[str, Array]:
    return {"seen": jacobian(lambda at: change(at, context)[..., POSITION], cursor)}


def _of_rates(change: Callable[[Any, Any], Any], rates: Array, time: TimeIndex) -> dict[str, Array]:
    return {"rates": (change(rates + _SMALL, time) - change(rates - _SMALL, time)) / (2 * _SMALL)}


def _of_command(change: Callable[[Any, Any], Any], command: Command, context: PerturbationContext) -> dict[str, Array]:
    def velocity(decoded: Array, cursor: Array) -> Array:
        moved: Command = change(Command(decoded, None), context._replace(cursor=cursor))
        return moved.velocity

    return {
        "command": jacobian(lambda v: velocity(v, context.cursor), command.velocity),
        "command_by_cursor": jacobian(lambda at: velocity(command.velocity, at), context.cursor),
    }


SITES: dict[str, Site] = {
    site.name: site
    for site in (
        Site(
            "feedback",
            effect="what the subject sees of the cursor",
            value="the cursor (B, 4): position in m, velocity in m/s",
            context="PerturbationContext",
            call=_with_context,
            differentiate=_of_feedback,
        ),
        Site(
            "neural",
            effect="firing rates",
            value="rates (B, N) in Hz",
            context="TimeIndex; the transform gets Draws, the rows of its `streams` at this tick",
            call=_with_draws,
            differentiate=_of_rates,
        ),
        Site(
            "readout",
            effect="the decoder's mapping from counts to movement",
            value="the decoder's parameters",
            context="the decoder (decoders.Decoder)",
            call=_with_decoder,
            differentiate=None,  # the decoder's own step is differentiated, with the parameters as perturbed
        ),
        Site(
            "cursor",
            effect="what the decoded movement does to the effector",
            value="Command: velocity (B, 2) in the effector's unit, correction (B, 2) in m or None",
            context="PerturbationContext",
            call=_with_context,
            differentiate=_of_command,
        ),
    )
}
