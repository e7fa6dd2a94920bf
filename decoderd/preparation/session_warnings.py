"""What is doubtful about a session before it begins: targets out of reach, little time, a decoder without effect."""

from __future__ import annotations

from typing import Any

from decoderd import registry
from decoderd.arrays import Array
from decoderd.decoders import influence
from decoderd.effectors import Effector
from decoderd.errors import ArrayError
from decoderd.input_warning import InputWarning
from decoderd.preparation.parameters import top_speed
from decoderd.protocol.protocol import Protocol
from decoderd.state import Parameters
from decoderd.tasks import Demands


def warnings(protocol: Protocol, parameters: Parameters) -> tuple[InputWarning, ...]:
    """Warnings about a session that can run, but hardly as it is meant."""
    effector = registry.find("effectors", protocol.effector.kind)
    demands = registry.find("tasks", protocol.task.kind).demands
    of_task: list[InputWarning | None] = []
    if demands is not None:
        demanded = demands(protocol.task)
        of_task = [_beyond(protocol, effector, demanded), _too_short(protocol, demanded)]
    of_decoder = influence.warnings(registry.find("decoders", protocol.decoder.kind), parameters.decoder)
    return (*filter(None, of_task), *of_decoder)


def _beyond(protocol: Protocol, effector: Effector, demanded: Demands) -> InputWarning | None:
    """Whether targets lie beyond the edge of the effector's workspace."""
    plan: Any = effector.plan(protocol.effector, protocol.timing)
    out = [place for place in demanded.targets if not _can_be(effector, plan, place)]
    if not out:
        return None
    x, y = out[0]
    message = (
        f"task: {len(out)} of {len(demanded.targets)} targets lie beyond the edge of the effector's workspace, such as "
        f"the one at ({x:.3g}, {y:.3g}) m"
    )
    return InputWarning("task", message)


def _can_be(effector: Effector, plan: Any, place: Array) -> bool:
    try:
        effector.init(plan, place[None])
    except ArrayError:
        return False
    return True


def _too_short(protocol: Protocol, demanded: Demands) -> InputWarning | None:
    """Whether the time of a reach is too short at the subject's top speed."""
    speed = top_speed(protocol) if protocol.effector.kind == "cursor" else None
    if speed is None or demanded.way_m is None or demanded.way_m <= demanded.allowed_s * speed:
        return None
    message = (
        f"task: {demanded.allowed_s:g} s are too short for a reach: {demanded.way_m:.3g} m at the subject's top speed "
        f"of {speed:g} m/s take {demanded.way_m / speed:.2g} s"
    )
    return InputWarning("task", message)
