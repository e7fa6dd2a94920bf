"""Perturbations in sessions: the effect of every kind at every site, and its onset and end."""

from __future__ import annotations

import math

import numpy as np
import pytest

from decoderd.decoders import offline
from decoderd.errors import ProtocolError
from decoderd.perturbations import PerturbationContext
from decoderd.perturbations.sites import passed
from decoderd.rollout.adjoint import NO_DERIVATIVES
from decoderd.session import perturbing
from decoderd.state import Command, TimeIndex
from tests import protocols
from tests.protocols import centre_out, lasting, outside, perturb, perturbation

ON_AT = 43


def after(tick):
    return {"shape": "step", "start": {"tick": tick}}


def rotation_of(angle):
    """(2, 2) R with R @ v turned counter-clockwise."""
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def moved(run):
    """Displacements of the cursor, tick by tick, m."""
    return np.diff(run.column("c")[:, :2], axis=0, prepend=[[0, 0]])


def wander(seed=5):
    """Kinematics as inputs that change with every bin, small enough to stay inside the workspace."""
    draw = np.random.default_rng(seed)
    return {tick: [{"op": "kinematics", "velocity": draw.uniform(-0.2, 0.2, 2).tolist()}] for tick in range(0, 200, 5)}


def watched(data, at=None):
    """A run, with the cursor as seen, and rates before and after perturbation: (run, seen, raw, final)."""
    session, state = protocols.begun(data)
    seen, raw, final = [], [], []

    def rates(plan, parameters, inner, cue, cursor, time, draws):
        seen.append(cursor[0])
        found = session.population.rates(plan, parameters, inner, cue, cursor, time, draws)
        raw.append(found[1][0])
        return found

    def spikes(plan, parameters, inner, given, draws):
        final.append(given[0])
        return session.population.spikes(plan, parameters, inner, given, draws)

    spied = session._replace(population=session.population._replace(rates=rates, spikes=spikes))
    run = protocols.turned(spied, state, at)
    return run, np.array(seen), np.array(raw), np.array(final)


# --- cursor


def test_rotation_of_the_cursor():
    turn = perturbation("rotation", "cursor", angle_rad=0.9, envelope=after(ON_AT))
    run = protocols.run(lasting(2.0, perturbations=[turn]))
    v, d = run.column("v"), moved(run)
    np.testing.assert_allclose(d[:ON_AT], 0.01 * v[:ON_AT], atol=1e-14)
    np.testing.assert_allclose(d[ON_AT:], 0.01 * v[ON_AT:] @ rotation_of(0.9).T, atol=1e-14)
    np.testing.assert_allclose(np.hypot(*d.T), 0.01 * np.hypot(*v.T), atol=1e-14)


def test_gain_of_the_cursor_axis_by_axis():
    gain = perturbation("gain", "cursor", factor=[2.0, -0.5], envelope=after(ON_AT))
    run = protocols.run(outside(perturbations=[gain]), wander())
    v, d = run.column("v"), moved(run)
    np.testing.assert_allclose(d[:ON_AT], 0.01 * v[:ON_AT], atol=1e-14)
    np.testing.assert_allclose(d[ON_AT:], 0.01 * v[ON_AT:] * [2.0, -0.5], atol=1e-14)


@pytest.mark.parametrize("ticks", [1, 7, 30])
def test_delay_of_the_cursor(ticks):
    late = perturbation("delay", "cursor", delay_s=ticks * 0.01, envelope=after(ON_AT))
    run = protocols.run(outside(perturbations=[late]), wander())
    v, d = run.column("v"), moved(run)
    # Commands before the onset are not known: the first one after it takes their place.
    source = np.where(np.arange(200) < ON_AT, np.arange(200), np.maximum(np.arange(200) - ticks, ON_AT))
    np.testing.assert_allclose(d, 0.01 * v[source], atol=1e-14)


def test_rotation_and_delay_apply_to_jumps_of_the_decoded_position_too():
    at = {0: [{"op": "kinematics", "velocity": [0, 0], "position": [0.04, 0.0]}]}
    both = [
        {**perturbation("rotation", "cursor", angle_rad=math.pi / 2), "name": "turn"},
        {**perturbation("delay", "cursor", delay_s=0.03), "name": "late"},
    ]
    d = moved(protocols.run(outside(perturbations=both), at))
    expected = np.zeros((200, 2))
    expected[4 + 3] = [0, 0.04]
    np.testing.assert_allclose(d, expected, atol=1e-15)


def test_full_assist_goes_straight_to_the_target():
    at = {10: [{"op": "task", "event": "start"}, {"op": "task", "event": "go", "target": [0.06, 0.08]}]}
    assist = perturbation("assist", "cursor", weight=1.0, speed_m_s=0.1)
    data = outside(perturbations=[assist])
    run = protocols.run(data, {**wander(), 10: [*wander()[10], *at[10]]})
    c = run.column("c")[:, :2]
    d = moved(run)[10:]
    start, target = c[9], np.array([0.06, 0.08])
    way = (target - start) / np.hypot(*(target - start))
    np.testing.assert_allclose(d @ [-way[1], way[0]], 0, atol=1e-12)  # never off the line
    far = np.hypot(*(target - np.vstack([start, c[10:-1]])).T) > 0.012
    np.testing.assert_allclose(d[far] @ way, 0.001, atol=1e-12)
    assert np.hypot(*(target - c[-1])) < 0.002  # slows down inside the target, and arrives


def test_half_assist_is_the_mean_of_decoded_and_straight():
    at = {0: [{"op": "task", "event": "start"}, {"op": "task", "event": "go", "target": [0.15, 0.0]}]}
    assist = perturbation("assist", "cursor", weight=0.5, speed_m_s=0.08)
    run = protocols.run(outside(perturbations=[assist]), {**wander(), 0: [*wander()[0], *at[0]]})
    v, c, d = run.column("v"), run.column("c")[:, :2], moved(run)
    for k in range(1, 100):
        way = np.array([0.15, 0.0]) - c[k - 1]
        ideal = 0.08 * way / np.hypot(*way)
        np.testing.assert_allclose(d[k], 0.01 * (0.5 * v[k] + 0.5 * ideal), atol=1e-12)


# --- feedback


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        (
            {"kind": "rotation", "angle_rad": -0.7},
            lambda c, k: np.r_[rotation_of(-0.7) @ c[k, :2], rotation_of(-0.7) @ c[k, 2:]],
        ),
        ({"kind": "gain", "factor": [1.5, 0.5]}, lambda c, k: c[k] * [1.5, 0.5, 1.5, 0.5]),
        ({"kind": "gain", "factor": 2.0}, lambda c, k: 2 * c[k]),
        ({"kind": "delay", "delay_s": 0.12}, lambda c, k: c[max(k - 12, ON_AT)]),
    ],
    ids=["rotation", "gain_of_each_axis", "gain", "delay"],
)
def test_feedback_changes_the_cursor_as_seen_only(fields, shown):
    changed = perturbation(
        fields["kind"], "feedback", envelope=after(ON_AT), **{k: v for k, v in fields.items() if k != "kind"}
    )
    run, seen, _, _ = watched(lasting(2.0, perturbations=[changed]))
    plain = protocols.run(lasting(2.0))
    c = np.vstack([np.zeros(4), run.column("c")])  # a tick sees the cursor at the end of the last one
    np.testing.assert_allclose(seen[:ON_AT], c[:ON_AT], atol=1e-15)
    for k in range(ON_AT, 200):
        np.testing.assert_allclose(seen[k], shown(c, k), atol=1e-15)
    np.testing.assert_allclose(moved(run), 0.01 * run.column("v"), atol=1e-14)
    assert np.array_equal(run.column("c")[:ON_AT], plain.column("c")[:ON_AT])
    assert not np.array_equal(run.column("c"), plain.column("c"))  # the subject reacts


# --- neural


def test_gain_of_some_units_rates():
    gain = perturbation("gain", "neural", factor=2.5, units=[1, 4], envelope=after(ON_AT))
    _, _, raw, final = watched(lasting(2.0, perturbations=[gain]))
    factor = np.ones(12)
    factor[[1, 4]] = 2.5
    assert np.array_equal(final[:ON_AT], raw[:ON_AT])
    np.testing.assert_allclose(final[ON_AT:], raw[ON_AT:] * factor, rtol=1e-15)


def test_silenced_units_are_silent_and_the_others_fire_the_same_spikes():
    """With an external decoder spikes have no effect, so the subject's intention is the same with and without."""
    silence = perturbation("silence", "neural", units=[0, 3, 7], envelope=after(ON_AT))
    plain, perturbed = (protocols.run(outside(perturbations=p), wander()) for p in ([], [silence]))
    assert np.array_equal(plain.column("i"), perturbed.column("i"))
    expected = plain.counts().copy()
    assert expected[ON_AT:, [0, 3, 7]].any()
    expected[ON_AT:, [0, 3, 7]] = 0
    assert np.array_equal(perturbed.counts(), expected)


def test_in_a_closed_loop_the_tick_of_the_onset_is_the_same_but_for_the_silenced_units():
    silence = perturbation("silence", "neural", units=[2, 5], envelope=after(ON_AT))
    plain, perturbed = (protocols.run(lasting(2.0, perturbations=p)) for p in ([], [silence]))
    until = ON_AT + 5 - ON_AT % 5  # the command of this bin moves the cursor only after it
    expected = plain.counts()[:until].copy()
    expected[ON_AT:, [2, 5]] = 0
    assert np.array_equal(perturbed.counts()[:until], expected)
    assert not perturbed.counts()[ON_AT:, [2, 5]].any()


def test_a_fraction_of_the_units_is_silenced():
    silence = perturbation("silence", "neural", fraction=0.5)
    counts = protocols.run(outside(perturbations=[silence]), wander()).counts()
    assert (counts.sum(axis=0) == 0).sum() == 6
    again = protocols.run(outside(perturbations=[{**silence, "name": "q"}]), wander()).counts()
    assert not np.array_equal(counts.any(axis=0), again.any(axis=0))  # drawn by its name


def test_recorded_units_can_be_silenced(tmp_path):
    replayed = {"kind": "replay", "file": str(protocols.recording(tmp_path / "r.npz"))}
    silence = perturbation("silence", "neural", units=[4], envelope=after(20))
    plain, perturbed = (protocols.run(outside(population=replayed, perturbations=p)) for p in ([], [silence]))
    expected = plain.counts().copy()
    expected[20:, 4] = 0
    assert np.array_equal(perturbed.counts(), expected)
    assert plain.counts()[20:, 4].any()


def test_noise_of_some_units_rates():
    noise = perturbation("noise", "neural", sd_hz=6.0, units=[0, 1, 2, 3], envelope=after(ON_AT))
    population = {"kind": "tuned", "units": 12, "baseline_hz": [200, 200], "depth_hz": [0, 0], "speed_hz": [0, 0]}
    data = outside(population=population, perturbations=[noise])
    data["schedule"]["blocks"][0]["duration_s"] = 20.0
    run, _, raw, final = watched(data)
    added = (final - raw)[ON_AT:]
    assert not (final - raw)[:ON_AT].any()
    assert not added[:, 4:].any()
    disturbed = added[:, :4]
    # SD averaged over 100 ms, that is 10 ticks: 4 x 1957 independent values.
    assert disturbed.std() == pytest.approx(6.0 * math.sqrt(10), rel=0.04)
    assert abs(disturbed.mean()) < 4 * 6.0 * math.sqrt(10) / math.sqrt(disturbed.size)
    assert abs(np.corrcoef(disturbed[1:, 0], disturbed[:-1, 0])[0, 1]) < 0.1
    assert abs(np.corrcoef(disturbed[:, 0], disturbed[:, 1])[0, 1]) < 0.1
    plain = protocols.run({**data, "perturbations": []})
    assert np.array_equal(run.counts()[:, 4:], plain.counts()[:, 4:])


# --- readout


def textbook(arrays, counts, C_of):
    """A velocity Kalman filter, inverting the innovation covariance; C_of(bin) gives C and Q."""
    A, W, x, P = (arrays[name] for name in ("A", "W", "x0", "P0"))
    rows = []
    for number, y in enumerate(counts):
        C, Q = C_of(number)
        x, P = A @ x, A @ P @ A.T + W
        K = P @ C.T @ np.linalg.inv(C @ P @ C.T + Q)
        x, P = x + K @ (y - C @ x), (np.eye(len(P)) - K @ C) @ P
        rows.append(x[:2])
    return np.array(rows)


def bins(run):
    counts = run.counts()
    return counts[: len(counts) // 5 * 5].reshape(-1, 5, counts.shape[1]).sum(axis=1)


def decoded(run):
    return run.column("v")[4::5]


def test_rotation_of_the_readout_of_some_units():
    units, angle = [0, 2, 5, 6, 9], 1.1
    turn = perturbation("rotation", "readout", angle_rad=angle, units=units, envelope=after(60))
    run = protocols.run(lasting(2.0, perturbations=[turn]))
    arrays = run.session.decoder.arrays(run.states[0].parameters.decoder)
    turned = arrays["C"].copy()
    turned[units, :2] = arrays["C"][units, :2] @ rotation_of(angle).T
    expected = textbook(arrays, bins(run), lambda k: (arrays["C"] if k < 12 else turned, arrays["Q"]))
    np.testing.assert_allclose(decoded(run), expected, atol=1e-9)


@pytest.mark.parametrize("kind", ["kalman", "steady_state_kalman", "linear"])
def test_permuted_units_are_decoded_as_permuted_counts(kind):
    order = [3, 1, 0, 2, 4, 5, 11, 10, 9, 8, 7, 6]
    swap = perturbation("permutation", "readout", order=order)
    run = protocols.run(lasting(2.0, decoder={"kind": kind, "calibration": protocols.BRIEF}, perturbations=[swap]))
    arrays = run.session.decoder.arrays(run.states[0].parameters.decoder)
    expected = offline.decode(kind, arrays, bins(run)[:, order])
    np.testing.assert_allclose(decoded(run), expected[:, :2], atol=1e-9)
    assert np.abs(decoded(run) - offline.decode(kind, arrays, bins(run))[:, :2]).max() > 0.01


def test_a_random_permutation_permutes_its_units_only():
    swap = perturbation("permutation", "readout", among=[1, 2, 3, 4, 5, 6])
    run = protocols.run(lasting(0.1, perturbations=[swap]))
    order = run.states[0].perturbations[0].memory
    assert sorted(order) == list(range(12))
    assert [unit for unit in range(12) if order[unit] != unit]
    assert set(np.flatnonzero(order != np.arange(12))) <= {1, 2, 3, 4, 5, 6}


def test_permuted_factors_are_decoded_as_a_permuted_observation_model():
    factors = {"kind": "intrinsic_manifold", "calibration": {"reaches": 40, "reach_s": 0.5, "factors": 4}}
    order = [2, 0, 3, 1]
    swap = perturbation("permutation", "readout", of="factors", order=order)
    run = protocols.run(lasting(2.0, decoder=factors, perturbations=[swap]))
    a = run.session.decoder.arrays(run.states[0].parameters.decoder)
    # The filter takes factor order[i] for factor i. Its gain by plain iteration:
    P = np.zeros((2, 2))
    for _ in range(2000):
        prior = a["kf_A"] @ P @ a["kf_A"].T + a["kf_Q"]
        K = prior @ a["kf_C"].T @ np.linalg.inv(a["kf_C"] @ prior @ a["kf_C"].T + a["kf_R"])
        P = (np.eye(2) - K @ a["kf_C"]) @ prior
    L, psi = a["fa_loadings"], np.diag(a["fa_private_var"])
    beta = L.T @ np.linalg.inv(L @ L.T + psi)
    v, expected = np.zeros(2), []
    for y in bins(run):
        f = (beta @ ((y - a["count_mean"]) * a["count_scale"]) - a["factor_mean"]) * a["factor_scale"]
        ahead = a["kf_A"] @ v + a["kf_b"]
        v = ahead + K @ (f[order] - a["kf_C"] @ ahead - a["kf_d"])
        expected.append(v)
    np.testing.assert_allclose(decoded(run), expected, atol=1e-9)


def test_another_perturbation_of_the_same_name_replaces_it_at_once():
    at = {
        20: [perturb("rotation", "readout", angle_rad=0.5)],
        52: [protocols.UNPERTURB, perturb("rotation", "readout", angle_rad=1.4)],
    }
    run = protocols.run(lasting(2.0), at)
    arrays = run.session.decoder.arrays(run.states[0].parameters.decoder)

    def C_of(number):
        angle = 0.0 if number < 4 else 0.5 if number < 10 else 1.4
        return np.hstack([arrays["C"][:, :2] @ rotation_of(angle).T, arrays["C"][:, 2:]]), arrays["Q"]

    np.testing.assert_allclose(decoded(run), textbook(arrays, bins(run), C_of), atol=1e-9)


def test_a_perturbation_removed_and_added_again_within_a_bin_is_the_new_one():
    until = {"shape": "block", "start": {"tick": 0}, "stop": {"tick": 51}}
    first = perturbation("rotation", "readout", angle_rad=0.5, envelope=until)
    run = protocols.run(lasting(2.0, perturbations=[first]), {52: [perturb("rotation", "readout", angle_rad=1.4)]})
    arrays = run.session.decoder.arrays(run.states[0].parameters.decoder)

    def C_of(number):
        turn = rotation_of(0.5 if number < 10 else 1.4)
        return np.hstack([arrays["C"][:, :2] @ turn.T, arrays["C"][:, 2:]]), arrays["Q"]

    np.testing.assert_allclose(decoded(run), textbook(arrays, bins(run), C_of), atol=1e-9)


def test_a_ramped_readout_follows_its_envelope():
    ramp = {"shape": "ramp", "start": {"tick": 10}, "rise_s": 1.0}
    run = protocols.run(lasting(2.0, perturbations=[perturbation("rotation", "readout", angle_rad=0.8, envelope=ramp)]))
    arrays = run.session.decoder.arrays(run.states[0].parameters.decoder)

    def C_of(number):
        amount = min(1.0, max(0.0, (5 * number + 4 - 10) * 0.01))
        return np.hstack([arrays["C"][:, :2] @ rotation_of(0.8 * amount).T, arrays["C"][:, 2:]]), arrays["Q"]

    np.testing.assert_allclose(decoded(run), textbook(arrays, bins(run), C_of), atol=1e-9)


def test_readout_perturbations_carry_over_to_another_decoder():
    def factors(number):
        return {"kind": "intrinsic_manifold", "calibration": {"reaches": 40, "reach_s": 0.5, "factors": number}}

    session, state = protocols.begun(lasting(1.0, decoder=factors(5)))
    other = session.decoder.arrays(protocols.begun(lasting(1.0, decoder=factors(3)))[1].parameters.decoder)
    swap = perturb("permutation", "readout", of="factors")
    run = protocols.turned(session, state, {10: [swap], 50: [protocols.packed(other)]})
    order = run.states[-1].perturbations[0].memory
    assert sorted(order) == [0, 1, 2]
    expected = offline.decode("intrinsic_manifold", {**other, "permutation": order}, bins(run)[10:])
    np.testing.assert_allclose(decoded(run)[10:], expected, atol=1e-12)


# --- envelopes


def amounts(run):
    """How strongly a doubling of the cursor's movement was applied, tick by tick; NaN where nothing was decoded."""
    v, d = run.column("v")[:, 0], moved(run)[:, 0]
    return np.where(np.abs(v) > 1e-6, d / (0.01 * np.where(v == 0, 1, v)) - 1, np.nan)


def doubled(envelope, **fields):
    """A session of 3 days, 2 trials and 0.5 s each, under a gain of 2; (run, amounts)."""
    schedule = {"days": 3, "blocks": [{"trials": 2}, {"duration_s": 0.5}]}
    gain = perturbation("gain", "cursor", factor=2.0, envelope=envelope)
    run = protocols.run(
        centre_out(schedule=schedule, perturbations=[gain], effector={"kind": "cursor", "half_width_m": 2})
    )
    return run, amounts(run)


def found(run, what):
    """Ticks at which the perturbation turned on or off."""
    return [payload["k"] for payload in run.of("perturbation") if payload["x"] == what]


@pytest.mark.parametrize(
    ("trigger", "is_reached"),
    [
        ({"tick": 31}, lambda tick, run: tick["k"] >= 31),
        ({"trial": 2}, lambda tick, run: tick["r"] >= 2),
        ({"trial": 3}, lambda tick, run: tick["r"] >= 3),
        ({"day": 2}, lambda tick, run: tick["d"] >= 2),
        ({"day": 2, "trial": 2}, lambda tick, run: tick["r"] >= first_trial(run, 2) + 1),
        ({"day": 3, "trial": 1}, lambda tick, run: tick["r"] >= first_trial(run, 3)),
        ({"trial": 500}, lambda tick, run: False),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "then",
)
@pytest.mark.parametrize("shape", ["step", "block"])
def test_the_onset_is_at_the_trigger(trigger, is_reached, shape):
    stop = {"stop": {"tick": 10**6}} if shape == "block" else {}
    run, amount = doubled({"shape": shape, "start": trigger, **stop})
    expected = np.array([is_reached(tick, run) for tick in run.of("tick")], dtype=float)
    known = ~np.isnan(amount)
    np.testing.assert_allclose(amount[known], expected[known], atol=1e-6)
    assert found(run, "on") == ([int(np.argmax(expected))] if expected.any() else [])
    assert found(run, "off") == []


def first_trial(run, day):
    return next(trial["r"] for trial in run.of("trial") if trial["d"] == day)


def test_a_block_turns_on_and_off():
    run, amount = doubled({"shape": "block", "start": {"tick": 31}, "stop": {"day": 2, "trial": 1}})
    stop = first_trial(run, 2)
    expected = np.array([tick["k"] >= 31 and tick["r"] < stop for tick in run.of("tick")], dtype=float)
    known = ~np.isnan(amount)
    np.testing.assert_allclose(amount[known], expected[known], atol=1e-6)
    assert found(run, "on") == [int(np.argmax(expected))]
    assert found(run, "off") == [int(len(expected) - np.argmax(expected[::-1]))]


def test_a_ramp_rises_and_ends():
    ramp = {"shape": "ramp", "start": {"tick": 40}, "rise_s": 0.8, "stop": {"tick": 200}}
    _, amount = doubled(ramp)
    k = np.arange(len(amount))
    expected = np.where((k >= 40) & (k < 200), np.minimum((k - 40) / 80, 1), 0)
    known = ~np.isnan(amount)
    np.testing.assert_allclose(amount[known], expected[known], atol=1e-6)


def test_a_block_that_ends_before_it_begins_has_no_effect():
    run, amount = doubled({"shape": "block", "start": {"tick": 50}, "stop": {"day": 1}})
    assert not np.nan_to_num(amount).round(6).any()
    assert found(run, "on") == found(run, "off") == [50]


def test_inputs_add_and_remove_perturbations():
    at = {33: [perturb("gain", "cursor", factor=2.0)], 71: [protocols.UNPERTURB]}
    run = protocols.run(lasting(1.0, effector={"kind": "cursor", "half_width_m": 2}), at)
    amount = amounts(run)
    k = np.arange(100)
    known = ~np.isnan(amount)
    np.testing.assert_allclose(amount[known], ((k >= 33) & (k < 71))[known], atol=1e-6)
    events = [(payload["k"], payload["x"], payload["w"]) for payload in run.of("perturbation")]
    assert events == [(33, "added", "p"), (33, "on", "p"), (71, "removed", "p")]
    assert run.of("perturbation")[0]["f"]["factor"] == 2.0


def test_perturbations_of_one_site_apply_in_the_order_they_were_added():
    first = {**perturbation("gain", "cursor", factor=[2.0, 1.0]), "name": "stretch"}
    second = {**perturbation("rotation", "cursor", angle_rad=0.6), "name": "turn"}
    for order, matrix in (
        ([first, second], rotation_of(0.6) @ np.diag([2.0, 1.0])),
        ([second, first], np.diag([2.0, 1.0]) @ rotation_of(0.6)),
    ):
        run = protocols.run(outside(perturbations=order), wander())
        np.testing.assert_allclose(moved(run), 0.01 * run.column("v") @ matrix.T, atol=1e-14)


def test_a_ramp_of_a_permutation_is_refused():
    swap = perturbation("permutation", "readout", envelope={"shape": "ramp", "rise_s": 1.0})
    with pytest.raises(ProtocolError, match=r"perturbations\.0 \(p\): a permutation cannot be applied in part"):
        protocols.begun(lasting(1.0, perturbations=[swap]))


# --- what passes small changes on -------------------------------------------------------------------------------

NOW = TimeIndex(7, 1, 7, 0)
CURSOR = np.array([[0.013, -0.022, 0.05, 0.02]])
COMMAND = Command(np.array([[0.07, -0.03]]), None)
GOAL = np.array([[0.05, 0.03]])


def derivatives_of(*several, goal=GOAL):
    """Derivatives of perturbations in a session of 12 units, the rates they act on, and the active ones."""
    session, state = protocols.begun(
        lasting(1.0, perturbations=[{**p, "name": f"p{k}"} for k, p in enumerate(several)])
    )
    _, active = perturbing.switch(session, state, NOW, 1, [])
    rates = np.random.default_rng(1).uniform(1, 60, (1, 12))
    context = PerturbationContext(goal, 0.012, CURSOR)
    return perturbing.derivatives(active, rates, COMMAND, context, NOW), rates, active


def test_sites_without_perturbations_have_no_derivatives():
    assert derivatives_of()[0] == NO_DERIVATIVES
    found = derivatives_of(perturbation("rotation", "readout", angle_rad=0.5))[0]
    assert found == NO_DERIVATIVES  # the decoder's step is differentiated as perturbed
    assert derivatives_of(perturbation("gain", "feedback", factor=2.0))[0].command is None


def test_derivatives_at_the_cursor():
    found = derivatives_of(
        perturbation("gain", "cursor", factor=[2.0, 0.5]), perturbation("rotation", "cursor", angle_rad=0.6)
    )
    np.testing.assert_allclose(found[0].command, rotation_of(0.6) @ np.diag([2.0, 0.5]), atol=1e-10)
    np.testing.assert_allclose(found[0].command_by_cursor, np.zeros((2, 4)), atol=1e-10)


def test_derivatives_of_assistance():
    """(1 - w) v + w s d / |d| with d = goal - position: by the position -w s (I - d d' / |d|^2) / |d|."""
    weight, speed = 0.3, 0.1
    found = derivatives_of(perturbation("assist", "cursor", weight=weight, speed_m_s=speed))[0]
    way = GOAL[0] - CURSOR[0, :2]
    far = np.hypot(*way)
    across = np.eye(2) - np.outer(way, way) / far**2
    np.testing.assert_allclose(found.command, (1 - weight) * np.eye(2), atol=1e-10)
    np.testing.assert_allclose(found.command_by_cursor[:, :2], -weight * speed / far * across, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.command_by_cursor[:, 2:], 0, atol=1e-10)
    without = derivatives_of(perturbation("assist", "cursor", weight=weight), goal=None)[0]
    np.testing.assert_allclose(without.command, np.eye(2), atol=1e-10)


def test_derivatives_at_the_feedback():
    found = derivatives_of(
        perturbation("rotation", "feedback", angle_rad=-0.4), perturbation("gain", "feedback", factor=3.0)
    )
    expected = np.hstack([3.0 * rotation_of(-0.4), np.zeros((2, 2))])
    np.testing.assert_allclose(found[0].seen, expected, atol=1e-9)


def test_derivatives_of_rates():
    noise = perturbation("noise", "neural", sd_hz=30.0)
    found, rates, active = derivatives_of(
        perturbation("gain", "neural", factor=2.0, units=[1, 5]), perturbation("silence", "neural", units=[3]), noise
    )
    expected = np.ones(12)
    expected[[1, 5]], expected[3] = 2.0, 0.0
    fired = passed("neural", active, rates, NOW)[0]
    expected[fired[0] == 0] = 0.0  # silent because of the noise: a small change of rate has no effect
    # A unit silenced by its envelope fires at the noise alone.
    np.testing.assert_allclose(found.rates, expected[np.newaxis], atol=1e-6)
    assert (fired[0] == 0).sum() > 1


def test_the_derivative_of_a_delay_in_the_same_tick_is_zero():
    """A delayed command moves the effector in later ticks only."""
    session, state = protocols.begun(lasting(1.0, perturbations=[perturbation("delay", "cursor", delay_s=0.03)]))
    run = protocols.turned(session, state, ticks=5)
    _, active = perturbing.switch(session, run.states[-1], TimeIndex(5, 1, 5, 0), 1, [])
    found = perturbing.derivatives(active, np.ones((1, 12)), COMMAND, PerturbationContext(GOAL, 0.012, CURSOR), NOW)
    np.testing.assert_array_equal(found.command, np.zeros((2, 2)))
