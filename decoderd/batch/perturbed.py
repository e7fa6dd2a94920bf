"""Perturbations of many sessions: each is applied at once to all sessions in which it is on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoderd import rows
from decoderd.arrays import Array
from decoderd.perturbations.sites import SITES, ActivePerturbation, PerturbationContext
from decoderd.state import TimeIndex

# Perturbations without a memory and without random numbers do not ask for the time.
_ANY_TIME = TimeIndex(-1, -1, -1, -1)


class _Group:
    """Sessions to which one call applies a perturbation: with the same memory, and goals of the same radius."""

    def __init__(self, order: int, one: ActivePerturbation, radius_m: float) -> None:
        self.order, self.one, self.radius_m = order, one, radius_m
        self.members: set[int] = set()
        self.at: NDArray[np.int64] | None = None  # the members in order; None: they have changed


class Perturbed:
    """The perturbations that are on in the quiet ticks of many sessions. `names` is their order in the protocol."""

    def __init__(self, names: Sequence[str]) -> None:
        self._order: Mapping[str, int] = {name: place for place, name in enumerate(names)}
        self._groups: dict[str, dict[Any, _Group]] = {site: {} for site in SITES}
        self._of: dict[int, list[_Group]] = {}

    def place(self, session: int, active: Sequence[ActivePerturbation], radius_m: float) -> None:
        """From now on these perturbations are on in a session, whose goal has this radius, 0 where there is none."""
        for group in self._of.pop(session, ()):
            group.members.discard(session)
            group.at = None
        for one in active:
            order, groups = self._order[one.name], self._groups[one.site]
            memory = one.memory.tobytes() if isinstance(one.memory, np.ndarray) else None
            key = (order, memory, radius_m)
            if key not in groups:
                groups[key] = _Group(order, one, radius_m)
                self._groups[one.site] = dict(sorted(groups.items(), key=lambda item: item[1].order))
            group = self._groups[one.site][key]
            group.members.add(session)
            group.at = None
            self._of.setdefault(session, []).append(group)

    def passed(self, site: str, value: Any, goal: Array, cursor: Array) -> Any:
        """The value (S, ...) after the perturbations of a site; goal (S, 2) and cursor (S, 4) of all sessions."""
        for group in self._groups[site].values():
            if not group.members:
                continue
            if group.at is None:
                group.at = np.array(sorted(group.members))
            at = group.at
            context: Any = _ANY_TIME
            if site != "neural":
                context = PerturbationContext(goal[at] if group.radius_m else None, group.radius_m, cursor[at])
            _, changed = SITES[site].call(group.one, rows.taken(value, at), context)
            value = rows.replaced(value, at, changed)
        return value
