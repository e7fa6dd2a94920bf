"""The description of a session: its fields against the model, and against the session's own state."""

from __future__ import annotations

import pytest

from decoderd.protocol import protocol as protocols
from decoderd.recording import session_file
from decoderd.service.description import RunInfo, describe, next_number
from decoderd.service.lockstep import Lockstep
from decoderd.wire import control
from tests.protocols import begun, bursting, centre_out, turned
from tests.service.in_memory import shared_state

TURN = {"name": "turn", "kind": "rotation", "site": "cursor", "angle_rad": 0.5}


@pytest.fixture
def described(tmp_path):
    """(description, state) in lockstep after 200 ticks, perturbed."""
    data = centre_out(schedule={"days": 2, "blocks": [{"name": "only", "trials": 50}]}, seed=11)
    session, state = begun(data)
    store, _ = session_file.begin(tmp_path, session, state)
    run = turned(session, state, {5: [{"op": "perturb", "perturbation": TURN}]}, 200)
    state = run.states[-1]
    info = RunInfo(session, store, 3, 120, "lockstep", "tcp://h:1", "tcp://h:2", protocols.dump(session.protocol))
    lockstep = Lockstep(control.Participants(grants={"a": "trial"}))
    with store, shared_state(state, "prepared") as shared:
        shared.last_tick = run.of("tick")[-1]
        yield describe(info, shared, lockstep, store), state


def test_it_is_the_reply_of_the_wire(described):
    found, _ = described
    reply = control.Description.model_validate({"id": "1", "ok": True, **found})
    assert (reply.session, found["seed"], found["protocol"]["seed"]) == ("small-11", 11, 11)
    assert (reply.state, reply.incarnation, reply.from_tick, reply.speed) == ("running", 3, 120, "lockstep")
    assert (reply.stream, reply.control) == ("tcp://h:1", "tcp://h:2")


def test_it_gives_where_the_session_stands(described):
    found, state = described
    assert (found["tick"], found["day"], found["days"], found["block"]) == (200, 1, 2, "only")
    assert (found["trial"], found["trials"]) == (state.log.trial, state.progress.trials)
    assert found["next"] == {"tick": 200, **state.sequences, "health": 0, "session": 0}
    assert found["committed"] == 200
    assert [(one["name"], one["state"]) for one in found["perturbations"]] == [("turn", "on")]
    assert found["participants"] == {"a": {"unit": "trial", "until": 0, "taking_part": True}}


def test_numbers_of_published_topics_are_the_states_and_others_the_files(tmp_path):
    session, state = begun(centre_out())
    store, _ = session_file.begin(tmp_path, session, state)
    with store:
        state = turned(session, state, ticks=60).states[-1]
        assert next_number("tick", state, store) == 60
        assert next_number("counts", state, store) == state.sequences["counts"] > 0
        assert next_number("session", state, store) == 0


def test_clipped_rates_are_described_with_what_drove_the_first(tmp_path):
    session, state = begun(bursting(7, [3, 5]))
    store, _ = session_file.begin(tmp_path, session, state)
    info = RunInfo(session, store, 1, 0, "max", "tcp://h:1", "tcp://h:2", protocols.dump(session.protocol))
    with store:
        for ticks, expected in ((5, None), (10, (6, 7, 3))):
            with shared_state(turned(session, state, ticks=ticks).states[-1], "prepared") as shared:
                found = describe(info, shared, None, store)
            clipped = control.Description.model_validate({"id": "1", "ok": True, **found}).clipped
            assert (clipped and (clipped.unit_ticks, clipped.tick, clipped.unit)) == expected
    assert clipped is not None
    assert "burst-0" in clipped.cause
