"""A session for perturbations to act on."""

from types import SimpleNamespace

import numpy as np
import pytest

from decoderd.decoders.external import EXTERNAL
from decoderd.decoders.intrinsic_manifold import INTRINSIC_MANIFOLD
from decoderd.decoders.kalman import KALMAN
from decoderd.decoders.linear import LINEAR
from decoderd.perturbations import PerturbationContext, SessionInfo
from decoderd.state import Timing

UNITS, FACTORS = 8, 3


def arrays(kind):
    draw = np.random.default_rng(1)
    if kind is LINEAR:
        return {"M1": 0.5 * np.eye(2), "M2": draw.normal(0, 0.01, (2, UNITS)), "count_mean": draw.uniform(1, 3, UNITS)}
    if kind is KALMAN:
        C = np.column_stack([draw.normal(0, 15, (UNITS, 2)), draw.uniform(1, 3, UNITS)])
        return {"A": np.diag([0.9, 0.9, 1]), "W": np.diag([1e-3, 1e-3, 0]), "C": C, "Q": np.eye(UNITS)}
    if kind is INTRINSIC_MANIFOLD:
        return {
            "count_mean": draw.uniform(1, 3, UNITS),
            "count_scale": np.ones(UNITS),
            "fa_loadings": draw.normal(size=(UNITS, FACTORS)),
            "fa_private_var": np.ones(UNITS),
            "factor_scale": np.ones(FACTORS),
            "kf_A": 0.9 * np.eye(2),
            "kf_b": np.zeros(2),
            "kf_Q": 1e-3 * np.eye(2),
            "kf_C": draw.normal(0, 10, (FACTORS, 2)),
            "kf_d": np.zeros(FACTORS),
            "kf_R": np.eye(FACTORS),
        }
    return {}


def host(decoder=LINEAR, drawn=True, seed=1, tick_s=0.01, given=None):
    """A session of 8 units, read by this decoder."""
    return SessionInfo(UNITS, UNITS, drawn, decoder, decoder.load(given or arrays(decoder)), Timing(tick_s, 5), seed)


def context(goal=(0.05, 0.0), cursor=(0.0, 0.0), radius=0.012):
    """What is on the screen."""
    here = np.array([[*cursor, 0.0, 0.0]])
    return PerturbationContext(None if goal is None else np.array([goal]), radius, here)


@pytest.fixture(scope="session")
def rig():
    """Makers of hosts and scenes, and the decoders."""
    return SimpleNamespace(
        host=host,
        context=context,
        units=UNITS,
        factors=FACTORS,
        linear=LINEAR,
        kalman=KALMAN,
        manifold=INTRINSIC_MANIFOLD,
        external=EXTERNAL,
        arrays=arrays,
    )
