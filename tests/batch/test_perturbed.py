"""Perturbations of many sessions at once, against each session's own."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd import registry
from decoderd.batch.perturbed import Perturbed
from decoderd.perturbations.sites import ActivePerturbation, PerturbationContext, passed
from decoderd.protocol.protocol import parse_perturbation
from decoderd.state import Command, TimeIndex

SESSIONS, UNITS = 5, 7
GOAL = np.vstack([np.random.default_rng(1).normal(size=(4, 2)) * 0.05, [[np.nan, np.nan]]])
RADII = (0.012, 0.03, 0.012, 0.03, 0.0)
CURSOR = np.random.default_rng(2).normal(size=(SESSIONS, 4)) * 0.05
NAMES = ("turn", "help", "weak", "quiet")
NOW = TimeIndex(0, 1, 0, 0)


def active(name, kind, site, memory=None, **fields):
    spec = parse_perturbation({"name": name, "kind": kind, "site": site, **fields})
    found = registry.find("perturbations", kind)
    assert found.memoryless
    return ActivePerturbation(name, site, found.sites[site], spec, 1.0, memory, {})


TURN = active("turn", "rotation", "cursor", angle_rad=0.7)
HELP = active("help", "assist", "cursor", weight=0.5)
WEAK = active("weak", "gain", "neural", memory=np.array([0, 2]), factor=0.5, units=[0, 2])
# Each session has other units silenced.
QUIET = [active("quiet", "silence", "neural", memory=np.array([s, 6]), fraction=0.2) for s in range(SESSIONS)]
# Given in any order; the protocol's counts.
ON = {0: [TURN, HELP, WEAK, QUIET[0]], 1: [HELP], 2: [TURN, QUIET[2]], 3: [TURN, HELP, QUIET[3]], 4: [HELP, TURN]}


def placed(on):
    found = Perturbed(NAMES)
    for s, several in on.items():
        found.place(s, several, RADII[s])
    return found


def by_itself(site, s, value, on):
    """The value of one session, with its perturbations in the order of the protocol."""
    ordered = sorted(on.get(s, ()), key=lambda one: NAMES.index(one.name))
    goal = GOAL[s : s + 1] if RADII[s] else None
    context = NOW if site == "neural" else PerturbationContext(goal, RADII[s], CURSOR[s : s + 1])
    return passed(site, ordered, value, context)[0]


@pytest.mark.parametrize("on", [ON, {}, {1: [TURN]}], ids=["several", "none", "one"])
def test_every_session_has_its_own_perturbations(on):
    perturbed = placed(on)
    velocity = np.random.default_rng(3).normal(size=(SESSIONS, 2))
    rates = np.random.default_rng(4).uniform(1, 20, (SESSIONS, UNITS))
    moved = perturbed.passed("cursor", Command(velocity, None), GOAL, CURSOR)
    fired = perturbed.passed("neural", rates, GOAL, CURSOR)
    for s in range(SESSIONS):
        alone = by_itself("cursor", s, Command(velocity[s : s + 1], None), on)
        np.testing.assert_allclose(moved.velocity[s], alone.velocity[0], rtol=1e-14)
        np.testing.assert_array_equal(fired[s], by_itself("neural", s, rates[s : s + 1], on)[0])


def test_what_is_placed_again_replaces_what_was_there():
    perturbed = placed(ON)
    perturbed.place(0, [], RADII[0])
    perturbed.place(1, [TURN], RADII[1])
    velocity = np.ones((SESSIONS, 2))
    moved = perturbed.passed("cursor", Command(velocity, None), GOAL, CURSOR)
    after = {**ON, 0: [], 1: [TURN]}
    for s in range(SESSIONS):
        alone = by_itself("cursor", s, Command(velocity[s : s + 1], None), after)
        np.testing.assert_allclose(moved.velocity[s], alone.velocity[0], rtol=1e-14)
    assert velocity.tolist() == np.ones((SESSIONS, 2)).tolist()
