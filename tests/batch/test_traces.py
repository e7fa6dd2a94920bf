"""Sessions whose populations learn, side by side: their trials are those of the sessions by themselves."""

from __future__ import annotations

import pytest

from decoderd.batch import side_by_side
from decoderd.batch.side_by_side import SideBySide
from decoderd.batch.traces import MOST
from decoderd.session.step import advance
from tests.batch.cases import SEEDS, TWO_DAYS, assert_same, by_itself, leaves, sessions, together, turning
from tests.learners import NETWORK, OBJECTIVE, PRETRAINING

REACHING = {
    "kind": "centre_out",
    "targets": 4,
    "radius_m": 0.05,
    "recentre": True,
    "centre_hold_s": 0.1,
    "reach_timeout_s": 0.5,
    "inter_trial_s": 0.2,
}
ROTATION = turning(
    "rotation", "cursor", angle_rad=0.5, envelope={"shape": "block", "start": {"tick": 103}, "stop": {"tick": 302}}
)
LONG = {**REACHING, "radius_m": 0.001, "reach_timeout_s": 1.4}


def network(rule="reinforce", **fields):
    """Parts of a protocol in which a network that reaches badly learns from every two trials."""
    return {
        "population": NETWORK,
        "decoder": {"kind": "kalman", "calibration": {"reaches": 16, "noise_shrinkage": 0.5}},
        "pretraining": PRETRAINING,
        "task": REACHING,
        "plasticity": {"kind": rule, "trials_per_update": 2, "adam": {"rate": 0.01}, "objective": OBJECTIVE},
        "schedule": {"days": 2, "blocks": [{"name": "only", "duration_s": 5.02}]},
        **fields,
    }


CASES = {
    "eligibilities": network(),
    "gradients": network("backprop"),
    "bins of a tick": network("backprop", bin_ticks=1),
    "trials longer than what is kept": network(
        "backprop", task={**REACHING, "radius_m": 0.001, "reach_timeout_s": 1.4}
    ),
    "a decoder that is adapted as well": network(updater={"kind": "smooth_batch", "batch_s": 1.5}),
    "units that are lost": network("backprop", overnight={"lose": 2}),
    "other readouts": network("backprop", readouts={"count": 5}, overnight={"swap": 1, "decoder": "carried"}),
    "blocks without learning, in bins of seven ticks": network(
        bin_ticks=7,
        schedule={
            "days": 2,
            "blocks": [{"name": "before", "trials": 2, "plasticity": False}, {"name": "after", "duration_s": 3.03}],
        },
    ),
    "a rotation": network(perturbations=[ROTATION]),
    "gradients through a rotation": network("backprop", perturbations=[ROTATION]),
    "gradients through a readout that is turned": network("backprop", perturbations=[{**ROTATION, "site": "readout"}]),
    "assistance, a gain of some rates": network(
        perturbations=[
            turning("assist", "cursor", weight=0.4, envelope={"shape": "step", "start": {"trial": 2}}),
            turning("gain", "neural", factor=1.5, units=[1, 2], envelope={"shape": "step", "start": {"tick": 70}}),
        ]
    ),
    "a network of two layers": {
        "population": {"kind": "feedforward", "units": 12, "hidden_units": 9, "feedback": "decoder"},
        "task": REACHING,
        "plasticity": {"kind": "burstprop", "trials_per_update": 2},
        "schedule": TWO_DAYS,
    },
}


@pytest.mark.parametrize("case", CASES)
def test_sessions_that_learn_are_those_by_themselves(case):
    pairs = sessions(**CASES[case])
    batch, said = together(pairs)
    assert batch.errors == {}
    for s, (session, state) in enumerate(pairs):
        last, alone = by_itself(session, state)
        assert [topic for topic, _ in alone].count("plasticity") >= 2
        assert said[s] == alone
        assert_same(batch.state(s), last)


@pytest.mark.parametrize(
    "case",
    ["gradients", "bins of a tick", "trials longer than what is kept", "a rotation", "gradients through a rotation"],
)
def test_at_any_tick_the_trace_is_that_of_the_session_by_itself(case):
    pairs, compared = sessions(**CASES[case]), 0
    each, states = zip(*pairs, strict=True)
    batch, alone = SideBySide(each, states), list(states)
    for tick in range(1, 4 * MOST):
        batch.turn()
        for s, session in enumerate(each):
            alone[s], _ = advance(session, alone[s])
            if tick % 7 == 0 or tick % MOST < 2:
                found = batch.state(s)
                assert len(found.trace) == len(alone[s].trace)
                for one, other in zip(leaves(found.trace), leaves(alone[s].trace), strict=True):
                    assert one.tobytes() == other.tobytes()
                    assert one.shape == other.shape
                compared += len(found.trace)
    assert compared > 500


def alone_in(case, monkeypatch):
    """For every session the ticks that were computed by themselves, of how many."""
    ticks = {}

    def noted(session, state, earlier=()):
        ticks.setdefault(session.name, set()).add(state.tick)
        return advance(session, state, earlier)

    monkeypatch.setattr(side_by_side, "advance", noted)
    batch, _ = together(sessions(**CASES[case]))
    return list(ticks.values()), batch.state(0).tick


@pytest.mark.parametrize(
    "case",
    ["eligibilities", "gradients", "trials longer than what is kept", "a rotation", "assistance, a gain of some rates"],
)
def test_most_ticks_of_learning_are_computed_at_once(case, monkeypatch):
    ticks, of = alone_in(case, monkeypatch)
    assert len(ticks) == len(SEEDS)
    assert all(len(some) < 0.1 * of for some in ticks)


def test_ticks_whose_perturbation_is_differentiated_are_computed_by_themselves(monkeypatch):
    ticks, _ = alone_in("gradients through a rotation", monkeypatch)
    assert all(set(range(103, 302)) <= some for some in ticks)
    assert all(len(some & set(range(320, 500))) < 40 for some in ticks)
