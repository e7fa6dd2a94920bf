"""Live inputs: how many a tick takes, in which order, and their results."""

from __future__ import annotations

import pytest

from decoderd.errors import Refused
from decoderd.service.live_inputs import A_TICK, LiveInputs
from decoderd.service.lockstep import Lockstep
from decoderd.service.shared_state import PendingInput
from decoderd.wire import control
from tests.protocols import begun, given, lasting, turned
from tests.service.in_memory import shared_state

TURN = {"name": "turn", "kind": "rotation", "site": "cursor", "angle_rad": 0.5}
METRICS = {"op": "metrics", "source": "test", "values": {"x": 1.0}}


@pytest.fixture
def shared():
    _, state = begun(lasting(1.0))
    with shared_state(state, "prepared") as found:
        yield found


def test_a_tick_takes_at_most_so_many(shared):
    pending = [PendingInput(one, None) for one in given(*[METRICS] * (2 * A_TICK + 3))]
    shared.inputs.extend(pending)
    live_inputs = LiveInputs(shared, None)
    sizes = []
    for tick in range(4):
        sizes.append(len(live_inputs.due(tick)))
        live_inputs.tick_over(tick)
    assert sizes == [A_TICK, A_TICK, 3, 0]
    assert list(shared.consumed) == pending
    assert [one.tick for one in pending] == [0] * A_TICK + [1] * A_TICK + [2] * 3


def test_inputs_of_grants_come_first_by_participant(shared):
    lockstep = Lockstep(control.Participants(grants={"a": "tick", "b": "tick"}))
    inputs = {name: given({**METRICS, "source": name}) for name in ("a", "b", "other")}
    for name in ("b", "a"):
        lockstep.participants[name].inputs = [PendingInput(inputs[name][0], None)]
    shared.inputs.append(PendingInput(inputs["other"][0], None))
    live_inputs = LiveInputs(shared, lockstep)
    assert [one.source for one in live_inputs.due(0)] == ["a", "b", "other"]
    live_inputs.tick_over(0)
    assert live_inputs.due(1) == ()


@pytest.mark.parametrize(
    ("present", "data", "code", "changed"),
    [
        (False, {"op": "unperturb", "name": "turn"}, None, False),
        (True, {"op": "perturb", "perturbation": TURN}, None, False),
        (True, {"op": "perturb", "perturbation": {**TURN, "angle_rad": 0.6}}, "refused", True),
        (False, METRICS, "refused", True),
    ],
)
def test_a_refused_input_is_an_error_unless_its_effect_is_there_already(present, data, code, changed):
    session, state = begun(lasting(1.0))
    if present:
        state = turned(session, state, {0: [{"op": "perturb", "perturbation": TURN}]}, 1).states[-1]
    with shared_state(state, "prepared") as shared:
        (one,) = given(data)
        shared.inputs.append(PendingInput(one, None))
        live_inputs = LiveInputs(shared, None)
        live_inputs.due(1)
        live_inputs.refused(one, 1, Refused("no", "name"))
        live_inputs.tick_over(1)
        (pending,) = shared.consumed
    assert (pending.code, pending.changed) == (code, changed)
    assert (pending.message, pending.field) == (("no", "name") if code else ("", None))
