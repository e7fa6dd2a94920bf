"""Inputs are consumed completely, or refused with nothing changed."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest

from decoderd.checkpoint import Encoder
from decoderd.errors import Refused
from decoderd.recording.replay import verify
from decoderd.recording.store import open_store
from decoderd.session.inputs import consume
from decoderd.session.step import step
from tests import protocols, running
from tests.protocols import centre_out, given, lasting, outside, packed, perturb


def frozen(state):
    return Encoder().encode(state).body


def arrays_of(session, state):
    return session.decoder.arrays(state.parameters.decoder)


def consume_all(session, state, *inputs):
    """The state after several inputs, consumed one by one."""
    for one in given(*inputs):
        state, _ = consume(session, state, one)
    return state


def refused(session, state, *inputs):
    """The refusal of the last input; step and consume agree, and the state is as before."""
    before = frozen(state)
    with pytest.raises(Refused) as consumed:
        consume_all(session, state, *inputs)
    with pytest.raises(Refused) as stepped:
        step(session, state, given(*inputs))
    assert str(consumed.value) == str(stepped.value)
    assert consumed.value.field == stepped.value.field
    assert frozen(state) == before
    return stepped.value


@pytest.fixture(scope="module")
def closed():
    """A session without external components after 23 ticks, with a perturbation."""
    session, state = protocols.begun(lasting(2.0, perturbations=[protocols.perturbation("gain", "cursor", factor=2)]))
    return session, protocols.turned(session, state, ticks=23).states[-1]


@pytest.fixture(scope="module")
def opened():
    """A session with external task and decoder, during its first trial."""
    session, state = protocols.begun(outside())
    return session, protocols.turned(session, state, {5: [{"op": "task", "event": "start"}]}, 23).states[-1]


START, GO, END = ({"op": "task", "event": event} for event in ("start", "go", "end"))


@pytest.mark.parametrize(
    ("inputs", "reason", "field"),
    [
        ([START], "a task of kind 'centre_out' runs by itself and takes no events; use kind 'external'", "op"),
        (
            [{"op": "kinematics", "velocity": [0, 0]}],
            "a decoder of kind 'kalman' takes no kinematics; use kind 'external'",
            "op",
        ),
        (
            [{"op": "intent", "velocity": [0, 0]}],
            "the subject intends by itself and takes no intents; use population.subject.intent = 'external'",
            "op",
        ),
        (
            [perturb("gain", "cursor", factor=3)],
            "the session has a perturbation 'p' already: remove it first",
            "perturbation.name",
        ),
        ([{"op": "unperturb", "name": "q"}], "there is no perturbation 'q'; there are: p", "name"),
        ([protocols.UNPERTURB, protocols.UNPERTURB], "there is no perturbation 'p'; there are: none", "name"),
        (
            [protocols.UNPERTURB, perturb("gain", "cursor", factor=11)],
            "perturbation.factor",
            "perturbation.factor",
        ),
        ([protocols.UNPERTURB, perturb("gain", "readout", factor=1)], "must be one of", "perturbation.site"),
        ([protocols.UNPERTURB, perturb("shove", "cursor")], "must be one of", "perturbation.kind"),
        (
            [protocols.UNPERTURB, perturb("silence", "neural", units=[12])],
            r"units \[12\] are not there",
            "perturbation.units",
        ),
        (
            [{"op": "perturb", "perturbation": {"kind": "gain", "site": "cursor", "factor": 1}}],
            "perturbation.name: is missing",
            "perturbation.name",
        ),
    ],
)
def test_inputs_refused_by_a_session_without_external_components(closed, inputs, reason, field):
    error = refused(*closed, *inputs)
    assert re.search(reason, str(error)), str(error)
    assert error.field == field


@pytest.mark.parametrize(
    ("inputs", "reason", "field"),
    [
        ([START], r"a trial is under way \(trial 1\): send end before start", "event"),
        ([GO], "go needs a target", "target"),
        ([END, GO], "no trial is under way: send start before go", "event"),
        ([END, END], "no trial is under way: send start before end", "event"),
        (
            [perturb("rotation", "readout", angle_rad=1)],
            "a decoder of kind 'external' has no readout that can be rotated",
            "perturbation.site",
        ),
        ([perturb("permutation", "readout")], "reads no units that can be permuted", "perturbation.site"),
        ([packed({})], "the decoder is external", "op"),
        ([perturb("permutation", "readout", of="factors")], "has no factors to permute", "perturbation.of"),
    ],
)
def test_inputs_refused_by_a_session_with_external_components(opened, inputs, reason, field):
    error = refused(*opened, *inputs)
    assert re.search(reason, str(error)), str(error)
    assert error.field == field


def test_inputs_are_checked_in_order(opened):
    session, state = opened
    consume_all(session, state, END, START, {**GO, "target": [0, 0.05]}, END)
    consume_all(session, state, perturb("gain", "cursor", factor=2), protocols.UNPERTURB)
    refused(session, state, protocols.UNPERTURB, perturb("gain", "cursor", factor=2))


def test_the_name_of_a_finished_perturbation_can_be_used_again(closed):
    session, state = closed
    _, messages = step(session, state, given(protocols.UNPERTURB, perturb("gain", "cursor", factor=0.5)))
    assert [payload["x"] for topic, payload in messages if topic == "perturbation"] == ["removed", "added", "on"]
    brief = {"shape": "block", "start": {"tick": 2}, "stop": {"tick": 4}}
    data = lasting(1.0, perturbations=[protocols.perturbation("gain", "cursor", factor=2, envelope=brief)])
    run = protocols.run(data, {10: [perturb("gain", "cursor", factor=0.5)]})
    assert [payload["x"] for payload in run.of("perturbation")] == ["on", "off", "added", "on"]
    assert len(run.states[-1].perturbations) == 1


# --- another decoder


@pytest.mark.parametrize(
    ("spoil", "reason", "field"),
    [
        (lambda a: a.pop("Q"), "missing: Q", "arrays.Q"),
        (lambda a: a.update(C=a["C"][:5]), r"Q: has shape \(12, 12\), expected 5 x 5", "arrays.Q"),
        (lambda a: a.update(C=np.full((12, 3), np.nan)), "values are not finite", "arrays.C"),
        (lambda a: a.update(Q=np.zeros((12, 12))), "Q: is singular", "arrays.Q"),
        (lambda a: a.update(C=a["C"][:5], Q=a["Q"][:5, :5]), "arrays: .*not aligned|mismatch", "arrays"),
        (
            lambda a: a.update(A=0.5 * np.eye(7), W=np.eye(7), C=np.ones((12, 7)), x0=np.zeros(7), P0=np.eye(7)),
            "a state of 7 entries cannot move a cursor",
            "arrays",
        ),
    ],
    ids=["missing", "misshapen", "nan", "singular", "other_units", "other_state"],
)
def test_a_decoder_that_does_not_fit_is_refused(closed, spoil, reason, field):
    arrays = dict(arrays_of(*closed))
    spoil(arrays)
    error = refused(*closed, packed(arrays))
    assert re.search(reason, str(error)), str(error)
    assert error.field == field


@pytest.mark.parametrize(
    ("shape", "data"),
    [([3, 3], b"\0" * 71), ([3, 3], b"\0" * 64), ([3], b""), ([], b"\0" * 80)],
    ids=["odd_bytes", "too_few", "none", "too_many"],
)
def test_packed_arrays_of_the_wrong_size_are_refused(closed, shape, data):
    swap = packed(arrays_of(*closed))
    swap["arrays"]["A"] = {"shape": shape, "data": data}
    assert refused(*closed, swap).field in ("arrays", "arrays.A")


def test_a_decoder_that_a_perturbation_does_not_fit_is_refused():
    factors = {"kind": "intrinsic_manifold", "calibration": {"reaches": 40, "reach_s": 0.5}}
    four, three = ({**factors, "calibration": {**factors["calibration"], "factors": q}} for q in (4, 3))
    swap = protocols.perturbation("permutation", "readout", of="factors", order=[1, 2, 3, 0])
    session, state = protocols.begun(centre_out(decoder=four, perturbations=[swap]))
    other = arrays_of(*protocols.begun(centre_out(decoder=three)))
    assert "each of the 3 factors" in str(refused(session, state, packed(other)))
    # Without the perturbation the decoder is accepted.
    step(session, state, given(protocols.UNPERTURB, packed(other)))


def test_an_unknown_op_is_refused(closed):
    class Stranger:
        op = "dance"

    with pytest.raises(Refused, match="op 'dance' is unknown"):
        step(*closed, [Stranger()])


# --- whatever comes


def some_input(draw, arrays):
    """A random input, valid or not."""
    point = [draw.uniform(-0.3, 0.3), draw.uniform(-0.3, 0.3)]
    kind = draw.choice(["task", "task", "kinematics", "unperturb", "decoder", "perturb", "perturb"])
    if kind == "task":
        target = draw.choice([{}, {"target": point}])
        return {"op": "task", "event": draw.choice(["start", "go", "end"]), **target}
    if kind == "kinematics":
        return {"op": "kinematics", "velocity": point, **draw.choice([{}, {"position": point}])}
    if kind == "unperturb":
        return {"op": "unperturb", "name": draw.choice("pq")}
    if kind == "decoder":
        return packed({name: array * draw.choice([1, 1, 1, 0.9, 0]) for name, array in arrays.items()})
    site, name, fields = draw.choice(
        [
            ("cursor", "rotation", {"angle_rad": 2}),
            ("readout", "rotation", {"angle_rad": 1, "units": [0, 1]}),
            ("cursor", "gain", {"factor": -3}),
            ("neural", "gain", {"factor": 4}),
            ("cursor", "delay", {"delay_s": draw.choice([0.01, 0.5])}),
            ("feedback", "delay", {"delay_s": 0.1}),
            ("cursor", "assist", {"weight": 0.7}),
            ("readout", "permutation", {}),
            ("readout", "permutation", {"of": "factors"}),
            ("neural", "silence", {"fraction": 0.5}),
            ("neural", "noise", {"sd_hz": 300}),
        ]
    )
    envelope = draw.choice(
        [
            {"shape": "step"},
            {"shape": "ramp", "rise_s": 0.3},
            {"shape": "block", "start": {"trial": 2}, "stop": {"tick": draw.randrange(300)}},
        ]
    )
    return {
        "op": "perturb",
        "perturbation": {**protocols.perturbation(name, site, envelope=envelope, **fields), "name": draw.choice("pq")},
    }


@pytest.mark.parametrize("seed", range(12))
def test_sessions_with_random_inputs_can_be_repeated(tmp_path, seed):
    draw = random.Random(seed)
    decoder = [
        {"kind": "external"},
        {"kind": "kalman", "calibration": protocols.BRIEF},
        {"kind": "kalman", "state": "position_velocity", "calibration": protocols.BRIEF},
        {"kind": "intrinsic_manifold", "calibration": {"reaches": 40, "reach_s": 0.5, "factors": 3}},
    ][seed % 4]
    task = {"kind": "external"} if seed % 3 else {"kind": "random_targets", **protocols.EASY, "inter_trial_s": 0}
    data = centre_out(decoder=decoder, task=task, schedule={"days": 2, "blocks": [{"duration_s": 1.5}]})
    session, state = protocols.begun(data)
    arrays = arrays_of(session, state)
    at = {tick: [some_input(draw, arrays) for _ in range(draw.randrange(1, 4))] for tick in range(0, 300, 7)}
    done = running.record(tmp_path, data, at)
    assert done["ticks"] == 300
    with open_store(tmp_path) as store:
        consumed = sum(1 for _ in store.journal())
        assert 0 < consumed < sum(map(len, at.values()))  # some were refused
        assert [row[0] for row in store.trials()] == list(range(1, done["trials"] + 1))
        assert verify(store).identical
