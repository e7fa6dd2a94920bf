"""Sessions side by side against the same sessions by themselves: messages, counts, states; and who is beside whom."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.batch import side_by_side
from decoderd.errors import NumericalError, ProtocolError
from decoderd.protocol import protocol as protocols
from decoderd.wire.messages import Decoder
from tests.batch.cases import CASES, SEEDS, assert_same, by_itself, leaves, sessions, together
from tests.learners import burst_layer, feedforward, learning, reaching
from tests.protocols import begun, bursting, centre_out, individual, of_every_kind, outside, perturbation


@pytest.mark.parametrize("case", CASES)
def test_sessions_side_by_side_are_the_sessions_by_themselves(case):
    pairs = sessions(**CASES[case])
    batch, said = together(pairs)
    for s, (session, state) in enumerate(pairs):
        last, alone = by_itself(session, state)
        assert said[s] == alone
        assert_same(batch.state(s), last)
    assert batch.errors == {}


LEARNERS = {
    "a recurrent network": learning(bin_ticks=2),
    "a linear network, by the exact gradient": reaching(),
    "a layer that is taught by bursts": burst_layer(),
    "two layers that are taught by bursts": feedforward(),
}


@pytest.mark.parametrize("case", LEARNERS)
def test_sessions_that_learn_in_some_blocks_are_those_by_themselves(case):
    """Blocks without learning around one in which tasks or rules follow ticks; more of them in `test_traces`."""
    data = LEARNERS[case]
    blocks = [
        {"name": "before", "trials": 3, "plasticity": False},
        {"name": "learning", "trials": 4},
        {"name": "after", "duration_s": 1.03, "plasticity": False},
    ]
    pairs = [begun({**data, "seed": seed, "schedule": {"days": 2, "blocks": blocks}}) for seed in SEEDS]
    batch, said = together(pairs)
    assert batch.errors == {}
    for s, (session, state) in enumerate(pairs):
        last, alone = by_itself(session, state)
        assert said[s] == alone
        assert_same(batch.state(s), last)


def test_components_of_every_kind_are_those_of_the_sessions_by_themselves(tmp_path):
    taken = 0
    for data, _ in of_every_kind(tmp_path).values():
        try:
            side_by_side.check(protocols.parse(data))
        except ProtocolError:
            continue
        pairs = [begun({**data, "seed": seed}) for seed in SEEDS]
        batch, said = together(pairs, 400)
        assert batch.errors == {}
        for s, (session, state) in enumerate(pairs):
            found = batch.state(s)  # it has waited where a day ended within a bin
            last, alone = by_itself(session, state, found.tick)
            assert said[s] == alone
            assert_same(found, last)
        taken += 1
    assert taken > 5


@pytest.mark.parametrize("updater", [{"kind": "none"}, {"kind": "smooth_batch", "batch_s": 2.0}])
def test_units_on_a_manifold_and_a_decoder_of_factors(tmp_path, updater):
    data = centre_out(
        schedule={"days": 2, "blocks": [{"name": "only", "duration_s": 6.02}]},
        population={"kind": "manifold", "file": str(individual(tmp_path / "individual.npz", 12))},
        decoder={"kind": "intrinsic_manifold", "calibration": {"reaches": 40, "reach_s": 0.5, "factors": 4}},
        updater=updater,
        perturbations=[perturbation("permutation", "readout", of="factors")] if updater["kind"] == "none" else [],
    )
    pairs = [begun({**data, "seed": seed}) for seed in SEEDS]
    batch, said = together(pairs)
    for s, (session, state) in enumerate(pairs):
        last, alone = by_itself(session, state)
        assert said[s] == alone
        assert_same(batch.state(s), last)


def test_a_case_stops_and_restarts_updating():
    _, said = together(sessions((1,), **CASES["a criterion that stops and restarts"]))
    whys = [Decoder.read(payload).event for topic, payload in said[0] if topic == "decoder"]
    assert whys.count("stopped") > 1
    assert "restarted" in whys


@pytest.mark.parametrize("ticks", [1, 77, 203])
@pytest.mark.parametrize("case", ["kalman", "smooth batch", "perturbations without a memory"])
def test_at_any_tick_the_state_is_that_of_the_session_by_itself(case, ticks):
    pairs = sessions(**CASES[case])
    batch, _ = together(pairs, ticks)
    for s, (session, state) in enumerate(pairs):
        last, _ = by_itself(session, state, ticks)
        found = batch.state(s)
        assert_same(found, last)
        for one, other in zip(found.bin.ticks, last.bin.ticks, strict=True):
            assert {name: array.tolist() for name, array in one.items()} == {
                name: array.tolist() for name, array in other.items()
            }


@pytest.mark.parametrize(
    "case", ["kalman", "smooth batch", "days that end within a bin", "smooth batch, another decoder each day"]
)
def test_a_session_does_not_depend_on_those_beside_it_by_a_bit(case):
    whole, said = together(sessions(**CASES[case]))
    for beside in ((2,), (9, 8, 7, 2, 6)):
        some, also = together(sessions(beside, **CASES[case]))
        place = beside.index(2)
        assert also[place] == said[1]
        for one, other in zip(leaves(some.state(place)), leaves(whole.state(1)), strict=True):
            assert one.tobytes() == other.tobytes()


def test_correlated_units(tmp_path):
    weights = np.vstack([np.random.default_rng(0).normal(size=(3, 12)) * 40, np.full(12, 15.0)])
    np.savez(tmp_path / "population.npz", weights=weights, shared=np.full((12, 2), 3.0))
    population = {"kind": "tuned", "units": 12, "file": str(tmp_path / "population.npz")}
    pairs = sessions(population=population)
    batch, said = together(pairs)
    for s, (session, state) in enumerate(pairs):
        last, alone = by_itself(session, state)
        assert said[s] == alone
        assert_same(batch.state(s), last)


def test_counts_of_more_than_a_byte_and_rates_that_are_clipped():
    pairs = [begun({**bursting(150, [3]), "seed": seed}) for seed in SEEDS]
    batch, said = together(pairs, 165)
    assert batch.state(0).clipped.unit_ticks
    for s, (session, state) in enumerate(pairs):
        last, alone = by_itself(session, state, 165)
        assert said[s] == alone
        assert_same(batch.state(s), last)
        assert batch.state(s).clipped == last.clipped


def test_an_error_ends_the_session_that_has_it_and_no_other():
    data = bursting(150, [3], {"clip_spikes": False})
    data["perturbations"] = [
        {**one, "envelope": {"shape": "step", "start": {"trial": 3}}} for one in data["perturbations"]
    ]
    pairs = [
        begun({**data, "seed": seed, "schedule": {"blocks": [{"name": "only", "duration_s": 4.0}]}}) for seed in SEEDS
    ]
    batch, said = together(pairs)
    assert batch.errors
    for s, (session, state) in enumerate(pairs):
        if s in batch.errors:
            with pytest.raises(NumericalError) as raised:
                by_itself(session, state)
            assert str(raised.value) == str(batch.errors[s])
        else:
            last, alone = by_itself(session, state)
            assert said[s] == alone
            assert_same(batch.state(s), last)


@pytest.mark.parametrize("case", ["kalman", "smooth batch", "perturbations without a memory"])
def test_where_a_tick_of_all_sessions_has_an_error_each_is_computed_by_itself(case, monkeypatch):
    """So are those whose events were done before the error came up."""

    def failing(*everything):
        raise NumericalError("one of them", "nobody")

    monkeypatch.setattr(side_by_side, "quiet_tick", failing)
    pairs = sessions(**CASES[case])
    batch, said = together(pairs, 400)
    for s, (session, state) in enumerate(pairs):
        last, alone = by_itself(session, state, 400)
        assert said[s] == alone
        assert_same(batch.state(s), last)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (outside(), "task.kind"),
        (centre_out(population={"kind": "tuned", "subject": {"intent": "external"}}), "population.subject.intent"),
        (centre_out(decoder={"kind": "external"}), "decoder.kind"),
    ],
)
def test_what_cannot_be_computed_so_is_refused_with_the_reason(data, field):
    with pytest.raises(ProtocolError) as raised:
        side_by_side.check(protocols.parse(data))
    assert raised.value.field == field
    assert "one by one" in str(raised.value)
