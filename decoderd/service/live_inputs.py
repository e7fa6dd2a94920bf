"""Live inputs: passed from control to the loop at the next tick, and their results back to control."""

from __future__ import annotations

from collections.abc import Sequence

from decoderd.errors import Refused
from decoderd.service.lockstep import Lockstep
from decoderd.service.shared_state import PendingInput, SharedState
from decoderd.wire.inputs import AnyInput, Perturb, Unperturb

# Inputs that one tick takes at most. More wait for the next: a flood may not make a tick late.
A_TICK = 16


class LiveInputs:
    """The loop's source of inputs: those of grants first, by participant, then all others in order of arrival."""

    def __init__(self, shared: SharedState, lockstep: Lockstep | None) -> None:
        self._shared, self._lockstep = shared, lockstep
        self._now: list[PendingInput] = []

    def due(self, tick: int) -> Sequence[AnyInput]:
        """Inputs for the next tick."""
        waiting = self._shared.inputs
        granted = self._lockstep.take_inputs() if self._lockstep is not None else ()
        if not waiting and not granted:
            return ()
        self._now = [*granted, *(waiting.popleft() for _ in range(min(A_TICK, len(waiting))))]
        return [pending.given for pending in self._now]

    def refused(self, given: AnyInput, tick: int, reason: Refused) -> None:
        """Note the reason. An input that asks for what is the case already is no error."""
        pending = next(pending for pending in self._now if pending.given is given)
        if self._without_effect(given):
            pending.changed = False
        else:
            pending.code, pending.message, pending.field = "refused", str(reason), reason.field

    def _without_effect(self, given: AnyInput) -> bool:
        """Whether the perturbation is there already, or is absent already."""
        state = self._shared.session_state
        present = {p.spec.name: p.spec for p in state.perturbations if p.offset < 0}
        match given:
            case Unperturb(name=name):
                return name not in present
            case Perturb(perturbation=fields):
                spec = present.get(str(fields.get("name")))
                return spec is not None and all(
                    spec.model_dump(mode="json").get(key) == value for key, value in fields.items()
                )
        return False

    def tick_over(self, tick: int) -> None:
        """Tick `tick` is over: hand the results of its inputs to control."""
        if self._now:
            for pending in self._now:
                pending.tick = tick
                self._shared.consumed.append(pending)
            self._now = []
            self._shared.wake_control()
