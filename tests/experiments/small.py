"""A small protocol of learning beside an adapting decoder, for tests of a few seconds."""

DAYS, TARGETS = 2, 4


def small(rule="reinforce", decoder="kalman", **fields):
    """Two days of a small network: four reaches with updating, then eight with learning."""
    learning = {"kind": rule, "trials_per_update": TARGETS, "adam": {"rate": 1e-3}}
    return {
        "name": "small",
        "bin_ticks": 1,
        "schedule": {
            "days": DAYS,
            "blocks": [
                {"name": "assistance", "trials": TARGETS, "plasticity": False},
                {"name": "practice", "trials": 2 * TARGETS, "updating": False},
            ],
        },
        "task": {"kind": "timed_reach", "targets": TARGETS, "reach_s": 0.3, "hold_s": 0.05, "inter_trial_s": 0.02},
        "population": {"kind": "rnn", "units": 12, "encoder_units": 9, "feedback_delay_s": 0.05, "hold_cue": True},
        "readouts": {"count": 6},
        "decoder": {"kind": decoder, "calibration": {"reaches": 8, "dynamics": "fitted", "decay_per_100ms": 0.0}},
        "updater": {"kind": "daily", "intensity": 0.25},
        "plasticity": learning,
        "pretraining": {
            "effector": {"kind": "point_mass"},
            "plasticity": {**learning, "kind": "backprop"},
            "targets": TARGETS,
            "updates": 3,
            "reach_s": 0.3,
        },
        **fields,
    }
