"""Small protocols, and sessions run without files, for tests anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol
from decoderd.session.assembly import Session, assemble
from decoderd.session.step import initial, step
from decoderd.state import SessionState
from decoderd.wire import inputs
from tests import learners

# Targets easy enough for a dozen badly calibrated units.
EASY = {"radius_m": 0.03, "reach_timeout_s": 1.5, "inter_trial_s": 0.1, "target_hold_s": 0.1}
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
        "task": {"kind": "centre_out", "targets": 4, "centre_radius_m": 0.03, **EASY},
        "effector": {"kind": "cursor"},
        "population": {"kind": "tuned", "units": 12},
        "decoder": {"kind": "kalman", "calibration": BRIEF},
        **fields,
    }


def bursting(tick: int, units: list[int], population: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Plain data of a protocol whose `units` have a hundred thousand times their rates from `tick` on."""
    perturbations = [
        {
            "name": f"burst-{power}",
            "kind": "gain",
            "site": "neural",
            "factor": 10.0,
            "units": units,
            "envelope": {"shape": "step", "start": {"tick": tick}},
        }
        for power in range(5)
    ]
    return centre_out(
        population={
            "kind": "tuned",
            "units": 12,
            "baseline_hz": [20.0, 25.0],
            "depth_hz": [0.0, 5.0],
            **(population or {}),
        },
        perturbations=perturbations,
        **fields,
    )


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


# Its calibration takes longer than any test waits.
SLOW_TO_BEGIN = lasting(3600.0, decoder={"kind": "kalman", "calibration": {"reaches": 10_000, "reach_s": 200.0}})


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
    parameters = prepare(parsed)
    session = assemble(parsed, parameters)
    return session, initial(session, parameters)


class Run(NamedTuple):
    """What came of a session: states[k] is the state before step k of this run."""

    session: Session
    states: list[SessionState]
    messages: list[tuple[str, dict[str, Any]]]

    def __repr__(self) -> str:
        return f"<{self.session.name}, {len(self.states) - 1} ticks>"

    def of(self, topic: str) -> list[dict[str, Any]]:
        """Payloads of a topic."""
        return [payload for name, payload in self.messages if name == topic]

    def column(self, key: str) -> np.ndarray:
        """One key of all ticks; NaN where it is None."""
        return np.array([(np.nan, np.nan) if tick[key] is None else tick[key] for tick in self.of("tick")])

    def counts(self, channel: str = "counts") -> np.ndarray:
        """Counts of a channel, ticks x units."""
        return np.concatenate([counts_of(payload) for payload in self.of("counts") if payload["c"] == channel])


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


def packed(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The input that exchanges the decoder for these arrays."""
    inner = {
        name: {"shape": list(np.shape(array)), "data": np.ascontiguousarray(array, dtype="<f8").tobytes()}
        for name, array in arrays.items()
    }
    return {"op": "decoder", "arrays": inner}


def perturbation(kind: str, site: str, **fields: Any) -> dict[str, Any]:
    """Plain data of a perturbation named p."""
    return {"name": "p", "kind": kind, "site": site, **fields}


def perturb(kind: str, site: str, **fields: Any) -> dict[str, Any]:
    """The input that adds it."""
    return {"op": "perturb", "perturbation": perturbation(kind, site, **fields)}


UNPERTURB = {"op": "unperturb", "name": "p"}

# Intents of a subject from outside.
INTENDED: dict[int, list[dict[str, Any]]] = {
    12: [{"op": "intent", "velocity": [0.1, 0.0]}],
    40: [{"op": "intent", "velocity": [-0.05, 0.08]}],
    90: [{"op": "intent", "velocity": [0.0, 0.0]}],
}

# Reaches to the right and up, carried out by an outside decoder.
FROM_OUTSIDE: dict[int, list[dict[str, Any]]] = {
    3: [{"op": "task", "event": "start", "target": [0.05, 0.0], "index": 2}],
    10: [{"op": "task", "event": "go"}, {"op": "kinematics", "velocity": [0.1, 0.0]}],
    62: [{"op": "kinematics", "velocity": [0.0, 0.0], "position": [0.05, 0.0]}],
    81: [{"op": "task", "event": "end", "outcome": "success"}, {"op": "task", "event": "start"}],
    90: [{"op": "task", "event": "go", "target": [0.0, 0.06], "radius_m": 0.02}],
    120: [{"op": "kinematics", "velocity": [0.0, 0.12]}],
    150: [{"op": "task", "event": "end", "outcome": "gave_up"}],
}


def individual(path: Path, units: int = 8) -> Path:
    """A population of kind `manifold` in a file."""
    draw = np.random.default_rng(7)
    np.savez(
        path,
        baseline=draw.uniform(1, 3, units),
        loadings=draw.normal(0, 0.5, (units, 3)),
        resting=draw.normal(0, 0.2, 3),
        tuning=draw.normal(0, 1, (4, 3)),
        shared=np.tril(draw.normal(0, 0.5, (3, 3))),
        private=draw.uniform(0, 0.3, units),
        bin_s=np.array(0.05),
    )
    return path


def recording(path: Path, units: int = 6) -> Path:
    """Recorded counts in a file."""
    np.savez(path, counts=np.random.default_rng(8).poisson(2.0, (23, units)))
    return path


def mapping(path: Path, units: int = 6) -> Path:
    """A linear decoder in a file."""
    np.savez(path, M1=0.8 * np.eye(2), M2=np.random.default_rng(9).normal(0, 0.01, (2, units)), m0=[0.01, -0.01])
    return path


def of_every_kind(folder: Path) -> dict[str, tuple[dict[str, Any], dict[int, list[dict[str, Any]]]]]:
    """{name: (protocol, inputs by tick)}: together these use every task, effector, population, rule of
    plasticity, decoder and perturbation."""
    replayed = {"kind": "replay", "file": str(recording(folder / "recording.npz"))}
    linear = {"kind": "linear", "file": str(mapping(folder / "mapping.npz"))}
    manifold = {"kind": "manifold", "file": str(individual(folder / "individual.npz"))}
    factors = {"kind": "intrinsic_manifold", "calibration": {"reaches": 40, "reach_s": 0.5, "factors": 4}}
    drifting = {"kind": "tuned", "units": 12, "drift": {"preferred_rad": 0.3, "baseline": 0.2}}
    days = {"days": 3, "blocks": [{"name": "first", "trials": 1}, {"name": "second", "duration_s": 0.93}]}
    everything = [
        perturbation("rotation", "cursor", angle_rad=0.5),
        perturbation("gain", "feedback", factor=[1.2, 0.9]),
        perturbation("delay", "cursor", delay_s=0.04),
        perturbation("delay", "feedback", delay_s=0.05),
        perturbation("assist", "cursor", weight=0.3),
        perturbation("permutation", "readout", among=[0, 3, 5]),
        perturbation("rotation", "readout", angle_rad=0.4, envelope={"shape": "ramp", "rise_s": 2.0}),
        perturbation("silence", "neural", fraction=0.25, envelope={"shape": "step", "start": {"trial": 2}}),
        perturbation("noise", "neural", sd_hz=8.0),
        perturbation("gain", "neural", factor=1.5, units=[1, 2]),
    ]
    perturbed = [{**one, "name": f"p{number}"} for number, one in enumerate(everything)]
    timed, four = {"kind": "timed_reach", "reach_s": 0.4, "hold_s": 0.1}, [{"name": "only", "trials": 4}]
    position = {"kind": "kalman", "state": "position_velocity", "calibration": BRIEF}
    return {
        "kalman": (centre_out(), {}),
        "position": (centre_out(decoder=position), {40: [perturb("gain", "cursor", factor=0.5)], 200: [UNPERTURB]}),
        "steady_state": (centre_out(decoder={"kind": "steady_state_kalman", "calibration": BRIEF}), {}),
        "factors": (
            centre_out(decoder=factors),
            {30: [perturb("permutation", "readout", of="factors", order=[1, 2, 3, 0])]},
        ),
        "point_process": (
            centre_out(
                decoder={"kind": "point_process", "state": "position_velocity", "calibration": BRIEF},
                updater={"kind": "point_process_ml", "approach_s": 0.3},
                perturbations=[perturbation("rotation", "readout", angle_rad=0.4)],
            ),
            {},
        ),
        "random_targets": (centre_out(task={"kind": "random_targets", **EASY}), {}),
        "manifold": (lasting(4.0, population=manifold), {}),
        "replay": (lasting(4.0, population=replayed, decoder=linear), {}),
        "refractory": (
            centre_out(
                population={"kind": "refractory", "units": 12, "regularity": 4.0},
                decoder={"kind": "kalman", "channel": "time_at_risk", "calibration": BRIEF},
                schedule={"days": 2, "blocks": [{"trials": 2}]},
            ),
            {30: [perturb("gain", "neural", factor=0.8)]},
        ),
        "bursting": (
            centre_out(
                population={"kind": "bursting", "units": 12, "feedback": "tuning"},
                decoder={"kind": "kalman", "channel": "events", "calibration": BRIEF},
                schedule={"days": 2, "blocks": [{"trials": 2}]},
            ),
            {30: [perturb("rotation", "cursor", angle_rad=0.8)]},
        ),
        "burstprop": (
            learners.feedforward(schedule={"days": 2, "blocks": [{"trials": 3}]}),
            {30: [perturb("rotation", "readout", angle_rad=0.8)]},
        ),
        "burst_dependent": (learners.burst_layer(schedule={"days": 2, "blocks": [{"trials": 2}]}), {}),
        "burst_dependent_online": (
            learners.burst_layer(rule={"applied": "online", "e_min_hz": 2.0, "e_max_hz": 9.0}),
            {30: [perturb("rotation", "readout", angle_rad=0.8)]},
        ),
        "two_compartment": (
            lasting(
                1.0,
                population={"kind": "two_compartment", "units": 6, "feedback": "decoder", "substep_s": 0.0005},
                decoder={**linear, "channel": "events"},
            ),
            {30: [perturb("rotation", "cursor", angle_rad=0.8)]},
        ),
        "outside": (outside(), FROM_OUTSIDE),
        "intended": (
            lasting(1.5, population={"kind": "tuned", "units": 12, "subject": {"intent": "external"}}),
            INTENDED,
        ),
        "days": (centre_out(schedule=days, population=drifting), {}),
        "perturbed": (centre_out(perturbations=perturbed), {}),
        "smooth_batch": (
            centre_out(
                updater={"kind": "smooth_batch", "batch_s": 1.0, "half_life_s": 2.0},
                perturbations=[perturbation("rotation", "readout", angle_rad=0.4)],
            ),
            {},
        ),
        "recursive_ml": (
            centre_out(decoder=factors, updater={"kind": "recursive_ml", "start": {"trial": 2}, "approach_s": 0.3}),
            {},
        ),
        "refit": (centre_out(decoder=position, updater={"kind": "refit", "batch_s": 3.0}), {}),
        "daily": (
            centre_out(
                decoder={"kind": "steady_state_kalman", "calibration": BRIEF},
                schedule=days,
                updater={"kind": "daily", "criterion": {"stop_at_per_min": 500, "window_s": 1.0}},
            ),
            {},
        ),
        "no_pause": (centre_out(task={"kind": "centre_out", **EASY, "inter_trial_s": 0}), {}),
        "timed": (centre_out(task=timed, effector={"kind": "point_mass"}, schedule={"days": 2, "blocks": four}), {}),
        "arm": (
            centre_out(task={**timed, "inter_trial_s": 0.1, "order": "shuffled"}, effector={"kind": "two_link_arm"}),
            {},
        ),
        "reinforce": (
            learners.learning("reinforce", schedule={"days": 2, "blocks": four}, perturbations=perturbed[:7]),
            {45: [perturb("gain", "neural", factor=0.8)]},
        ),
        "backprop": (
            learners.learning(
                "backprop",
                schedule={"days": 2, "blocks": four},
                bin_ticks=4,
                readouts={"count": 6},
                perturbations=perturbed,
            ),
            {},
        ),
        "bias": (learners.learning("bias", population={**learners.NETWORK, "poisson": True}), {}),
        "exact": (
            learners.reaching("exact", perturbations=perturbed[5:], schedule={"days": 2, "blocks": [{"trials": 17}]}),
            {8: [{"op": "decoder", "arrays": {"M2": np.full((2, 10), 0.1).tolist()}}]},
        ),
        "batch": (learners.reaching("batch", rule={"plastic": ["input", "recurrent", "bias"]}), {}),
        "node_perturbation": (learners.reaching("node_perturbation", rule={"learning_rate": 1e-5}), {}),
    }


# The names of these, for parametrised tests.
KINDS = (
    "kalman",
    "position",
    "steady_state",
    "factors",
    "point_process",
    "random_targets",
    "manifold",
    "replay",
    "refractory",
    "bursting",
    "burst_dependent",
    "burstprop",
    "burst_dependent_online",
    "two_compartment",
    "outside",
    "intended",
    "days",
    "perturbed",
    "smooth_batch",
    "recursive_ml",
    "refit",
    "daily",
    "no_pause",
    "timed",
    "arm",
    "reinforce",
    "backprop",
    "bias",
    "exact",
    "batch",
    "node_perturbation",
)
