"""Protocols for sessions side by side, and the same sessions by themselves."""

from __future__ import annotations

import numpy as np

from decoderd.batch.side_by_side import SideBySide
from decoderd.session.step import advance
from decoderd.wire.messages import Counts
from tests.learners import NETWORK, PRETRAINING
from tests.protocols import begun, centre_out

SEEDS = (1, 2, 3)


def turning(kind, site, **fields):
    return {"name": f"{kind}-{site}", "kind": kind, "site": site, **fields}


TWO_DAYS = {"days": 2, "blocks": [{"name": "only", "duration_s": 3.02}]}
BRIEF = {"reaches": 16, "reach_s": 0.5}
CASES = {
    "kalman": {},
    "random targets, steady state": {
        "task": {"kind": "random_targets", "radius_m": 0.03, "reach_timeout_s": 1.5},
        "decoder": {"kind": "steady_state_kalman", "calibration": {"reaches": 16, "reach_s": 0.5}},
    },
    "position and velocity, recentred": {
        "task": {"kind": "centre_out", "targets": 4, "recentre": True, "reach_timeout_s": 1.0},
        "decoder": {"kind": "kalman", "state": "position_velocity", "calibration": {"reaches": 16, "reach_s": 0.5}},
    },
    "linear decoder, point mass": {
        "effector": {"kind": "point_mass"},
        "decoder": {"kind": "linear", "calibration": {"reaches": 16, "reach_s": 0.5}},
    },
    "two-link arm, bins of a tick": {"effector": {"kind": "two_link_arm"}, "bin_ticks": 1},
    "timed reach": {"task": {"kind": "timed_reach", "reach_s": 0.7, "inter_trial_s": 0.1}},
    "days that end within a bin": {
        "bin_ticks": 7,
        "schedule": {"days": 3, "blocks": [{"name": "one", "duration_s": 1.03}, {"name": "two", "trials": 1}]},
        "population": {"kind": "tuned", "units": 12, "drift": {"preferred_rad": 0.4, "baseline": 0.3}},
        "overnight": {"lose": 2, "decoder": "refitted"},
    },
    "other readouts each day": {
        "schedule": {"days": 3, "blocks": [{"name": "only", "trials": 2}]},
        "readouts": {"count": 8},
        "overnight": {"swap": 2, "decoder": "carried"},
    },
    "perturbations without a memory": {
        "schedule": {"blocks": [{"name": "only", "trials": 6}]},
        "perturbations": [
            turning("rotation", "cursor", angle_rad=0.5),
            turning("assist", "cursor", weight=0.4, envelope={"shape": "step", "start": {"trial": 2}}),
            turning("rotation", "feedback", angle_rad=-0.2, envelope={"shape": "step", "start": {"tick": 83}}),
            turning("silence", "neural", fraction=0.25),
            turning(
                "gain",
                "neural",
                factor=1.5,
                units=[1, 2],
                envelope={"shape": "block", "start": {"tick": 60}, "stop": {"trial": 4}},
            ),
            turning("rotation", "readout", angle_rad=0.6, envelope={"shape": "step", "start": {"tick": 101}}),
            turning("permutation", "readout", envelope={"shape": "step", "start": {"trial": 3}}),
        ],
    },
    "perturbations with a memory": {
        "perturbations": [
            turning("delay", "feedback", delay_s=0.05),
            turning("rotation", "cursor", angle_rad=0.5, envelope={"shape": "ramp", "rise_s": 1.0}),
        ],
    },
    "a readout that turns little by little": {
        "perturbations": [
            turning(
                "rotation",
                "readout",
                angle_rad=0.5,
                envelope={"shape": "ramp", "start": {"tick": 103}, "rise_s": 0.7, "stop": {"tick": 302}},
            ),
        ],
    },
    "smooth batch": {
        "schedule": {"blocks": [{"name": "only", "duration_s": 20.0}]},
        "updater": {"kind": "smooth_batch", "batch_s": 3.0, "start": {"trial": 2}, "stop_s": 11.0},
    },
    "smooth batch, recentred": {
        "schedule": {"blocks": [{"name": "only", "duration_s": 12.0}]},
        "task": {"kind": "centre_out", "targets": 4, "recentre": True, "radius_m": 0.03, "reach_timeout_s": 0.8},
        "updater": {"kind": "smooth_batch", "batch_s": 3.0},
    },
    "smooth batch, another decoder each day": {
        "bin_ticks": 7,
        "schedule": {"days": 3, "blocks": [{"name": "only", "duration_s": 4.03}]},
        "population": {"kind": "tuned", "units": 12, "drift": {"preferred_rad": 0.4}},
        "updater": {"kind": "smooth_batch", "batch_s": 2.5},
        "overnight": {"decoder": "refitted", "after_days": [1]},
    },
    "smooth batch, sessions that end within a bin": {
        "bin_ticks": 7,
        "schedule": {"days": 2, "blocks": [{"name": "one", "trials": 3}, {"name": "two", "duration_s": 2.02}]},
        "updater": {"kind": "smooth_batch", "batch_s": 50.0},
    },
    "refit, from a tick on": {
        "schedule": {"days": 2, "blocks": [{"name": "only", "duration_s": 9.0}]},
        "updater": {"kind": "refit", "batch_s": 4.0, "start": {"tick": 333}},
    },
    "every bin": {
        "schedule": {"blocks": [{"name": "only", "duration_s": 8.0}]},
        "updater": {"kind": "recursive_ml"},
    },
    "a criterion": {
        "schedule": {"blocks": [{"name": "only", "duration_s": 15.0}]},
        "updater": {
            "kind": "smooth_batch",
            "batch_s": 2.0,
            "criterion": {"stop_at_per_min": 20.0, "restart_drop": 0.1, "window_s": 5.0},
        },
    },
    "a criterion that stops and restarts": {
        "schedule": {"days": 2, "blocks": [{"name": "only", "duration_s": 40.0}]},
        "task": {"kind": "centre_out", "targets": 4, "radius_m": 0.03, "centre_radius_m": 0.03},
        "perturbations": [
            turning(
                "rotation",
                "cursor",
                angle_rad=2.8,
                envelope={"shape": "block", "start": {"tick": 1200}, "stop": {"tick": 2400}},
            )
        ],
        "updater": {
            "kind": "smooth_batch",
            "batch_s": 2.0,
            "start": {"trial": 3},
            "criterion": {"stop_at_per_min": 15.0, "restart_drop": 0.1, "window_s": 6.0},
        },
    },
    "point process": {
        "decoder": {"kind": "point_process", "calibration": BRIEF},
        "updater": {"kind": "point_process_ml"},
        "schedule": TWO_DAYS,
    },
    "point process, fired or not, position and velocity": {
        "decoder": {"kind": "point_process", "law": "bernoulli", "state": "position_velocity", "calibration": BRIEF},
        "bin_ticks": 1,
        "schedule": TWO_DAYS,
    },
    "refractory units": {"population": {"kind": "refractory", "units": 12, "regularity": 2.0}, "schedule": TWO_DAYS},
    "units that burst": {
        "population": {"kind": "bursting", "units": 12, "feedback": "decoder"},
        "decoder": {"kind": "linear", "channel": "events", "calibration": BRIEF},
        "schedule": TWO_DAYS,
    },
    "units that burst, feedback learnt": {
        "population": {"kind": "bursting", "units": 12, "feedback": "learnt"},
        "schedule": TWO_DAYS,
    },
    "recurrent network": {
        "population": NETWORK,
        "decoder": {"kind": "kalman", "calibration": {"reaches": 16, "noise_shrinkage": 0.5}},
        "pretraining": PRETRAINING,
        "task": {"kind": "centre_out", "targets": 4, "radius_m": 0.05, "centre_radius_m": 0.05, "reach_timeout_s": 0.5},
        "schedule": TWO_DAYS,
    },
    "recurrent network with spikes, single precision": {
        "population": {**NETWORK, "poisson": True, "precision": "single"},
        "decoder": {"kind": "kalman", "calibration": {"reaches": 16, "noise_shrinkage": 0.5}},
        "pretraining": PRETRAINING,
        "task": {"kind": "timed_reach", "reach_s": 0.7, "inter_trial_s": 0.1},
        "schedule": TWO_DAYS,
    },
    "linear network": {
        "population": {"kind": "linear", "units": 12, "targets": 4, "alpha": 1.0, "training": {"updates": 3}},
        "schedule": TWO_DAYS,
    },
    "feedforward network": {
        "population": {"kind": "feedforward", "units": 12, "hidden_units": 9, "feedback": "decoder"},
        "schedule": TWO_DAYS,
    },
    "more bins than are kept": {
        "bin_ticks": 1,
        "schedule": {"blocks": [{"name": "only", "duration_s": 6.0}]},
        "task": {
            "kind": "centre_out",
            "targets": 4,
            "radius_m": 0.002,
            "centre_radius_m": 0.05,
            "reach_timeout_s": 4.0,
        },
        "updater": {"kind": "smooth_batch", "batch_s": 2.5},
    },
}


def sessions(seeds=SEEDS, **fields):
    """Sessions of a protocol and their states before the first tick."""
    return [begun(centre_out(**{**fields, "seed": seed})) for seed in seeds]


def together(pairs, ticks=None):
    """The batch after so many turns, or at its end, and the messages of each session without those of its ticks."""
    said = [[] for _ in pairs]
    each, states = zip(*pairs, strict=True)
    batch = SideBySide(each, states, lambda s, messages: said[s].extend(messages))
    turns = 0
    while not batch.over and (ticks is None or turns < ticks):
        batch.turn()
        turns += 1
    return batch, said


def by_itself(session, state, ticks=None):
    """The last state of a session, and its messages without those of its ticks."""
    said = []
    while not state.progress.done and (ticks is None or state.tick < ticks):
        state, messages = advance(session, state)
        said += rare(messages)
    return state, said


def rare(messages):
    """Without the message of the tick and its counts: those are not made in quiet ticks."""
    return [one for one in messages[1:] if one[0] != Counts.topic]


def leaves(tree):
    """The arrays in nested tuples."""
    if isinstance(tree, np.ndarray):
        return [tree]
    return [leaf for part in tree for leaf in leaves(part)] if isinstance(tree, tuple) else []


def assert_same(found, expected):
    """States: the same numbers, to the bit, and the same texts."""
    assert found.tick == expected.tick
    assert found.progress == expected.progress
    assert found.log.trial == expected.log.trial
    for one, other in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)
