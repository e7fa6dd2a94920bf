"""The session: pure steps, complete messages, decoded velocities and the cursor."""

from __future__ import annotations

import math

import numpy as np
import pytest

from decoderd.checkpoint import Encoder
from decoderd.decoders import offline
from decoderd.errors import ProtocolError, Refused
from decoderd.populations.tuned import TUNED
from decoderd.rng import generator, open_streams
from decoderd.session.step import step
from decoderd.wire import codec, inputs
from decoderd.wire.message import keys_of
from decoderd.wire.topics import MODELS
from tests import protocols
from tests.protocols import KINDS, centre_out, counts_of, given, lasting, of_every_kind, outside


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """{kind: (inputs by tick, its run)}"""
    found = of_every_kind(tmp_path_factory.mktemp("kinds"))
    return {name: (at, protocols.run(data, at)) for name, (data, at) in found.items()}


def frozen(state):
    """A state as bytes, with hashes in place of large arrays."""
    return Encoder().encode(state).body


def encoded(messages):
    return [(topic, codec.encode(payload)) for topic, payload in messages]


def decoder_arrays(run, tick=0):
    return run.session.decoder.arrays(run.states[tick].parameters.decoder)


def whole_bins(run):
    """(ticks at which bins ended, counts of these bins)."""
    full = [payload for payload in run.of("counts") if payload["n"][0] == run.session.timing.bin_ticks]
    return [payload["k"] for payload in full], np.array([counts_of(payload).sum(axis=0) for payload in full])


# --- purity


@pytest.mark.parametrize("kind", KINDS)
def test_old_states_stay_valid_and_steps_repeat(runs, kind):
    at, run = runs[kind]
    ticks = np.random.default_rng(1).integers(0, len(run.states) - 1, 25).tolist() + sorted(at)
    by_tick = {}
    for topic, payload in run.messages:
        by_tick.setdefault(payload["k"], []).append((topic, payload))
    for tick in ticks:
        # The session has gone on since each of these states.
        state = run.states[tick]
        before = frozen(state)
        first, messages = step(run.session, state, given(*at.get(tick, ())))
        again, messages_again = step(run.session, state, given(*at.get(tick, ())))
        assert frozen(state) == before
        assert frozen(first) == frozen(again) == frozen(run.states[tick + 1])
        assert encoded(messages) == encoded(messages_again) == encoded(by_tick[tick])


def test_a_session_that_is_over_refuses_a_step(runs):
    _, run = runs["kalman"]
    with pytest.raises(Refused, match=f"session small-3 is over since tick {run.states[-1].tick}"):
        step(run.session, run.states[-1])


# --- messages


@pytest.mark.parametrize("kind", KINDS)
def test_messages_fit_their_models_and_sequence_numbers_have_no_gaps(runs, kind):
    _, run = runs[kind]
    numbers, ticks = {}, {}
    for topic, payload in run.messages:
        sent = codec.decode(codec.encode(payload))
        names = {"w": sent["w"]} if topic == "trial" else {}
        model = MODELS[topic].model_validate({**as_tuples(sent), **names}, strict=True)
        assert not model.model_extra, f"{topic} holds keys that its model does not know"
        assert [*sent] == [*keys_of(type(model)).values()]
        assert sent["s"] == run.session.name
        assert sent["q"] == numbers.get(topic, 0)
        assert sent["k"] >= ticks.get(topic, 0)
        numbers[topic], ticks[topic] = sent["q"] + 1, sent["k"]
    assert numbers["tick"] == len(run.states) - 1
    assert [tick["k"] for tick in run.of("tick")] == list(range(len(run.states) - 1))


def as_tuples(value):
    """Lists as tuples: msgpack has lists only, strict models need tuples."""
    if isinstance(value, list) and not any(isinstance(item, str) for item in value):
        return tuple(value)
    if isinstance(value, dict):
        return {key: as_tuples(item) for key, item in value.items()}
    return value


def test_the_sessions_above_have_messages_of_every_topic_but_metrics(runs):
    seen = {topic for _, run in runs.values() for topic, _ in run.messages}
    assert seen == set(codec.TOPICS) - {"metrics"}  # see test_metrics_of_a_client_are_sent


def test_the_tick_message_is_the_first_of_its_tick(runs):
    for _, run in runs.values():
        before = -1
        for topic, payload in run.messages:
            assert (topic == "tick") == (payload["k"] > before)
            before = payload["k"]


@pytest.mark.parametrize("kind", KINDS)
def test_counts_cover_every_tick_of_every_bin(runs, kind):
    _, run = runs[kind]
    bin_ticks, ends = run.session.timing.bin_ticks, {day["k"] for day in run.of("day") if day["x"] == "end"}
    last = dict.fromkeys(run.session.population.channels, -1)
    for payload in run.of("counts"):
        rows, units = payload["n"]
        assert units == run.session.units
        assert payload["k"] == last[payload["c"]] + rows
        assert rows == bin_ticks or payload["k"] in ends  # a day may end within a bin
        last[payload["c"]] = payload["k"]
    for tick in last.values():
        assert len(run.states) - 1 - bin_ticks < tick + 1 <= len(run.states) - 1


# --- decoder and cursor


@pytest.mark.parametrize("kind", ["kalman", "steady_state", "factors_unperturbed", "random_targets", "replay"])
def test_decoded_velocities_are_those_of_the_recorded_counts(runs, kind, tmp_path):
    if kind == "factors_unperturbed":
        run = protocols.run(of_every_kind(tmp_path)["factors"][0])
    else:
        _, run = runs[kind]
    ends, counts = whole_bins(run)
    rows = offline.decode(run.session.protocol.decoder.kind, decoder_arrays(run), counts)
    expected = np.zeros((len(run.states) - 1, 2))
    for end, row in zip(ends, rows, strict=True):
        expected[end:] = row[:2]
    np.testing.assert_allclose(run.column("v"), expected, rtol=0, atol=1e-13)
    assert np.ptp(expected, axis=0).min() > 0.01


def test_a_velocity_filter_equals_the_textbook_filter(runs):
    _, run = runs["kalman"]
    given = decoder_arrays(run)
    A, W, C, Q, x, P = (given[name] for name in ("A", "W", "C", "Q", "x0", "P0"))
    ends, counts = whole_bins(run)
    v = run.column("v")
    for end, y in zip(ends, counts, strict=True):
        x, P = A @ x, A @ P @ A.T + W
        K = P @ C.T @ np.linalg.inv(C @ P @ C.T + Q)
        x, P = x + K @ (y - C @ x), (np.eye(len(P)) - K @ C) @ P
        np.testing.assert_allclose(v[end], x[:2], rtol=0, atol=1e-10)


def test_the_decoder_state_is_reset_every_day(runs):
    _, run = runs["days"]
    ends, counts = whole_bins(run)
    days = run.column("d")
    v = run.column("v")
    for day in (1, 2, 3):
        mine = [i for i, end in enumerate(ends) if days[end] == day]
        rows = offline.decode("kalman", decoder_arrays(run), counts[mine])
        np.testing.assert_allclose(v[[ends[i] for i in mine]], rows[:, :2], rtol=0, atol=1e-13)
        first = int(np.argmax(days == day))
        assert not v[first : ends[mine[0]]].any()
        assert ends[mine[0]] == first + run.session.timing.bin_ticks - 1  # bins begin anew, too


def test_the_cursor_is_the_integral_of_decoded_velocities_rotated_while_the_rotation_is_on():
    angle = math.radians(50)
    block = {"shape": "block", "start": {"trial": 2}, "stop": {"trial": 4}}
    turn = protocols.perturbation("rotation", "cursor", angle_rad=angle, envelope=block)
    run = protocols.run(centre_out(perturbations=[turn]))
    x = y = 0.0
    seen = set()
    for tick in run.of("tick"):
        vx, vy = tick["v"]
        if 2 <= tick["r"] < 4:
            vx, vy = vx * math.cos(angle) - vy * math.sin(angle), vx * math.sin(angle) + vy * math.cos(angle)
        x, y = (min(0.2, max(-0.2, p + 0.01 * v)) for p, v in ((x, vx), (y, vy)))
        np.testing.assert_allclose(tick["c"], [x, y, vx, vy], rtol=0, atol=1e-13)
        seen.add(tick["r"])
    assert seen == {0, 1, 2, 3, 4}


def test_the_cursor_stops_at_the_edge_of_its_workspace():
    at = {0: [{"op": "kinematics", "velocity": [1.0, -0.5]}]}
    c = protocols.run(outside(effector={"kind": "cursor", "half_width_m": 0.1}), at).column("c")
    # The first bin ends with tick 4, which moves already.
    moved = 0.01 * np.maximum(np.arange(200) - 3, 0)
    np.testing.assert_allclose(c[:, 0], np.minimum(moved, 0.1), atol=1e-12)
    np.testing.assert_allclose(c[:, 1], np.maximum(-0.5 * moved, -0.1), atol=1e-12)


@pytest.mark.parametrize("kind", ["kalman", "steady_state_kalman"])
def test_a_position_filter_gets_the_cursor(kind):
    """Decoded velocities recomputed from the recorded counts and cursor by the decoder alone."""
    position = {"kind": kind, "state": "position_velocity", "calibration": protocols.BRIEF}
    run = protocols.run(centre_out(decoder=position))
    ends, counts = whole_bins(run)
    c, v = run.column("c"), run.column("v")
    decoder, parameters = run.session.decoder, run.states[0].parameters.decoder
    state = decoder.init(parameters, 1)
    for end, y in zip(ends, counts, strict=True):
        seen = c[end - 1 : end, :2]
        state, command = decoder.step(parameters, state, y[np.newaxis].astype(float), seen)
        np.testing.assert_allclose(v[end], command.velocity[0], rtol=0, atol=1e-12)
    assert np.abs(c[:, :2]).max() > 0.03


def test_recentring_puts_the_cursor_at_rest_in_the_centre_when_a_trial_begins():
    run = protocols.run(centre_out(task={"kind": "centre_out", "recentre": True, **protocols.EASY}))
    starts = [trial["a"] for trial in run.of("trial")]
    assert len(starts) == 4
    c, v = run.column("c"), run.column("v")
    for start in starts:
        decoded = v[start] * (start % 5 == 4)  # the decoder may speak at the end of that very tick
        np.testing.assert_allclose(c[start], [*(0.01 * decoded), *decoded], atol=1e-15)
    assert max(np.hypot(*c[start - 1, :2]) for start in starts[1:]) > 0.01


# --- what is random


def test_random_targets_are_rows_of_their_stream(runs):
    _, run = runs["random_targets"]
    spec = run.session.task.streams(run.session.protocol.task)
    places = open_streams((3,), "task", spec)["places"]
    for trial in run.of("trial"):
        np.testing.assert_allclose(trial["t"], 0.07 * (2 * places.row(1, trial["r"] - 1)[0] - 1), atol=1e-15)
        assert trial["g"] == -1
        assert trial["o"] == trial["a"]
    assert {tick["p"] for tick in run.of("tick")} == {0, 3, 4}


def test_centre_out_shows_every_target_once_in_a_block(runs):
    _, run = runs["kalman"]
    trials = run.of("trial")
    assert sorted(trial["g"] for trial in trials) == [0, 1, 2, 3]
    for trial in trials:
        angle = trial["g"] * math.pi / 2
        np.testing.assert_allclose(trial["t"], [0.07 * math.cos(angle), 0.07 * math.sin(angle)], atol=1e-15)


def test_another_seed_is_another_session():
    one, other = (protocols.run(lasting(2.0, seed=seed)) for seed in (1, 2))
    assert not np.array_equal(one.counts(), other.counts())
    assert not np.array_equal(
        one.states[0].parameters.population.weights, other.states[0].parameters.population.weights
    )


def test_inactive_perturbations_change_no_random_numbers():
    """Perturbations that are off, over or of amount zero leave every other draw unchanged."""
    idle = [
        protocols.perturbation("noise", "neural", sd_hz=50, envelope={"shape": "step", "start": {"day": 2}}),
        protocols.perturbation("gain", "cursor", factor=1.0),
        protocols.perturbation("gain", "neural", factor=1.0),
        protocols.perturbation("gain", "feedback", factor=1.0),
        protocols.perturbation("assist", "cursor", weight=0.0),
        protocols.perturbation("silence", "neural", fraction=0.0),
        protocols.perturbation("rotation", "cursor", angle_rad=0.0),
        protocols.perturbation("delay", "feedback", delay_s=0.2, envelope={"shape": "ramp", "rise_s": 3600}),
        protocols.perturbation("delay", "cursor", delay_s=0.2, envelope={"shape": "ramp", "rise_s": 3600}),
    ]
    plain = protocols.run(lasting(3.0))
    for number in range(len(idle)):
        run = protocols.run(lasting(3.0, perturbations=[idle[number]]))
        assert encoded(("tick", tick) for tick in run.of("tick")) == encoded(("tick", t) for t in plain.of("tick"))
        assert np.array_equal(run.counts(), plain.counts())
    named = [{**one, "name": f"idle{number}"} for number, one in enumerate(idle)]
    together = protocols.run(lasting(3.0, perturbations=named))
    assert encoded(("tick", tick) for tick in together.of("tick")) == encoded(("tick", t) for t in plain.of("tick"))


# --- days and blocks


def test_blocks_and_days_follow_the_schedule():
    blocks = [
        {"name": "warm", "duration_s": 0.5, "days": [1, 3]},
        {"name": "work", "trials": 2},
        {"name": "end", "duration_s": 0.2, "trials": 50},
    ]
    run = protocols.run(centre_out(schedule={"days": 3, "blocks": blocks}))
    events = [(day["d"], day["x"], day["w"], day["b"]) for day in run.of("day")]
    assert events == [
        *[(1, "block", "warm", 1), (1, "block", "work", 2), (1, "block", "end", 3), (1, "end", "end", 3)],
        *[(2, "block", "work", 2), (2, "block", "end", 3), (2, "end", "end", 3)],
        *[(3, "block", "warm", 1), (3, "block", "work", 2), (3, "block", "end", 3), (3, "end", "end", 3)],
    ]
    days, blocks_of = run.column("d"), run.column("b")
    for day in (1, 2, 3):
        assert np.sum((days == day) & (blocks_of == 1)) == (0 if day == 2 else 50)
        assert np.sum((days == day) & (blocks_of == 3)) == 20
        in_work = [t for t in run.of("trial") if t["d"] == day and t["b"] == 2]
        assert len(in_work) == 2
        last = np.flatnonzero((days == day) & (blocks_of == 2))[-1]
        assert in_work[-1]["k"] == last
    assert (np.diff(days) >= 0).all()
    assert [day["n"] for day in run.of("day") if day["x"] == "end"] == [
        sum(trial["d"] == day for trial in run.of("trial")) for day in (1, 2, 3)
    ]


def test_durations_are_exact():
    for seconds, tick_s, ticks in ((1.0, 0.01, 100), (0.033, 0.001, 33), (1.05, 0.1, 10), (0.0001, 0.01, 1)):
        assert len(protocols.run(lasting(seconds, tick_s=tick_s, bin_ticks=2)).states) - 1 == ticks


def test_an_unfinished_trial_ends_with_the_day(runs):
    _, run = runs["days"]
    outcomes = [(trial["d"], trial["x"]) for trial in run.of("trial")]
    assert [day for day, outcome in outcomes if outcome == "day_end"] == [1, 2, 3]
    first_ticks = [int(np.argmax(run.column("d") == day)) for day in (2, 3)]
    ends = [trial["k"] for trial in run.of("trial") if trial["x"] == "day_end"]
    assert [end + 1 for end in ends[:2]] == first_ticks
    assert run.of("day")[-1]["n"] == 2
    for tick in first_ticks:
        first_tick = run.of("tick")[tick]
        assert first_tick["p"] == 0
        assert first_tick["t"] is None
        assert first_tick["c"] == [0, 0, 0, 0]


def test_tuning_drifts_overnight_only(runs):
    _, run = runs["days"]
    config = run.session.protocol.population
    known = run.states[0].parameters.population.weights
    for state in run.states[1:]:
        weights = state.parameters.population.weights
        if state.progress.day_tick == state.tick and not state.progress.done:
            night = generator(3, "population/overnight", state.progress.day - 1)
            drifted = TUNED.overnight(config, type(state.parameters.population)(known), night).weights
            assert np.array_equal(weights, drifted)
            assert not np.array_equal(weights, known)
        else:
            assert weights.tobytes() == known.tobytes()
        known = weights
    assert run.states[-1].parameters.decoder is run.states[0].parameters.decoder


def test_without_drift_the_individual_is_the_same_every_day():
    run = protocols.run(lasting(0.3, schedule={"days": 3, "blocks": [{"duration_s": 0.3}]}))
    first, last = run.states[0].parameters.population.weights, run.states[-1].parameters.population.weights
    assert np.array_equal(first, last)
    counts = run.counts()
    assert not np.array_equal(counts[:30], counts[30:60])  # but fires anew


# --- from outside


def test_external_task_and_decoder():
    run = protocols.run(outside(), protocols.FROM_OUTSIDE)
    phase, v, c, goal = (run.column(key) for key in "pvct")
    expected = np.zeros(200)
    expected[3:], expected[10:], expected[81:], expected[90:], expected[150:] = 1, 3, 1, 3, 0
    assert np.array_equal(phase, expected)
    assert [(t["r"], t["g"], t["a"], t["o"], t["k"], t["x"]) for t in run.of("trial")] == [
        (1, 2, 3, 10, 81, "success"),
        (2, -1, 81, 90, 150, "gave_up"),
    ]
    assert np.isnan(goal[:3]).all()
    assert (goal[3:81] == [0.05, 0]).all()
    assert (goal[90:150] == [0, 0.06]).all()
    assert np.isnan(goal[150:]).all()
    # Velocities hold from the end of the bin in which they were received.
    expected_v = np.zeros((200, 2))
    expected_v[14:] = [0.1, 0]
    expected_v[64:] = [0, 0]
    expected_v[124:] = [0, 0.12]
    assert np.array_equal(v, expected_v)
    # So does the position, which differs from the integral of the velocity.
    assert c[63, 0] == pytest.approx(0.1 * 0.5)
    path = np.cumsum(0.01 * expected_v, axis=0)
    np.testing.assert_allclose(c[:, :2], path, atol=1e-12)


def test_an_external_position_moves_the_cursor_there():
    at = {0: [{"op": "kinematics", "velocity": [0.1, 0.0], "position": [-0.03, 0.04]}]}
    c = protocols.run(outside(), at).column("c")
    assert not c[:4, :2].any()
    np.testing.assert_allclose(c[4, :2], [-0.03 + 0.001, 0.04], atol=1e-15)
    np.testing.assert_allclose(c[5:, 0], c[4, 0] + 0.001 * np.arange(1, 196), atol=1e-12)  # and only once


def test_an_input_replaces_the_decoder():
    session, state = protocols.begun(lasting(2.0))
    other = protocols.begun(lasting(2.0, seed=77))[1].parameters.decoder
    arrays = session.decoder.arrays(other)
    run = protocols.turned(session, state, {17: [protocols.packed(arrays)]})
    ends, counts = whole_bins(run)
    old = offline.decode("kalman", decoder_arrays(run), counts[:3])
    new = offline.decode("kalman", arrays, counts[3:])  # the bin under way already
    np.testing.assert_allclose(run.column("v")[ends], np.vstack([old, new])[:, :2], rtol=0, atol=1e-13)
    assert run.of("decoder")[0] == {
        "s": "small-3",
        "q": 0,
        "k": 17,
        "w": "input",
        "x": "installed",
        "m": "",
        "f": {name: list(array.shape) for name, array in arrays.items()},
        "u": None,
    }
    assert run.of("tick")[17]["v"] == run.of("tick")[16]["v"]
    model = MODELS["decoder"].model_validate(codec.decode(codec.encode(run.of("decoder")[0])))
    assert model.shapes["C"] == (12, 3)


def test_metrics_of_a_client_are_sent():
    numbers = {"op": "metrics", "source": "compaction", "values": {"n_c": 14.0}}
    session, state = protocols.begun(lasting(2.0))
    run = protocols.turned(session, state, {3: [inputs.parse(numbers)], 5: [inputs.parse({**numbers, "day": 7})]})
    assert [(sent["k"], sent["q"], sent["w"], sent["d"], sent["f"]) for sent in run.of("metrics")] == [
        (3, 0, "compaction", 1, {"n_c": 14.0}),
        (5, 1, "compaction", 7, {"n_c": 14.0}),
    ]
    without = protocols.turned(*protocols.begun(lasting(2.0)), {})
    assert run.of("tick") == without.of("tick")


# --- what cannot be begun


def test_a_decoder_of_other_units_is_refused(tmp_path):
    with pytest.raises(ProtocolError, match="decoder: reads 6 units, but the population has 12") as caught:
        protocols.begun(centre_out(decoder={"kind": "linear", "file": str(protocols.mapping(tmp_path / "m.npz"))}))
    assert caught.value.field == "decoder"


def test_a_decoder_without_velocity_is_refused(tmp_path):
    C = np.random.default_rng(1).normal(size=(12, 6))
    np.savez(tmp_path / "six.npz", A=0.9 * np.eye(6), W=np.eye(6), C=C, Q=np.eye(12))
    with pytest.raises(ProtocolError, match=r"a state of 6 entries cannot move a cursor") as caught:
        protocols.begun(centre_out(decoder={"kind": "kalman", "file": str(tmp_path / "six.npz")}))
    assert caught.value.field == "decoder"


def test_a_perturbation_that_does_not_apply_is_refused_by_name():
    bad = protocols.perturbation("silence", "neural", units=[12])
    with pytest.raises(ProtocolError, match=r"perturbations\.1 \(p\): units \[12\] are not there") as caught:
        protocols.begun(
            centre_out(perturbations=[{**protocols.perturbation("noise", "neural", sd_hz=1), "name": "q"}, bad])
        )
    assert caught.value.field == "perturbations.1 (p)"
