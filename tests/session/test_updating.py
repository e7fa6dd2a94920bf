"""Updating in a session: when the updater is active, its observations, and the decoder."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from decoderd.checkpoint import Encoder
from decoderd.decoders import fitting
from decoderd.decoders.kalman import KALMAN
from decoderd.errors import ProtocolError
from decoderd.wire import codec
from tests import protocols
from tests.protocols import centre_out, counts_of, lasting, packed, perturbation

BRISK = {"kind": "smooth_batch", "batch_s": 1.0, "half_life_s": 2.0}


def days(*blocks, days=1, **fields):
    return centre_out(schedule={"days": days, "blocks": list(blocks)}, **fields)


def block(seconds, **fields):
    return {"duration_s": seconds, **fields}


def decoder_events(run):
    return [(one["k"], one["x"]) for one in run.of("decoder")]


def installed(run):
    return [tick for tick, what in decoder_events(run) if what == "installed"]


def changes(run):
    """Ticks that changed the decoder's parameters."""
    decoders = [state.parameters.decoder for state in run.states]
    return [tick for tick, (a, b) in enumerate(pairwise(decoders)) if a is not b]


def frozen(part):
    return Encoder().encode(part).body


def bins_of(run):
    """(tick, counts, decoded velocity, cursor when the tick began, goal) of every whole bin."""
    ticks, found = run.of("tick"), []
    for payload in run.of("counts"):
        k = payload["k"]
        if payload["n"][0] == run.session.timing.bin_ticks:
            place = (0.0, 0.0) if k == 0 else ticks[k - 1]["c"][:2]
            # The task's goal at this tick is that of the tick's message.
            found.append((k, counts_of(payload).sum(axis=0), ticks[k]["v"], place, ticks[k]["t"]))
    return found


def towards(goal, place, velocity):
    away = np.subtract(goal, place)
    return np.hypot(*velocity) * away / np.hypot(*away)


# --- what is made of a batch ------------------------------------------------------------------------------------


def test_an_update_equals_one_computed_from_the_recording():
    """From recorded counts and cursor: intended velocities, regression, blend."""
    run = protocols.run(days(block(9.0), updater={"kind": "daily", "intensity": 0.25}))
    known = [(counts, v, place, goal) for _, counts, v, place, goal in bins_of(run) if goal is not None]
    x = np.array([[*towards(goal, place, v), 1.0] for _, v, place, goal in known])
    y = np.array([counts for counts, *_ in known], dtype=float)
    assert len(x) > 100
    C, Q = fitting.observation(y, x, 0.1)
    first, last = run.states[0].parameters.decoder, run.states[-1].parameters.decoder
    np.testing.assert_allclose(last.C, 0.75 * first.C + 0.25 * C, rtol=0, atol=1e-9)
    np.testing.assert_allclose(last.Q, 0.75 * first.Q + 0.25 * Q, rtol=0, atol=1e-9)
    assert np.array_equal(last.A, first.A)
    assert np.array_equal(last.W, first.W)
    assert installed(run) == changes(run) == [899]


def test_the_filter_keeps_its_state_under_new_parameters():
    """Estimate and covariance are kept: recomputed bin by bin, with the parameters of each bin."""
    run = protocols.run(days(block(9.0), updater=BRISK))
    assert len(installed(run)) >= 6
    decoder = KALMAN.init(run.states[0].parameters.decoder, 1)
    for k, counts, v, _, _ in bins_of(run):
        decoder, command = KALMAN.step(
            run.states[k].parameters.decoder, decoder, counts[np.newaxis].astype(float), np.zeros((1, 2))
        )
        np.testing.assert_allclose(command.velocity[0], v, rtol=0, atol=1e-14)


def test_parameters_change_at_the_end_of_a_bin_only():
    run = protocols.run(days(block(9.0), updater=BRISK))
    assert changes(run) == installed(run)
    assert all(tick % 5 == 4 for tick in installed(run))
    (message,) = [one for one in run.of("decoder") if one["k"] == installed(run)[0]]
    assert message["w"] == "smooth_batch"
    assert message["f"]["C"] == [12, 3]
    assert set(message["f"]) == {"A", "W", "C", "Q", "x0", "P0"}
    assert message["m"] == ""


def test_readout_perturbations_apply_to_the_new_decoder():
    turn = perturbation("rotation", "readout", angle_rad=0.5)
    run = protocols.run(days(block(5.0), updater=BRISK, perturbations=[turn]))
    last = run.states[-1]
    assert installed(run)
    expected = KALMAN.rotate(last.parameters.decoder, 0.5, np.arange(12))
    assert frozen(last.readout.parameters) == frozen(expected)


@pytest.mark.parametrize("decoder", ["kalman", "steady_state_kalman", "intrinsic_manifold"])
def test_an_intensity_of_0_changes_nothing(decoder):
    calibration = {"reaches": 40, "reach_s": 0.5, "factors": 4}
    fields = {"decoder": {"kind": decoder, "calibration": calibration}}
    blocks = (block(3.0), block(3.0))
    still = protocols.run(days(*blocks, days=2, **fields))
    run = protocols.run(days(*blocks, days=2, updater={"kind": "daily", "intensity": 0.0}, **fields))
    assert len(installed(run)) == 4
    assert frozen(run.states[-1].parameters) == frozen(run.states[0].parameters)
    assert list(map(codec.encode, run.of("tick"))) == list(map(codec.encode, still.of("tick")))


def test_the_old_decoder_is_kept_where_a_batch_determines_none():
    run = protocols.run(days(block(3.0), updater={**BRISK, "batch_s": 0.1}))
    assert len(decoder_events(run)) > 10
    assert {what for _, what in decoder_events(run)} == {"kept"}
    assert "2 bins are too few to fit 3 coefficients" in run.of("decoder")[0]["m"]
    assert run.of("decoder")[0]["f"] == {}
    assert not changes(run)


def test_kind_none_is_a_session_without_an_updater():
    plain, none = (protocols.run(lasting(2.0, **fields)) for fields in ({}, {"updater": {"kind": "none"}}))
    assert plain.session.updates is None
    assert plain.states[-1].updater is None
    assert [codec.encode(payload) for _, payload in plain.messages] == [
        codec.encode(payload) for _, payload in none.messages
    ]


# --- when -------------------------------------------------------------------------------------------------------


def blocks_of(run):
    """The (day, block) in which decoders were installed."""
    ticks = run.of("tick")
    return {(ticks[k]["d"], ticks[k]["b"]) for k in installed(run)}


def test_the_decoder_is_kept_in_blocks_without_updating():
    run = protocols.run(days(block(2.5, updating=False), block(2.5), block(2.5, updating=False), days=2, updater=BRISK))
    assert blocks_of(run) == {(1, 2), (2, 2)}


@pytest.mark.parametrize(
    ("start", "interval", "expected"),
    [({"day": 2}, 1, {2, 3, 4, 5}), ({"day": 2}, 2, {2, 4}), ({"tick": 0}, 3, {1, 4}), ({"tick": 600}, 1, {3, 4, 5})],
)
def test_updating_every_few_days_from_the_start(start, interval, expected):
    updater = {"kind": "daily", "start": start, "interval_days": interval}
    run = protocols.run(days(block(3.0), days=5, updater=updater))
    assert {day for day, _ in blocks_of(run)} == expected


def test_updating_starts_at_a_trial():
    run = protocols.run(centre_out(updater={**BRISK, "batch_s": 0.5, "start": {"trial": 3}}))
    begins = {trial["r"]: trial["a"] for trial in run.of("trial")}
    assert begins[3] < installed(run)[0] < begins[4]


def test_updating_ends_after_its_time():
    run = protocols.run(days(block(4.0, updating=False), block(6.0), updater={**BRISK, "stop_s": 3.0}))
    assert decoder_events(run)[-1] == (699, "stopped")
    assert run.of("decoder")[-1]["m"] == "after 3 s of updating"
    assert installed(run)[0] > 400
    assert installed(run)[-1] <= 699


def test_updating_ends_after_its_last_day():
    run = protocols.run(days(block(3.0), days=4, updater={**BRISK, "last_day": 2}))
    assert {day for day, _ in blocks_of(run)} == {1, 2}


def test_an_unfinished_batch_is_used_when_updating_ends():
    run = protocols.run(days(block(6.0), updater={"kind": "daily", "stop_s": 3.0}))
    assert decoder_events(run) == [(299, "installed"), (299, "stopped")]


def test_the_criterion_stops_and_restarts_updating():
    """A rotation lowers the rate of success at which updating had stopped."""
    turn = perturbation("rotation", "cursor", angle_rad=3.0, envelope={"shape": "step", "start": {"tick": 3000}})
    rule = {"stop_at_per_min": 6, "restart_drop": 0.9, "window_s": 10.0}
    updater = {"kind": "recursive_ml", "approach_s": 0.3, "criterion": rule}
    many = {"kind": "tuned", "units": 40}
    run = protocols.run(days(block(60.0), population=many, updater=updater, perturbations=[turn]))
    events = [(k, what) for k, what in decoder_events(run) if what in ("stopped", "restarted")]
    assert [what for _, what in events][:2] == ["stopped", "restarted"]
    (stopped, _), (restarted, _) = events[:2]
    assert stopped == 999
    won = sum(trial["x"] == "success" and trial["k"] <= stopped for trial in run.of("trial"))
    why = next(one["m"] for one in run.of("decoder") if one["x"] == "stopped")
    assert why == f"at {6 * won:g} successes a minute"
    assert restarted > 3000
    assert not [k for k in installed(run) if stopped < k < restarted]
    assert [k for k in installed(run) if k > restarted]


def test_a_batch_is_kept_overnight():
    """25 bins with a goal are collected over two days, of which neither has so many."""
    run = protocols.run(days(block(1.0), days=2, updater={**BRISK, "batch_s": 1.25}))
    assert len(installed(run)) == 1
    assert installed(run)[0] > 100


# --- other decoders ---------------------------------------------------------------------------------------------


def test_replacing_the_decoder_resets_the_updater():
    session, state = protocols.begun(lasting(4.0, updater=BRISK))
    arrays = session.decoder.arrays(protocols.begun(lasting(1.0, seed=77))[1].parameters.decoder)
    run = protocols.turned(session, state, {90: [packed(arrays)]})
    assert run.of("decoder")[0]["w"] == "input"
    before, after = run.states[90].updater.gathered.rows, run.states[91].updater.gathered.rows
    assert before > 10
    assert after == 0
    assert min(k for k in installed(run) if k > 90) > 190


def test_decoders_without_an_observation_model_are_refused():
    with pytest.raises(ProtocolError, match=r"'external' has no observation model .* kalman, linear") as bad:
        protocols.begun(centre_out(decoder={"kind": "external"}, updater=BRISK))
    assert bad.value.field == "updater"


def test_a_linear_decoder_that_smooths_is_refused(tmp_path):
    decoder = {"kind": "linear", "file": str(protocols.mapping(tmp_path / "m.npz", units=12))}
    with pytest.raises(ProtocolError, match="only a memoryless linear decoder can be updated") as bad:
        protocols.begun(centre_out(decoder=decoder, updater=BRISK))
    assert bad.value.field == "updater"


def test_a_memoryless_linear_decoder_is_adapted():
    """By regression of the intended velocity on the counts of the block's bins, with intensity 1."""
    decoder = {"kind": "linear", "calibration": {"decay_per_100ms": 0.0}}
    run = protocols.run(
        lasting(20.0, decoder=decoder, updater={"kind": "daily", "intensity": 1.0, "noise_shrinkage": 0.0})
    )
    (message,) = run.of("decoder")
    assert (message["w"], message["x"]) == ("daily", "installed")
    ends = np.arange(4, len(run.of("tick")), 5)
    goals = [run.of("tick")[k]["t"] for k in ends]
    there = np.array([goal is not None for goal in goals])
    at = np.vstack([np.zeros((1, 4)), run.column("c")])[ends][there][:, :2]  # before the tick
    away = np.array([goal for goal in goals if goal is not None]) - at
    decoded = run.column("v")[ends][there]
    intended = away / np.hypot(*away.T)[:, np.newaxis] * np.hypot(*decoded.T)[:, np.newaxis]
    counts = run.counts().reshape(len(ends), 5, -1).sum(axis=1)[there]
    expected = np.linalg.lstsq(np.column_stack([counts, np.ones(len(counts))]), intended, rcond=None)[0].T
    new = run.states[-1].parameters.decoder
    np.testing.assert_allclose(np.column_stack([new.M2, new.m0]), expected, rtol=1e-6, atol=1e-9)


def test_a_filter_of_unknown_states_is_refused(tmp_path):
    path = tmp_path / "three.npz"
    C = np.random.default_rng(1).normal(size=(12, 3))
    np.savez(path, A=0.9 * np.eye(3), W=1e-3 * np.eye(3), C=C, Q=np.eye(12), states=["vx", "vy", "1"])
    with pytest.raises(ProtocolError, match="updater: decoder: A: the last of 3 states must be a constant 1"):
        protocols.begun(centre_out(decoder={"kind": "kalman", "file": str(path)}, updater=BRISK))
    protocols.begun(centre_out(decoder={"kind": "kalman", "file": str(path)}))


@pytest.mark.parametrize(
    ("decoder", "updater", "says"),
    [
        ("point_process", "recursive_ml", r"'point_process' \(beta, law\); updaters that can: point_process_ml"),
        (
            "kalman",
            "point_process_ml",
            r"'kalman' \(C, Q\); updaters that can: daily, recursive_ml, refit, smooth_batch",
        ),
    ],
)
def test_an_updater_of_another_model_is_refused(decoder, updater, says):
    with pytest.raises(ProtocolError, match=says) as caught:
        protocols.begun(
            centre_out(decoder={"kind": decoder, "calibration": protocols.BRIEF}, updater={"kind": updater})
        )
    assert caught.value.field == "updater.kind"


@pytest.mark.parametrize("kind", ["smooth_batch", "recursive_ml", "refit", "daily", "point_process"])
def test_every_kind_changes_the_decoder_in_the_sessions_of_other_tests(kind, tmp_path):
    """Tests of resuming and replay (tests.protocols) need sessions with updates."""
    data, at = protocols.of_every_kind(tmp_path)[kind]
    assert changes(protocols.run(data, at))
