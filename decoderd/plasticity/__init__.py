"""Rules of plasticity: how a population's parameters change after trials."""

from decoderd.plasticity.contract import (
    Activity,
    Follow,
    Init,
    Learn,
    LearnsFrom,
    Part,
    Plasticity,
    PlasticityConfig,
    Progress,
    ProgressOf,
    TrialBatch,
    WeightedSum,
)

__all__ = [
    "Activity",
    "Follow",
    "Init",
    "Learn",
    "LearnsFrom",
    "Part",
    "Plasticity",
    "PlasticityConfig",
    "Progress",
    "ProgressOf",
    "TrialBatch",
    "WeightedSum",
]
