"""Small networks that learn, for tests anywhere: 8 units, trials of 0.3 s."""

from __future__ import annotations

from typing import Any

import numpy as np

# The parameters that may be plastic.
FIELDS = ("U", "W", "b")
# Scales that let every term of the loss matter.
OBJECTIVE = {
    "position_scale_m": 0.05,
    "velocity_scale_m_s": 0.2,
    "acceleration_scale_m_s2": 2.0,
    "acceleration_weight": 0.2,
    "effort_weight": 20.0,
    "hold_s": 0.05,
}
NETWORK = {
    "kind": "rnn",
    "units": 8,
    "encoder_units": 6,
    "feedback_delay_s": 0.05,
    "hold_cue": True,
    "noise_sd": 0.2,
    "motor_weights": {"normal": [0.0, 0.2]},
}
REACHES = {"kind": "timed_reach", "targets": 4, "reach_s": 0.3, "hold_s": 0.05, "radius_m": 0.03}
PRETRAINING = {
    "effector": {"kind": "point_mass"},
    "plasticity": {"kind": "backprop", "adam": {"rate": 0.001}},
    "updates": 3,
    "targets": 4,
    "reach_s": 0.3,
}


def learning(kind: str = "backprop", trials: int = 6, rule: dict[str, Any] | None = None, **fields: Any) -> Any:
    """Plain data of a protocol whose network learns by a rule of this kind, two trials an update."""
    return {
        "name": "learning",
        "seed": 4,
        "tick_s": 0.01,
        "bin_ticks": 1,
        "schedule": {"days": 1, "blocks": [{"name": "only", "trials": trials}]},
        "task": REACHES,
        "population": NETWORK,
        "decoder": {"kind": "kalman", "calibration": {"reaches": 16, "noise_shrinkage": 0.5}},
        "plasticity": {
            "kind": kind,
            "trials_per_update": 2,
            "adam": {"rate": 0.01},
            "objective": OBJECTIVE,
            **(rule or {}),
        },
        "pretraining": PRETRAINING,
        **fields,
    }


def feedforward(rule: dict[str, Any] | None = None, **fields: Any) -> Any:
    """Plain data of a protocol whose two layers of 10 and 12 units learn by burstprop, in reaches of 0.6 s."""
    return {
        **burst_layer(),
        "name": "layers",
        "population": {"kind": "feedforward", "units": 12, "hidden_units": 10, "feedback": "present"},
        "decoder": {"kind": "kalman", "calibration": {"reaches": 16, "reach_s": 0.5}},
        "plasticity": {"kind": "burstprop", "trials_per_update": 2, **(rule or {})},
        **fields,
    }


# Ten units that reach for five targets: a tick is a reach.
STATIC = {"kind": "linear", "units": 10, "targets": 5, "alpha": 0.8, "training": {"updates": 150, "rate": 0.05}}
TICK_S, DISTANCE_M = 0.1, 0.07


def reaching(kind: str = "exact", updates: int = 6, rule: dict[str, Any] | None = None, **fields: Any) -> Any:
    """Plain data of a protocol whose static network learns by a rule of this kind, an update every five reaches."""
    return {
        "name": "reaching",
        "seed": 5,
        "tick_s": TICK_S,
        "bin_ticks": 1,
        "schedule": {"days": 1, "blocks": [{"name": "only", "trials": 5 * updates}]},
        "task": {"kind": "timed_reach", "targets": 5, "reach_s": TICK_S, "start_jitter_m": 0.0, "order": "shuffled"},
        "effector": {"kind": "cursor", "half_width_m": 2.0},
        "population": STATIC,
        "decoder": {"kind": "linear", "calibration": {"reaches": 60, "decay_per_100ms": 0.0}},
        "plasticity": {"kind": kind, "trials_per_update": 5, "learning_rate": 0.02, **(rule or {})},
        **fields,
    }


def burst_layer(rule: dict[str, Any] | None = None, **fields: Any) -> Any:
    """Plain data of a protocol whose layer of 12 bursting units learns from bursts, in reaches of 0.6 s."""
    return {
        "name": "bursts",
        "seed": 6,
        "tick_s": 0.01,
        "bin_ticks": 5,
        "schedule": {"days": 1, "blocks": [{"trials": 4}]},
        "task": {"kind": "timed_reach", "targets": 4, "reach_s": 0.6, "inter_trial_s": 0.1},
        "effector": {"kind": "cursor"},
        "population": {"kind": "burst_layer", "units": 12, "feedback": "present"},
        "decoder": {"kind": "linear", "channel": "events", "calibration": {"reaches": 16, "reach_s": 0.5}},
        "plasticity": {"kind": "burst_dependent", "learning_rate": 0.05, "burn_in_s": 0.3, **(rule or {})},
        **fields,
    }


def plain_loss(cursors: np.ndarray, decoded: np.ndarray, goal: np.ndarray, tick_s: float = 0.01) -> float:
    """The loss of `OBJECTIVE` written out: cursors (T + 1, 4), velocities as decoded (T, 2), goal (2,)."""
    terms = OBJECTIVE
    held = round(terms["hold_s"] / tick_s)
    loss = 0.0
    for t in range(len(cursors) - held, len(cursors)):
        position, velocity, earlier = cursors[t, :2], cursors[t, 2:], cursors[t - 1, 2:]
        acceleration = (velocity - earlier) / tick_s
        loss += np.sum((position - goal) ** 2) / terms["position_scale_m"] ** 2
        loss += 0.1 * np.sum(velocity**2) / terms["velocity_scale_m_s"] ** 2
        loss += terms["acceleration_weight"] * np.sum(acceleration**2) / terms["acceleration_scale_m_s2"] ** 2
    return loss / held + terms["effort_weight"] / 2 * np.mean(np.sum(decoded**2, axis=1))


def parts(population: Any) -> dict[str, np.ndarray]:
    """The arrays that may be plastic."""
    return {name: getattr(population, name) for name in FIELDS}


def same_parts(one: Any, other: Any, names: tuple[str, ...] = FIELDS) -> bool:
    """Whether these arrays of two populations are the same bit for bit."""
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in names)
