"""A batch of sessions against the same sessions run tick by tick."""

from types import SimpleNamespace

import numpy as np
import pytest

from decoderd.errors import ProtocolError
from decoderd.experiments.assistive import experiment, reward
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol
from decoderd.studies import session_batch
from tests import protocols
from tests.experiments.small import DAYS, small


def session_losses(data):
    """Losses of all updates of the session, and its last state."""
    run = protocols.run(data)
    return np.array([payload["l"] for payload in run.of("plasticity")]), run.states[-1]


def batch_of(data, seeds, intensities):
    parsed = protocol.parse(data)
    prepared = {seed: prepare(parsed.model_copy(update={"seed": seed})) for seed in seeds}
    return session_batch.make_batch(parsed, prepared, intensities)


@pytest.mark.parametrize("decoder", ["kalman", "steady_state_kalman", "linear"])
@pytest.mark.parametrize("rule", ["reinforce", "backprop"])
def test_a_batch_has_the_losses_of_its_sessions(rule, decoder):
    data = small(rule, decoder)
    results = experiment.run_days(batch_of(data, (3, 8), (0.0, 0.25)), ())
    assert results.losses.shape == (4, DAYS, 2)
    for row, (seed, intensity) in enumerate([(3, 0.0), (3, 0.25), (8, 0.0), (8, 0.25)]):
        assert (results.seeds[row], results.intensities[row]) == (seed, intensity)
        losses, _ = session_losses({**data, "seed": seed, "updater": {"kind": "daily", "intensity": intensity}})
        np.testing.assert_allclose(results.losses[row].ravel(), losses, rtol=1e-9)
    assert not np.allclose(results.losses[0], results.losses[1], rtol=1e-6)


def test_a_batch_of_networks_with_spikes_has_the_losses_of_its_sessions():
    data = small("backprop", "kalman")
    data["population"] |= {"poisson": True, "hz_per_rate": 400.0}
    results = experiment.run_days(batch_of(data, (3, 8), (0.5,)), ())
    for row, seed in enumerate((3, 8)):
        one = {**data, "seed": seed, "updater": {"kind": "daily", "intensity": 0.5}}
        np.testing.assert_allclose(results.losses[row].ravel(), session_losses(one)[0], rtol=1e-9)


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("rule", ["reinforce", "backprop"])
def test_a_session_does_not_depend_on_the_rest_of_its_batch(rule, precision):
    """To the bit, so that an experiment may be divided in any way."""
    data = small(rule)
    data["population"] = {"kind": "rnn", "precision": precision}
    whole = experiment.run_days(batch_of(data, (3, 8, 5), (0.0, 0.25)), (1,))
    for place, seed in enumerate((3, 8, 5)):
        apart, of = experiment.run_days(batch_of(data, (seed,), (0.0, 0.25)), (1,)), slice(2 * place, 2 * place + 2)
        np.testing.assert_array_equal(whole.losses[of], apart.losses)
        np.testing.assert_array_equal(whole.curves[1][of], apart.curves[1])
        for one, other in zip(whole.population, apart.population, strict=True):
            np.testing.assert_array_equal(one[of], other)


@pytest.mark.parametrize("decoder", ["carried", "refitted", "arbitrary"])
def test_nights_of_a_batch_equal_those_of_its_sessions(decoder):
    data = small(overnight={"swap": 2, "decoder": decoder, "after_days": [1]})
    data["schedule"]["days"] = 3
    results = experiment.run_days(batch_of(data, (3, 8), (0.25,)), ())
    for row, seed in enumerate((3, 8)):
        losses, last = session_losses({**data, "seed": seed})
        np.testing.assert_allclose(results.losses[row].ravel(), losses, rtol=1e-9)
        before = prepare(protocol.parse({**data, "seed": seed})).readouts
        assert np.count_nonzero(last.parameters.readouts != before) == 2


def test_updating_ends_after_last_day():
    data = small(updater={"kind": "daily", "intensity": 0.25, "last_day": 1})
    results = experiment.run_days(batch_of(data, (3,), (0.25,)), ())
    np.testing.assert_allclose(results.losses[0].ravel(), session_losses({**data, "seed": 3})[0], rtol=1e-9)
    every_day = experiment.run_days(batch_of(small(), (3,), (0.25,)), ())
    np.testing.assert_array_equal(results.losses[:, 0], every_day.losses[:, 0])
    assert not np.allclose(results.losses[:, 1], every_day.losses[:, 1], rtol=1e-6)


def test_participation_ratio_equals_that_of_recorded_counts():
    """In bins of 0.1 s of the reaches in learning blocks, computed from a session's messages."""
    data = {**small(), "seed": 3}
    results = experiment.run_days(batch_of(small(), (3,), (0.25,)), ())
    run = protocols.run(data)
    readouts = prepare(protocol.parse(data)).readouts
    counts = run.counts()[:, readouts]
    ticks = run.of("tick")
    for day in (1, 2):
        reaching = [t["k"] for t in ticks if t["d"] == day and t["b"] == 2 and t["t"]]
        bins = counts[reaching].reshape(-1, 10, len(readouts)).sum(axis=1)
        shared = np.corrcoef(bins.T)
        ratio = np.trace(shared) ** 2 / (shared**2).sum()
        assert results.participation[0, day - 1] == pytest.approx((ratio - 1) / (len(readouts) - 1), rel=1e-9)


def test_a_filter_with_positions():
    data = small()
    data["decoder"]["state"] = "position_velocity"
    results = experiment.run_days(batch_of(data, (3,), (0.25,)), ())
    np.testing.assert_allclose(results.losses[0].ravel(), session_losses({**data, "seed": 3})[0], rtol=1e-9)


def test_weight_change_by_readouts_and_others():
    results = experiment.run_days(batch_of(small(), (3,), (0.25,)), ())
    _, last = session_losses({**small(), "seed": 3})
    first = prepare(protocol.parse({**small(), "seed": 3}))
    change = (last.parameters.population.W - first.population.W) ** 2
    chosen = np.isin(np.arange(12), first.readouts)
    for i, to in enumerate((chosen, ~chosen)):
        for j, come in enumerate((chosen, ~chosen)):
            mean = np.mean([change[a, b] for a in np.flatnonzero(to) for b in np.flatnonzero(come)])
            assert results.weight_change[0, i, j] == pytest.approx(np.sqrt(mean), rel=1e-8)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"task": {"kind": "centre_out"}}, "task: a batch of sessions needs kind = 'timed_reach'"),
        ({"task": {"kind": "timed_reach", "order": "shuffled"}}, "order = 'in_turn'"),
        ({"bin_ticks": 2}, "bin_ticks = 2: a batch of sessions needs 1"),
        ({"decoder": {"kind": "intrinsic_manifold"}}, "needs a decoder whose steps are linear"),
        ({"updater": {"kind": "smooth_batch"}}, "updater.kind = 'smooth_batch': a batch of sessions needs 'daily'"),
        ({"updater": {"kind": "daily", "interval_days": 2}}, "a batch of sessions updates every day"),
        ({"overnight": {"lose": 1}}, "overnight.lose = 1: a batch of sessions loses no units"),
        ({"plasticity": {"kind": "none"}}, "needs a population that learns"),
        ({"population": {"kind": "linear"}, "pretraining": None}, "may refuse an update"),
        (
            {"population": {"kind": "bursting", "feedback": "present"}, "pretraining": None},
            "follows the present decoder",
        ),
        ({"schedule": {"blocks": [{"trials": 8}]}}, "population and decoder would change together"),
        ({"schedule": {"blocks": [{"trials": 6, "updating": False}]}}, "in whole updates of 4"),
        ({"schedule": {"blocks": [{"duration_s": 6.0, "updating": False}]}}, "must end after trials"),
    ],
)
def test_protocols_that_cannot_be_a_batch_are_refused(fields, words):
    parsed = protocol.parse({**small(), **fields})
    with pytest.raises(ProtocolError, match=words):
        session_batch.make_batch(parsed, {}, (0.0,))


def test_reward_depends_on_the_set_of_readouts_and_the_day():
    """All sets of one day have the same random numbers; a set has no order."""
    batch = batch_of(small(), (3,), (0.0,))
    score = reward.scorer(batch, 0, 1, 3)
    whole = score(range(6))
    assert whole.shape == (1,)
    np.testing.assert_allclose(score((5, 3, 1, 0, 2, 4)), whole)  # a set has no order
    assert score((0, 1)) != whole
    np.testing.assert_array_equal(score((2,)), reward.scorer(batch, 0, 1, 3)((2,)))  # the same random numbers
    assert reward.scorer(batch, 0, 2, 3)((2,)) != score((2,))


@pytest.mark.parametrize(("repeats", "expected"), [(1, -1.5), (2, -3.5), (3, -5.5)])
def test_reward_is_the_median_over_repeats_of_the_mean_over_targets(monkeypatch, repeats, expected):
    def counted(objective, cursors, decoded, goal, tick_s):
        return SimpleNamespace(losses=np.arange(len(goal), dtype=float))

    monkeypatch.setattr(reward, "judge", counted)
    assert reward.scorer(batch_of(small(), (3,), (0.0,)), 0, 1, repeats)((0, 1)) == expected


def test_the_adding_curve_starts_with_the_best_readout_and_ends_with_all():
    batch = batch_of(small(), (3,), (0.0,))
    curve, score = reward.adding_curve(batch, 0, 1, 3), reward.scorer(batch, 0, 1, 3)
    assert curve.shape == (6,)
    assert curve[0] == max(score((unit,)) for unit in range(6))
    np.testing.assert_allclose(curve[-1], score(range(6)))


@pytest.mark.parametrize(
    ("curve", "expected"), [([-10.0, -5, -2, -1.9, 0], 3), ([-10.0, -1, -1, -1, 0], 2), ([0.0, 1, 2, 3, 10], 5)]
)
def test_n_c_of_an_adding_curve(curve, expected):
    assert reward.n_c(np.array(curve)) == expected
