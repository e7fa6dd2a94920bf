"""The manifold population, against its equations in loops and the covariance they imply."""

import math
from pathlib import Path

import numpy as np
import pytest

from decoderd.errors import ArrayError
from decoderd.populations import manifold
from decoderd.populations.manifold import MANIFOLD, ManifoldConfig
from decoderd.rng import Draws, generator, open_streams
from decoderd.state import Cue, TimeIndex, Timing
from decoderd.tasks.trial import REACH

N, Q, HARMONICS = 5, 2, 3


def config(**fields):
    return ManifoldConfig(file=Path("individual.npz"), **fields)


def arrays():
    draw = np.random.default_rng(1)
    return {
        "baseline": draw.uniform(20, 30, N),
        "loadings": draw.normal(0, 1, (N, Q)),
        "resting": np.array([0.5, -0.3]),
        "tuning": draw.normal(0, 1, (2 * HARMONICS, Q)),
        "shared": np.array([[0.8, 0.0], [0.4, 0.6]]),
        "private": np.array([0.0, 0.5, 1.0, 1.5, 2.0]),
        "bin_s": np.array(0.045),
    }


def individual(**changes):
    return MANIFOLD.load(config(), generator(1, "x"), {**arrays(), **changes})


def test_mean_counts_are_those_of_the_equations_in_loops():
    p, given = individual(), arrays()
    angles, efforts = np.array([0.0, 1.2, -2.5]), np.array([1.0, 0.4, 0.0])
    latents = manifold.mean_latents(p, angles, efforts)
    found = manifold.mean_counts(p, latents)
    for b in range(3):
        z = list(given["resting"])
        for j in range(Q):
            for h in range(1, HARMONICS + 1):
                z[j] += efforts[b] * math.cos(h * angles[b]) * given["tuning"][2 * h - 2, j]
                z[j] += efforts[b] * math.sin(h * angles[b]) * given["tuning"][2 * h - 1, j]
        np.testing.assert_allclose(latents[b], z, rtol=1e-13)
        for i in range(N):
            mean = given["baseline"][i] + sum(given["loadings"][i, j] * z[j] for j in range(Q))
            assert found[b, i] == pytest.approx(max(0.0, mean), rel=1e-13)


def test_expected_counts_are_not_negative():
    p = individual(baseline=np.array([-1.0, 0, 1, 2, 3]), loadings=np.zeros((N, Q)))
    np.testing.assert_array_equal(manifold.mean_counts(p, np.zeros((1, Q))), [[0, 0, 1, 2, 3]])
    np.testing.assert_array_equal(manifold.mean_counts(p, np.zeros((1, Q)), np.full((1, N), -1.0)), [[0, 0, 0, 0.5, 1]])


def run(p, ticks, goal=None, bin_ticks=1, **fields):
    """(rates, intents), tick by tick, of a cursor that stands still."""
    made = config(**fields)
    plan = MANIFOLD.plan(made, Timing(0.045 / bin_ticks, bin_ticks))
    streams = open_streams((1,), "population", MANIFOLD.streams(plan, p))
    cursor = np.zeros((1, 4))
    state, out = MANIFOLD.init(plan, p, cursor), []
    cue = Cue(None if goal is None else np.array([goal]), 0.01, REACH, 0, 1, None, ())
    for tick in range(ticks):
        time = TimeIndex(tick, 1, tick, tick % bin_ticks)
        state, rates, u = MANIFOLD.rates(plan, p, state, cue, cursor, time, Draws(streams, 1, tick))
        out.append((rates[0], u[0]))
    return tuple(np.array(column) for column in zip(*out, strict=True))


STILL = {"subject": {"motor_noise_m_s": 0.0}}


def test_mean_and_covariance_at_rest_are_those_of_the_model():
    """Bins at rest: mean = baseline + L resting, covariance = L S S' L' + diag(private^2)."""
    given, bins = arrays(), 8000
    rates, intents = run(individual(), bins, **STILL)
    assert not intents.any()
    counts = rates * 0.045
    factor = given["loadings"] @ given["shared"]
    cov = factor @ factor.T + np.diag(given["private"] ** 2)
    mean = given["baseline"] + given["loadings"] @ given["resting"]
    se = np.sqrt(np.diag(cov) / bins)
    assert (np.abs(counts.mean(axis=0) - mean) < 4 * se).all()
    spread = np.sqrt((np.outer(np.diag(cov), np.diag(cov)) + cov**2) / bins)  # of a sample covariance
    assert (np.abs(np.cov(counts.T) - cov) < 4 * spread).all()


def test_rates_are_constant_within_a_bin():
    rates, _ = run(individual(), 60, bin_ticks=5, **STILL)
    bins = rates.reshape(12, 5, N)
    assert (bins == bins[:, :1]).all()
    assert len({tuple(row) for row in bins[:, 0]}) == 12


def test_intentions_are_noisy():
    _, intents = run(individual(), 3000, subject={"motor_noise_m_s": 0.02})
    assert intents.std() == pytest.approx(0.02 * np.sqrt(0.1 / 0.045), rel=0.05)


def test_effort_grows_with_intended_speed_up_to_the_reference():
    p = individual(shared=np.zeros((Q, Q)), private=np.zeros(N))
    for reference in (0.1, 1.0):
        rates, intents = run(p, 2, goal=(0.07, 0.02), reference_speed_m_s=reference, **STILL)
        speed, angle = np.hypot(*intents[0]), np.arctan2(intents[0, 1], intents[0, 0])
        effort = min(1.0, speed / reference)
        assert (effort == 1.0) == (reference == 0.1)
        latents = manifold.mean_latents(p, np.array([angle]), np.array([effort]))
        np.testing.assert_allclose(rates[0] * 0.045, manifold.mean_counts(p, latents)[0], rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tuning": np.zeros((3, Q))}, "tuning: has 3 rows, expected a cosine and a sine"),
        ({"tuning": np.zeros((2, Q + 1))}, "tuning: has shape"),
        ({"private": -np.ones(N)}, "private: must be positive"),
        ({"bin_s": np.array(0.0)}, "bin_s: must be positive"),
        ({"shared": np.zeros((Q, Q + 1))}, "shared: has shape"),
        ({"baseline": np.zeros(N + 1)}, "baseline: has shape"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes, says):
    with pytest.raises(ArrayError, match=says) as caught:
        individual(**changes)
    assert caught.value.field == next(iter(changes))


def test_missing_arrays_are_refused():
    given = arrays()
    del given["shared"]
    with pytest.raises(ArrayError, match="missing: shared"):
        MANIFOLD.load(config(), generator(1, "x"), given)
