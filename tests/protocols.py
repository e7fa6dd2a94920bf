"""Small protocols, and sessions run without files, for tests anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from decoderd import protocol, setup
from decoderd.assembly import Session, assemble
from decoderd.session import initial, step
from decoderd.state import SessionState
from decoderd.wire import inputs

# A calibration that is over at once.
BRIEF = {"reaches": 16, "reach_s": 0.5}


def centre_out(**fields: Any) -> dict[str, Any]:
    """Plain data of a protocol: 12 units, short trials, 4 of them; fields are replaced whole."""
    return {
        "name": "small",
        "seed": 3,
        "tick_s": 0.01,
        "bin_ticks": 5,
        "schedule": {"days": 1, "blocks": [{"name": "only", "trials": 4}]},
        "task": {
            "kind": "centre_out",
            "targets": 4,
            "reach_timeout_s": 1.0,
            "inter_trial_s": 0.1,
            "target_hold_s": 0.1,
        },
        "effector": {"kind": "cursor"},
        "population": {"kind": "tuned", "units": 12},
        "decoder": {"kind": "kalman", "calibration": BRIEF},
        **fields,
    }


def outside(**fields: Any) -> dict[str, Any]:
    """Plain data of a protocol whose task and decoder are both outside, 2 s long."""
    return centre_out(
        **{
            "name": "outside",
            "schedule": {"days": 1, "blocks": [{"name": "only", "duration_s": 2.0}]},
            "task": {"kind": "external"},
            "decoder": {"kind": "external"},
            **fields,
        }
    )


def lasting(seconds: float, **fields: Any) -> dict[str, Any]:
    """Plain data of a protocol that lasts so many seconds."""
    return centre_out(**{"schedule": {"days": 1, "blocks": [{"name": "only", "duration_s": seconds}]}, **fields})


def toml(data: Mapping[str, Any]) -> str:
    """Plain data as a TOML file of inline tables."""
    return "".join(f"{key} = {_inline(value)}\n" for key, value in data.items())


def _inline(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_inline(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return repr(value)


def begun(data: Mapping[str, Any]) -> tuple[Session, SessionState]:
    """A session of plain data and its state before tick 0."""
    parsed = protocol.parse(data)
    parameters = setup.prepare(parsed)
    session = assemble(parsed, parameters)
    return session, initial(session, parameters)


class Run(NamedTuple):
    """What came of a session: states[k] is the state before step k of this run."""

    session: Session
    states: list[SessionState]
    messages: list[tuple[str, dict[str, Any]]]

    def of(self, topic: str) -> list[dict[str, Any]]:
        """Payloads of a topic."""
        return [payload for name, payload in self.messages if name == topic]

    def column(self, key: str) -> np.ndarray:
        """One key of all ticks; NaN where it is None."""
        return np.array([(np.nan, np.nan) if tick[key] is None else tick[key] for tick in self.of("tick")])

    def counts(self) -> np.ndarray:
        """Spike counts, ticks x units."""
        return np.concatenate([counts_of(payload) for payload in self.of("counts")])


def counts_of(payload: Mapping[str, Any]) -> np.ndarray:
    """The array of a counts message."""
    return np.frombuffer(payload["y"], dtype=payload["e"]).reshape(payload["n"])


def given(*data: Mapping[str, Any]) -> list[Any]:
    """Inputs from plain data."""
    return [inputs.parse(one) for one in data]


def turned(
    session: Session, state: SessionState, at: Mapping[int, list[Mapping[str, Any]]] | None = None, ticks: int = 10**9
) -> Run:
    """Step a session until it is over or `ticks` later; `at` holds inputs as plain data by tick."""
    states, messages = [state], []
    while not state.progress.done and len(states) <= ticks:
        state, news = step(session, state, given(*(at or {}).get(state.tick, ())))
        states.append(state)
        messages += news
    return Run(session, states, messages)


def run(data: Mapping[str, Any], at: Mapping[int, list[Mapping[str, Any]]] | None = None, ticks: int = 10**9) -> Run:
    """Run a protocol given as plain data."""
    return turned(*begun(data), at, ticks)
