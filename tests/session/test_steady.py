"""How long nothing but numbers changes in a session, against its ticks one by one."""

from __future__ import annotations

import pytest

from decoderd.session import perturbing, steady
from decoderd.session.step import advance
from tests import protocols
from tests.learners import learning
from tests.protocols import begun, centre_out


def advanced(session, state, ticks):
    for _ in range(ticks):
        state, _ = advance(session, state)
    return state


def test_more_than_numbers_may_change_in_the_first_tick_of_each_day():
    session, state = begun(centre_out(schedule={"days": 3, "blocks": [{"duration_s": 0.5}]}))
    found = []
    while not state.progress.done:
        if steady.more_than_numbers(session, state):
            found.append(state.tick)
        state = advanced(session, state, 1)
    assert found == [0, 50, 100]


def test_a_population_learns_in_blocks_with_plasticity():
    blocks = [{"trials": 1, "plasticity": False}, {"trials": 1}]
    session, state = begun(learning(schedule={"days": 1, "blocks": blocks}))
    found = {0: set(), 1: set()}
    while not state.progress.done:
        state = advanced(session, state, 1)
        if not state.progress.done:
            found[state.progress.block].add(steady.learns(session, state))
    assert found == {0: {False}, 1: {True}}


def test_more_than_numbers_may_change_where_a_population_follows_the_decoder():
    session, state = begun(centre_out())
    state = advanced(session, state, 3)
    assert not steady.more_than_numbers(session, state)
    assert steady.more_than_numbers(session._replace(follows=True), state)


def test_more_than_numbers_may_change_once_rates_are_clipped():
    session, state = begun(protocols.bursting(40, [2], schedule={"days": 1, "blocks": [{"duration_s": 1.0}]}))
    found = [steady.more_than_numbers(session, one) for one in protocols.turned(session, state).states[1:-1]]
    clipped = [one.clipped.unit_ticks > 0 for one in protocols.turned(session, state).states[1:-1]]
    assert found == clipped
    assert set(found) == {False, True}


@pytest.mark.parametrize("bin_ticks", [1, 2, 5])
def test_the_end_of_a_bin_is_where_the_counts_are_read(bin_ticks):
    session, state = begun(protocols.lasting(0.4, bin_ticks=bin_ticks))
    expected, ends = [], []
    while not state.progress.done:
        expected.append(steady.end_of_bin(session, state))
        state, messages = advance(session, state)
        if any(topic == "counts" for topic, _ in messages):
            ends.append(state.tick - 1)
    assert expected == [min(end for end in ends if end >= tick) for tick in range(len(expected))]


def block(start, stop):
    return {"shape": "block", "start": start, "stop": stop}


def ramp(tick):
    return {"shape": "ramp", "start": {"tick": tick}, "rise_s": 0.3}


def begins(tick):
    return {"shape": "step", "start": {"tick": tick}}


def switched(kind, site, envelope, **fields):
    return {"name": site, "kind": kind, "site": site, "envelope": envelope, **fields}


SWITCHED = {
    "by ticks": [
        switched("gain", "cursor", block({"tick": 31}, {"tick": 87}), factor=1.2),
        switched("rotation", "readout", begins(58), angle_rad=0.4),
    ],
    "by trials and days": [
        switched("gain", "cursor", block({"trial": 2}, {"day": 2}), factor=1.2),
        switched("rotation", "readout", {"shape": "step", "start": {"day": 1, "trial": 2}}, angle_rad=0.4),
    ],
    "ramps": [
        switched("rotation", "cursor", ramp(50), angle_rad=0.4),
        switched("rotation", "readout", ramp(150), angle_rad=0.4),
    ],
    "a memory, random numbers": [
        switched("delay", "feedback", block({"tick": 20}, {"tick": 60}), delay_s=0.05),
        switched("noise", "neural", begins(50), sd_hz=2.0),
    ],
}


@pytest.mark.parametrize("case", SWITCHED)
def test_perturbations_are_steady_until_then(case):
    session, state = protocols.begun(
        centre_out(perturbations=SWITCHED[case], schedule={"days": 2, "blocks": [{"name": "only", "duration_s": 3.02}]})
    )
    steady_ticks, most = 0, 0
    while not state.progress.done:
        on, until = steady.perturbations(session, state)
        begins, most = state.tick == state.progress.day_tick, max(most, len(on))
        while not begins and state.tick < until and not state.progress.done:
            now = state.tick
            state, messages = advance(session, state)
            begins = any(topic in ("task", "day") for topic, _ in messages)
            if not begins:
                found = [perturbing.active(p, session, now) for p in state.perturbations if p.onset >= 0 > p.offset]
                assert [one.name for one in found] == [one.name for one in on]
                assert all(a.amount == b.amount for a, b in zip(found, on, strict=True) if a.site != "readout")
                assert "perturbation" not in {topic for topic, _ in messages}
                steady_ticks += 1
        if not begins or state.tick == state.progress.day_tick:
            state, _ = advance(session, state)
    assert steady_ticks > 15
    assert most == 2
