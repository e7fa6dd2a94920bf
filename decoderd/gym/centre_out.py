"""The benchmark CentreOut-v1: its tasks, each with an environment and a protocol, and its seeds."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, NamedTuple

from decoderd.protocol import protocol as protocols

NAME = "CentreOut-v1"
# Agents are scored on these and may be trained with all others.
SEEDS = (1, 2, 3, 4, 5)


class Task(NamedTuple):
    """What an agent does, and where the protocol differs from centre_out_v1.toml (key.path: value)."""

    name: str
    environment: str
    changes: Mapping[str, Any]


TASKS = (
    Task("decoder", "decoderd/Decoder-v0", {}),
    Task(
        "adaptation",
        "decoderd/Adaptation-v0",
        {"decoder.calibration": {"arbitrary": True}, "schedule.blocks": [{"duration_s": 600.0}]},
    ),
    Task("subject", "decoderd/Subject-v0", {}),
)


def task(name: str) -> Task:
    """The task of this name. Raises ValueError where there is none."""
    found = [one for one in TASKS if one.name == name]
    if not found:
        raise ValueError(f"task = {name!r}: {NAME} has {', '.join(one.name for one in TASKS)}")
    return found[0]


def protocol(name: str) -> dict[str, Any]:
    """The protocol of a task, as plain data."""
    data = tomllib.loads(resources.files("decoderd.gym").joinpath("centre_out_v1.toml").read_text(encoding="utf-8"))
    for field, value in task(name).changes.items():
        protocols.set_field(data, field, value, f"{NAME}, task {name}")
    return data
