"""The registry of components by family and kind. Built-ins and plug-ins use the same entry points.

An entry point `decoderd.<family>: <kind> = "module:OBJECT"` names a component: a NamedTuple of one validated
config class and pure functions, as the contract of its family specifies.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Any

from decoderd.errors import ProtocolError

FAMILIES = ("tasks", "effectors", "populations", "plasticity", "decoders", "updaters", "perturbations")


@cache
def family(name: str) -> dict[str, Any]:
    """All components of a family, {kind: component}.

    Raises ProtocolError if none is installed, or one cannot be loaded.
    """
    found = {}
    for point in entry_points(group=f"decoderd.{name}"):
        try:
            found[point.name] = point.load()
        except Exception as error:
            package = point.dist.name if point.dist else "an unknown package"
            raise ProtocolError(
                f"the plug-in {point.value} of {package} (decoderd.{name}: {point.name}) cannot be loaded: {error!r}"
            ) from error
    if not found:
        raise ProtocolError(
            f"no {name} are registered: install decoderd (`pip install .`) so that its entry points exist"
        )
    for kind, component in found.items():
        declared = component.Config.model_fields["kind"].annotation.__args__[0]
        if declared != kind:
            raise ProtocolError(f"entry point decoderd.{name}: {kind} leads to a component of kind {declared!r}")
    return found


def find(family_name: str, kind: str) -> Any:
    """The component of one kind. Raises ProtocolError, which lists the kinds that are installed."""
    components = family(family_name)
    if kind not in components:
        raise ProtocolError(f"{kind!r} is not among the {family_name}: {', '.join(sorted(components))}", "kind")
    return components[kind]
