"""The notebook interface: sessions in memory against the same sessions recorded in files, arrays and errors."""

from __future__ import annotations

import json

import numpy as np
import pytest

from decoderd.api import Simulation, open_session, simulate
from decoderd.errors import ProtocolError, Refused
from decoderd.wire import codec
from tests import running
from tests.protocols import centre_out, of_every_kind, toml

TURN = {"name": "turn", "kind": "rotation", "site": "cursor", "angle_rad": 0.7}


def assert_equal(one, other):
    """Two recordings hold the same."""
    assert (one.name, one.protocol, one.readouts) == (other.name, other.protocol, other.readouts)
    ticks, others = one.ticks(), other.ticks()
    assert ticks.keys() == others.keys()
    for name in ticks:
        assert ticks[name].dtype == others[name].dtype
        np.testing.assert_array_equal(ticks[name], others[name])
    for per_bin in (False, True):
        np.testing.assert_array_equal(one.counts(per_bin), other.counts(per_bin))
    trials, stored_trials = one.trials(), other.trials()
    assert trials.dtype == stored_trials.dtype
    for column in trials.dtype.names:
        np.testing.assert_array_equal(trials[column], stored_trials[column])
    for topic in codec.TOPICS:
        assert list(one.payloads(topic)) == list(other.payloads(topic))
        assert list(one.payloads(topic, 2)) == list(other.payloads(topic, 2))
    assert one.journal() == other.journal()


@pytest.mark.parametrize("kind", ["kalman", "days", "replay", "outside", "perturbed", "reinforce"])
def test_a_simulation_records_what_a_session_in_a_file_does(tmp_path, kind):
    data, at = of_every_kind(tmp_path)[kind]
    running.record(tmp_path / "session", data, at)
    simulation = Simulation(data)
    while not simulation.done:
        for given in at.get(simulation.state.tick, ()):
            simulation.give(given)
        simulation.step()
    with open_session(tmp_path / "session") as stored:
        assert len(stored.journal()) == sum(map(len, at.values()))
        assert_equal(simulation.recorded, stored)


def test_a_perturbation_by_hand_is_one_by_input(tmp_path):
    add, remove = {"op": "perturb", "perturbation": TURN}, {"op": "unperturb", "name": "turn"}
    running.record(tmp_path, centre_out(), {40: [add], 150: [remove]})
    simulation = Simulation(centre_out())
    simulation.step(40)
    simulation.perturb(**TURN)
    simulation.step(110)
    simulation.unperturb("turn")
    simulation.run()
    with open_session(tmp_path) as stored:
        assert_equal(simulation.recorded, stored)
        plain = simulate(centre_out())
        assert not np.array_equal(plain.ticks()["cursor"], stored.ticks()["cursor"])


def test_every_form_of_a_protocol_runs_the_same(tmp_path):
    path = running.write(tmp_path / "p.toml", centre_out())
    (tmp_path / "p.json").write_text(json.dumps(centre_out()))
    expected = simulate(path)
    for source in (str(path), tmp_path / "p.json", toml(centre_out()), centre_out(), expected.protocol):
        assert list(simulate(source).payloads("tick")) == list(expected.payloads("tick"))


def test_files_that_a_protocol_names_are_relative_to_it(tmp_path):
    fitted = Simulation(centre_out())
    np.savez(tmp_path / "decoder.npz", **fitted.session.decoder.arrays(fitted.state.parameters.decoder))
    path = running.write(tmp_path / "p.toml", centre_out(decoder={"kind": "kalman", "file": "decoder.npz"}))
    assert list(simulate(path).payloads("tick")) == list(simulate(centre_out()).payloads("tick"))


def test_fields_are_overridden_and_the_source_is_not_changed():
    data = centre_out()
    before = json.dumps(data)
    recorded = simulate(data, seed=9, set={"population.units": 7, "schedule.blocks.0.trials": 1})
    assert json.dumps(data) == before
    assert recorded.name == "small-9"
    assert recorded.counts().shape == (len(recorded.ticks()["tick"]), 7)
    assert len(recorded.trials()) == 1


def test_the_name_of_a_session():
    recorded = simulate(centre_out(), name="first")
    assert recorded.name == "first"
    assert {message["s"] for topic in codec.TOPICS for message in list(recorded.payloads(topic))} == {"first"}
    with pytest.raises(ProtocolError, match="name = 'a b': expected letters, digits"):
        simulate(centre_out(), name="a b")


def test_stepping_by_hand():
    simulation = Simulation(centre_out())
    whole = simulate(centre_out())
    messages = simulation.step(30)
    assert [codec.decode(codec.encode(m)) for topic, m in messages if topic == "tick"] == list(whole.payloads("tick"))[
        :30
    ]
    assert simulation.state.tick == 30
    assert len(simulation.recorded.ticks()["tick"]) == 30
    simulation.run(until=lambda state: state.progress.trials == 2)
    assert simulation.state.progress.trials == 2
    assert not simulation.done
    seen = []
    simulation.run(on_progress=lambda state: seen.append(state.tick))
    assert simulation.done
    assert seen[-1] == simulation.state.tick == len(list(whole.payloads("tick")))
    assert list(simulation.recorded.payloads("tick")) == list(whole.payloads("tick"))
    with pytest.raises(Refused, match="small-3 is over since tick"):
        simulation.step()
    with pytest.raises(Refused, match="it takes no inputs"):
        simulation.perturb(**TURN)


def test_ticks_beyond_the_end_are_not_carried_out():
    simulation = Simulation(centre_out(), set={"schedule.blocks": [{"duration_s": 0.2}]})
    assert sum(topic == "tick" for topic, _ in simulation.step(1000)) == 20
    assert simulation.done


@pytest.mark.parametrize(
    ("source", "change", "message", "field"),
    [
        ("nowhere.toml", {}, "nowhere.toml: no such protocol", None),
        ("name = 'x'\nseed", {}, "neither the path of a file nor TOML", None),
        (centre_out(), {"population.unit": 5}, "Did you mean units?", "population.unit"),
        (centre_out(), {"population.units": 0}, "population.units = 0: must be at least 1", "population.units"),
        (centre_out(), {"name.first": 1}, "set name.first = 1: name holds 'small', which has no fields", "name.first"),
        (centre_out(), {"schedule.blocks.7.trials": 1}, "schedule.blocks.7: expected an index 0..0", None),
        (toml(centre_out(units=5)), {}, "units = 5: there is no such field", "units"),
    ],
)
def test_a_wrong_protocol_is_refused_with_its_field(source, change, message, field):
    with pytest.raises(ProtocolError) as refused:
        simulate(source, set=change)
    assert message in str(refused.value)
    if field is not None:
        assert refused.value.field == field


@pytest.mark.parametrize(
    ("given", "message", "field"),
    [
        ({"op": "dance"}, "dance", "op"),
        ({"op": "task", "event": "start"}, "runs by itself", "op"),
        ({"op": "perturb", "perturbation": {**TURN, "angle": 1}}, "no such field", "perturbation.angle"),
        ({"op": "perturb", "perturbation": {**TURN, "kind": "turn"}}, "turn", "perturbation.kind"),
        ({"op": "unperturb", "name": "turn"}, "there is no perturbation 'turn'", "name"),
    ],
)
def test_a_wrong_input_is_refused_and_changes_nothing(given, message, field):
    simulation = Simulation(centre_out())
    with pytest.raises(Refused, match=message) as refused:
        simulation.give(given)
    assert refused.value.field == field
    simulation.run()
    assert list(simulation.recorded.payloads("tick")) == list(simulate(centre_out()).payloads("tick"))
    assert simulation.recorded.journal() == []


def test_a_second_input_is_judged_after_the_first():
    simulation = Simulation(centre_out())
    simulation.perturb(**TURN)
    with pytest.raises(Refused, match="'turn' already: remove it first"):
        simulation.perturb(**TURN)
    simulation.unperturb("turn")
    assert [payload["x"] for topic, payload in simulation.step() if topic == "perturbation"] == ["added", "removed"]
