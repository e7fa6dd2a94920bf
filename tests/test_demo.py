"""The learning that `make demo` shows is no accident of its seed: a campaign over ten of them, some minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from decoderd.api import simulate

PROTOCOL = Path(__file__).resolve().parent.parent / "protocols" / "experiments" / "days.toml"
ROTATION = {
    "name": "turn",
    "kind": "rotation",
    "site": "cursor",
    "angle_rad": 0.7,
    "envelope": {"shape": "block", "start": {"day": 3}, "stop": {"day": 4}},
}
PART = 50  # trials


def parts(seed):
    """Success (first, last) in PART trials of practice, of days 1 to 4."""
    trials = simulate(PROTOCOL, seed=seed, set={"perturbations": [ROTATION]}).trials()
    days = []
    for day in range(1, 5):
        won = trials["outcome"][(trials["day"] == day) & (trials["block"] == 2)] == "success"
        days.append((won[:PART].mean(), won[-PART:].mean()))
    return days


@pytest.mark.campaign
def test_learning_a_perturbed_day_and_recovery_are_plain_to_see():
    plain = 0
    for seed in range(1, 11):
        (first, _), (_, learned), (perturbed, adapted), (after, recovered) = parts(seed)
        learning = learned >= 0.8 and learned - first >= 0.2
        perturbation = perturbed <= learned - 0.3 and adapted - perturbed >= 0.3
        plain += learning and perturbation and after <= learned - 0.2 and recovered >= 0.8
    assert plain >= 8
