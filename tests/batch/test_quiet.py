"""How long the ticks of a session are quiet: no tick before that has an event, a message or other arrays."""

from __future__ import annotations

import pytest

from decoderd.batch.quiet import coming
from decoderd.session.step import advance
from tests.batch.cases import CASES, rare
from tests.learners import burst_layer, learning
from tests.protocols import begun, centre_out, perturbation

TICKS = 700


@pytest.mark.parametrize("case", CASES)
def test_nothing_happens_while_it_is_quiet(case):
    """Unless the cursor enters or leaves the goal; and the numbers that are said not to change do not."""
    session, state = begun(centre_out(**CASES[case]))
    quiet_ticks = 0
    while state.tick < TICKS and not state.progress.done:
        quiet = coming(session, state, 0)
        before = state
        while state.tick < quiet.until and not state.progress.done and state.tick < TICKS:
            inside = _inside(quiet, session, state)
            if quiet.inside is not None and inside != quiet.inside:
                break
            state, messages = advance(session, state)
            quiet_ticks += 1
            assert rare(messages) == []
            assert state.progress == before.progress
            assert state.parameters is before.parameters
            assert state.readout.parameters is before.readout.parameters
            assert (state.log.trial, state.log.names) == (before.log.trial, before.log.names)
            assert state.sequences == {**before.sequences, "counts": state.sequences["counts"]}
        if state.tick < TICKS and not state.progress.done:
            state, _ = advance(session, state)
    if case != "perturbations with a memory":
        assert quiet_ticks > 0.7 * min(state.tick, TICKS)


def _inside(quiet, session, state):
    if quiet.cue.goal is None:
        return None
    x, y = session.effector.cursor(session.effector_plan, state.effector)[0, :2]
    return (x - quiet.cue.goal[0, 0]) ** 2 + (y - quiet.cue.goal[0, 1]) ** 2 <= quiet.cue.radius_m**2


def test_the_first_tick_has_a_message_of_the_day():
    session, state = begun(centre_out())
    assert coming(session, state, 0).until == 0
    state, _ = advance(session, state)
    assert coming(session, state, 0).until == 10  # the rest between trials


def test_no_tick_is_quiet_that_a_rule_follows_or_whose_perturbation_it_differentiates():
    turn = perturbation("rotation", "cursor", angle_rad=0.5)
    for data, quiet in ((learning(), True), (learning(perturbations=[turn]), False), (burst_layer(), False)):
        session, state = begun(data)
        state, _ = advance(session, state)
        assert (coming(session, state, 0).until > state.tick) == quiet


def test_an_updater_of_every_bin_wants_every_end_of_bin():
    session, state = begun(centre_out(**CASES["every bin"]))
    for _ in range(12):
        state, _ = advance(session, state)
    assert coming(session, state, 0).until <= 14


@pytest.mark.parametrize("case", ["a criterion", "a criterion that stops and restarts"])
def test_a_criterion_wants_few_ends_of_bins(case):
    session, state = begun(centre_out(**CASES[case]))
    wanted = ends = 0
    while state.tick < TICKS:
        end = len(state.bin.ticks) == session.timing.bin_ticks - 1
        ends += end
        wanted += end and coming(session, state, 0).until == state.tick
        state, _ = advance(session, state)
    assert ends == TICKS // session.timing.bin_ticks
    assert wanted < 0.4 * ends


def test_an_updater_gathers_until_its_batch_is_full():
    """With a hold that is never over, the cursor stays in the centre and nothing else ends the quiet ticks."""
    task = {"kind": "centre_out", "targets": 4, "centre_hold_s": 1000.0, "centre_radius_m": 2.0}
    session, state = begun(centre_out(task=task, updater={"kind": "smooth_batch", "batch_s": 3.0}))
    for _ in range(150):
        state, _ = advance(session, state)
    quiet = coming(session, state, 0)
    missing = 60 - int(state.updater.gathered.rows)
    assert 0 < missing < 60
    assert quiet.observed
    assert quiet.until == state.tick + 4 - len(state.bin.ticks) + 5 * (missing - 1)
    while state.tick < quiet.until:
        state, messages = advance(session, state)
        assert rare(messages) == []
    _, messages = advance(session, state)
    assert [topic for topic, _ in rare(messages)] == ["decoder"]
