import numpy as np
import pytest

from decoderd.errors import ProtocolError
from decoderd.preparation.parameters import prepare
from decoderd.protocol import overnight, protocol
from decoderd.protocol.overnight import Overnight
from decoderd.session.assembly import assemble
from decoderd.state import Parameters
from tests import protocols
from tests.protocols import lasting


def after_one_night(config, readouts, lost=None, units=20, seed=3, day=1):
    given = Parameters(None, None, None if readouts is None else np.array(readouts), lost)
    return overnight.apply_overnight(config, given, units, seed, day)


def test_as_many_readouts_as_given_are_swapped_and_others_keep_their_places():
    before = np.array([0, 2, 4, 6, 8, 10])
    after = after_one_night(Overnight(swap=2), before).readouts
    moved = np.flatnonzero(after != before)
    assert len(moved) == 2
    assert not set(after[moved]) & set(before)
    assert len(set(after)) == 6


def test_nights_differ_and_are_reproducible():
    config = Overnight(swap=3, lose=2)
    nights = [after_one_night(config, range(6), day=day) for day in range(1, 6)]
    assert len({tuple(night.readouts) for night in nights}) == 5
    again = after_one_night(config, range(6), day=3)
    np.testing.assert_array_equal(again.readouts, nights[2].readouts)
    np.testing.assert_array_equal(again.lost, nights[2].lost)


def test_lost_units_add_up_and_are_never_swapped_in():
    config, parameters = Overnight(lose=3, swap=2), Parameters(None, None, np.arange(5))
    for day in range(1, 5):
        parameters = overnight.apply_overnight(config, parameters, 20, 7, day)
        assert len(set(parameters.lost)) == 3 * day
        fresh = set(parameters.readouts) - set(range(5))
        assert not fresh & set(parameters.lost) or day > 1  # one that came in may be lost later
    assert parameters.lost.min() >= 0
    assert parameters.lost.max() < 20


@pytest.mark.parametrize(
    ("config", "days", "expected"),
    [
        (Overnight(), 3, [False, False, False]),
        (Overnight(swap=1), 3, [True, True, True]),
        (Overnight(swap=1, after_days=(2,)), 3, [False, True, False]),
        (Overnight(decoder="refitted", after_days=(1, 3)), 3, [True, False, True]),
    ],
)
def test_changes_are_due_after_the_given_days(config, days, expected):
    assert [overnight.due(config, day) for day in range(1, days + 1)] == expected


@pytest.mark.parametrize(
    ("fields", "readouts", "error"),
    [
        ({"lose": 7}, {"count": 4}, "2 nights would leave none of 12 units"),
        ({"swap": 1}, {}, "every unit is a readout"),
        ({"swap": 5}, {"count": 4}, "there are 4 readouts and 8 others"),
        ({"swap": 4, "lose": 3}, {"count": 4}, "6 of which may be lost by then"),
    ],
)
def test_too_few_units_are_refused_before_the_first_tick(fields, readouts, error):
    parsed = protocol.parse(lasting(1.0, readouts=readouts, overnight=fields, schedule=_days(3)))
    with pytest.raises(ProtocolError, match=error):
        assemble(parsed, prepare(parsed))


def _days(days):
    return {"days": days, "blocks": [{"duration_s": 1.0}]}


def test_counts_of_a_lost_unit_are_zero_from_the_next_day_on():
    run = protocols.run(lasting(1.0, overnight={"lose": 4}, schedule=_days(2)))
    lost = run.states[-1].parameters.lost
    counts, half = run.counts(), len(run.counts()) // 2
    assert counts[:half][:, lost].any(axis=0).all()
    assert not counts[half:][:, lost].any()
    others = np.setdiff1d(np.arange(12), lost)
    assert counts[half:][:, others].any(axis=0).all()


def test_a_swapped_readout_gets_the_decoder_weights_of_the_old_one():
    data = lasting(1.0, readouts={"count": 6}, overnight={"swap": 2}, schedule=_days(2))
    run = protocols.run(data)
    first, last = run.states[0].parameters, run.states[-1].parameters
    assert (first.readouts != last.readouts).sum() == 2
    for name, array in protocols.begun(data)[0].decoder.arrays(first.decoder).items():
        np.testing.assert_array_equal(array, protocols.begun(data)[0].decoder.arrays(last.decoder)[name])
    (message,) = run.of("decoder")
    assert (message["w"], message["x"], message["u"]) == ("overnight", "kept", last.readouts.tolist())


@pytest.mark.parametrize("how", ["refitted", "arbitrary"])
def test_a_decoder_fitted_overnight(how):
    """A refitted decoder is like the old one; one with arbitrary directions is not."""
    data = lasting(2.0, overnight={"decoder": how}, schedule=_days(2))
    run, session = protocols.run(data), protocols.begun(data)[0]
    old, new = (session.decoder.arrays(state.parameters.decoder)["C"] for state in (run.states[0], run.states[-1]))
    assert (old != new).any()
    alike = np.sum(old[:, :2] * new[:, :2]) / np.linalg.norm(old[:, :2]) / np.linalg.norm(new[:, :2])
    assert alike > 0.9 if how == "refitted" else alike < 0.7
    (message,) = run.of("decoder")
    assert (message["w"], message["x"], message["u"]) == ("overnight", "installed", None)
