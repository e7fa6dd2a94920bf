"""Learning in a session: gradients of trials, and the ticks in which parameters change."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.errors import ProtocolError
from decoderd.session.step import step
from tests import protocols
from tests.learners import FIELDS, NETWORK, learning, parts, plain_loss, same_parts
from tests.protocols import perturbation

T = 30  # ticks of a trial
# Directions along which a gradient is compared, a field; the size of central differences.
WAYS, SMALL = 3, 1e-5


def named(*several):
    return [{**one, "name": f"p{number}"} for number, one in enumerate(several)]


ROTATION = perturbation("rotation", "cursor", angle_rad=0.7)
SITES = {
    "nothing": [],
    "rotated": [ROTATION],
    "scaled": [perturbation("gain", "cursor", factor=[1.4, 0.6])],
    "assisted": [perturbation("assist", "cursor", weight=0.4)],
    "shown rotated": [perturbation("rotation", "feedback", angle_rad=-0.6)],
    "shown larger": [perturbation("gain", "feedback", factor=1.7)],
    "louder": [perturbation("gain", "neural", factor=1.5, units=[1, 4, 6])],
    "silenced": [perturbation("silence", "neural", units=[0, 5])],
    "noisy": [perturbation("noise", "neural", sd_hz=5.0)],
    "read rotated": [perturbation("rotation", "readout", angle_rad=0.5)],
    "all at once, some later": [
        ROTATION,
        perturbation("assist", "cursor", weight=0.3),
        perturbation("gain", "feedback", factor=1.3, envelope={"shape": "ramp", "rise_s": 0.5}),
        perturbation("noise", "neural", sd_hz=5.0),
        perturbation("gain", "neural", factor=0.7, envelope={"shape": "step", "start": {"tick": 2 * T - 17}}),
        perturbation("rotation", "readout", angle_rad=0.5, envelope={"shape": "ramp", "rise_s": 0.4}),
    ],
}


def collected_by(run, tick):
    """The gradient that the step of `tick` added to the collected one, by parameter."""
    before, after = (run.states[t].plasticity.collected for t in (tick, tick + 1))
    assert after.trials == before.trials + 1
    return {name: after.gradient[name] - (before.gradient[name] if before.trials else 0) for name in after.gradient}


def losses_near(run, first, last, name, way):
    """Losses of the ticks `first` .. `last`, computed again with `name` moved a little along `way` and back."""
    goal = np.array(run.of("tick")[last]["t"])
    for amount in (SMALL, -SMALL):
        state = run.states[first]
        population = state.parameters.population
        moved = population._replace(**{name: getattr(population, name) + amount * way})
        state = state._replace(parameters=state.parameters._replace(population=moved))
        ticks = []
        for _ in range(first, last + 1):
            state, messages = step(run.session, state)
            ticks.append(messages[0][1])
        begun = begin_of(run, first)
        cursors = np.array([begun, *(tick["c"] for tick in ticks)])
        yield plain_loss(cursors, np.array([tick["v"] for tick in ticks]), goal)


def begin_of(run, tick):
    """The cursor at the beginning of `tick`, after the start of a trial has been applied."""
    effector, plan = run.session.effector, run.session.effector_plan
    return effector.cursor(plan, run.states[tick + 1].trace[0].before)[0]


def check_gradient(run, first, last, share, names=FIELDS):
    """Check the collected gradient of the trial of these ticks against central differences of its loss."""
    found, draw = collected_by(run, last), np.random.default_rng(first)
    assert set(found) == set(names)
    for name in names:
        for _ in range(WAYS):
            way = draw.normal(size=found[name].shape)
            ahead, behind = losses_near(run, first, last, name, way)
            expected = share * (ahead - behind) / (2 * SMALL)
            assert (found[name] * way).sum() == pytest.approx(expected, rel=1e-6, abs=1e-9), name
        assert np.linalg.norm(found[name]) > 1e-3  # otherwise the comparison shows nothing


# --- the gradient of a session's trial --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SITES)
def test_the_collected_gradient_is_that_of_the_loss(kind):
    rule = {"trials_per_update": 3}
    run = protocols.run(learning(rule=rule, perturbations=named(*SITES[kind])), ticks=2 * T)
    for trial in range(2):
        check_gradient(run, trial * T, trial * T + T - 1, 1 / 3)


@pytest.mark.parametrize("bin_ticks", [3, 4])
@pytest.mark.parametrize("decoder", ["kalman", "steady_state_kalman", "linear"])
def test_the_gradient_with_bins_of_several_ticks(decoder, bin_ticks):
    """With bins of 4 ticks the second trial begins within a bin."""
    data = learning(bin_ticks=bin_ticks, rule={"trials_per_update": 3}, perturbations=named(ROTATION))
    run = protocols.run({**data, "decoder": {**data["decoder"], "kind": decoder}}, ticks=2 * T)
    for trial in range(2):
        check_gradient(run, trial * T, trial * T + T - 1, 1 / 3)


@pytest.mark.parametrize("effector", ["cursor", "point_mass"])
def test_the_gradient_through_a_decoder_of_position(effector):
    decoder = {"kind": "kalman", "state": "position_velocity", "calibration": {"reaches": 16}}
    run = protocols.run(learning(decoder=decoder, effector={"kind": effector}), ticks=T)
    check_gradient(run, 0, T - 1, 1 / 2)


def test_no_gradient_passes_through_lost_units():
    """Counts of lost units are 0, independent of the network."""
    session, state = protocols.begun(learning(readouts={"units": [6, 1, 3, 4]}))
    state = state._replace(parameters=state.parameters._replace(lost=np.array([0, 3])))
    check_gradient(protocols.turned(session, state, ticks=T), 0, T - 1, 1 / 2)


def test_the_gradient_passes_through_readouts_only():
    run = protocols.run(learning(readouts={"units": [6, 1, 3, 4]}), ticks=T)
    check_gradient(run, 0, T - 1, 1 / 2)


def test_the_gradient_of_centre_out_trials():
    """A centre-out trial ends in the tick after its last, and the network's state is not reset at its start."""
    task = {"kind": "centre_out", "targets": 4, "centre_radius_m": 0.03, "centre_hold_s": 0.05, "inter_trial_s": 0.05}
    run = protocols.run(learning(task={**task, "reach_timeout_s": 0.3}, rule={"trials_per_update": 3}), ticks=100)
    trial = run.of("trial")[0]
    first = next(tick["k"] for tick in run.of("tick") if tick["t"] is not None)
    last = trial["k"] - 1
    assert trial["x"] == "reach_timeout"
    assert last > trial["o"] > first
    gradient = {name: value.copy() for name, value in collected_by(run, trial["k"]).items()}
    draw = np.random.default_rng(0)
    for name in FIELDS:
        way = draw.normal(size=gradient[name].shape)
        ahead, behind = losses_near(run, first, last, name, way)
        expected = (ahead - behind) / (2 * SMALL) / 3
        assert (gradient[name] * way).sum() == pytest.approx(expected, rel=1e-5)


def test_the_message_has_the_mean_loss_of_the_trials():
    run = protocols.run(learning(trials=4))
    updates = run.of("plasticity")
    ticks = run.of("tick")
    for number, message in enumerate(updates):
        losses = []
        for trial in (2 * number, 2 * number + 1):
            these = ticks[trial * T : (trial + 1) * T]
            cursors = np.array([begin_of(run, trial * T), *(tick["c"] for tick in these)])
            losses.append(plain_loss(cursors, np.array([tick["v"] for tick in these]), np.array(these[0]["t"])))
        assert message["l"] == pytest.approx(np.mean(losses), rel=1e-12)
    assert len(updates) == 2


# --- when parameters change -------------------------------------------------------------------------------------


def changes(run):
    """Ticks that changed the population's parameters."""
    populations = [state.parameters.population for state in run.states]
    return [k for k in range(len(populations) - 1) if not same_parts(populations[k], populations[k + 1])]


@pytest.mark.parametrize("kind", ["reinforce", "backprop", "bias"])
def test_parameters_change_in_the_tick_of_the_message_and_in_no_other(kind):
    run = protocols.run(learning(kind, trials=6))
    updates = run.of("plasticity")
    assert [message["k"] for message in updates] == changes(run) == [2 * T - 1, 4 * T - 1, 6 * T - 1]
    assert [message["n"] for message in updates] == [1, 2, 3]
    for message in updates:
        before, after = (parts(run.states[message["k"] + k].parameters.population) for k in (0, 1))
        size = np.sqrt(sum(((after[name] - before[name]) ** 2).sum() for name in FIELDS))
        assert message["z"] == pytest.approx(size)
        assert size > 0


def test_the_rule_bias_changes_biases_only():
    run = protocols.run(learning("bias", trials=6))
    first, last = (run.states[k].parameters.population for k in (0, -1))
    assert same_parts(first, last, ("E", "c", "U", "W", "V"))
    assert (first.b != last.b).any()


@pytest.mark.parametrize("plastic", [["input"], ["recurrent", "bias"]])
def test_parameters_that_are_not_plastic_do_not_change(plastic):
    fields = {"input": "U", "recurrent": "W", "bias": "b"}
    run = protocols.run(learning("reinforce", trials=4, rule={"plastic": plastic}))
    first, last = (run.states[k].parameters.population for k in (0, -1))
    for part, field in fields.items():
        assert same_parts(first, last, (field,)) == (part not in plastic), part


def test_nothing_is_learned_in_blocks_without_plasticity():
    blocks = [{"name": "watch", "trials": 3, "plasticity": False}, {"name": "learn", "trials": 3}]
    run = protocols.run(learning(rule={"trials_per_update": 1}, schedule={"days": 1, "blocks": blocks}))
    assert changes(run) == [4 * T - 1, 5 * T - 1, 6 * T - 1]
    assert all(not state.trace for state in run.states[: 3 * T + 1])


def test_nothing_is_learned_from_a_trial_without_a_shown_target():
    at = {
        3: [{"op": "task", "event": "start", "target": [0.05, 0.0], "index": 2}],
        10: [{"op": "task", "event": "end"}],
        20: [{"op": "task", "event": "start", "target": [0.0, 0.05], "index": 1}],
        30: [{"op": "task", "event": "go"}],
        50: [{"op": "task", "event": "end"}],
    }
    schedule = {"days": 1, "blocks": [{"name": "only", "duration_s": 0.7}]}
    run = protocols.run(learning("reinforce", task={"kind": "external"}, schedule=schedule), at)
    collected = [state.plasticity.collected.trials for state in run.states]
    assert len(run.of("trial")) == 2  # of targets whose numbers the rule has no baselines for
    assert (collected[20], collected[50], collected[51]) == (0, 0, 1)
    assert not changes(run)


# --- days -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reinforce", "backprop"])
def test_the_rule_is_reset_every_day_and_its_first_updates_are_idle(kind):
    schedule = {"days": 2, "blocks": [{"name": "only", "trials": 7}]}
    run = protocols.run(learning(kind, schedule=schedule, rule={"idle_updates": 1}))
    updates = run.of("plasticity")
    assert [message["n"] for message in updates] == [1, 2, 3, 1, 2, 3]
    idle = [message["n"] == 1 for message in updates]
    assert [message["z"] == 0 for message in updates] == idle
    assert changes(run) == [message["k"] for message, none in zip(updates, idle, strict=True) if not none]
    last_day, next_day = run.states[7 * T - 1].plasticity, run.states[7 * T].plasticity
    assert last_day.moments.updates == 2
    assert any(array.any() for array in last_day.moments.v.values())
    assert next_day.moments.updates == next_day.collected.trials == next_day.collected.updates == 0
    for arrays in (next_day.moments.m, next_day.moments.v, next_day.collected.gradient):
        assert not any(array.any() for array in arrays.values())
    if kind == "reinforce":
        assert last_day.baseline.any()
        assert not next_day.baseline.any()


def test_learned_parameters_are_kept_overnight():
    schedule = {"days": 2, "blocks": [{"name": "only", "trials": 2}]}
    run = protocols.run(learning(schedule=schedule))
    last_day, next_day = (run.states[2 * T + k].parameters.population for k in (-1, 0))
    assert changes(run)[0] == 2 * T - 1
    assert same_parts(run.states[2 * T].parameters.population, run.states[2 * T + 1].parameters.population)
    assert not same_parts(last_day, next_day)  # the last tick of the day ends its second trial


# --- what cannot learn ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"population": {"kind": "tuned", "units": 8}, "pretraining": None}, "this population cannot learn"),
        ({"decoder": {"kind": "external"}}, "no gradient passes back through this decoder"),
    ],
)
def test_components_without_gradients_are_refused(fields, error):
    data = {key: value for key, value in learning(**fields).items() if value is not None}
    with pytest.raises(ProtocolError, match=error):
        protocols.begun(data)


def test_eligibility_learns_with_any_decoder():
    """Rules that learn from eligibility need no gradient of decoder and effector."""
    at = {5: [{"op": "kinematics", "velocity": [0.1, 0.0]}]}
    run = protocols.run(learning("reinforce", trials=2, decoder={"kind": "external"}), at)
    assert changes(run) == [2 * T - 1]


# --- single precision -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reinforce", "backprop"])
def test_learning_in_single_precision_equals_double_to_rounding(kind):
    """With the same individual and noise. The network stays in single precision."""
    single, double = (
        protocols.run(learning(kind, trials=8, population={**NETWORK, "precision": precision}))
        for precision in ("single", "double")
    )
    for name in FIELDS:
        before, after, exact = (
            getattr(state.parameters.population, name)
            for state in (double.states[0], single.states[-1], double.states[-1])
        )
        assert (after.dtype, exact.dtype) == (np.float32, np.float64)
        learned = np.linalg.norm(exact - before)
        assert learned > 0
        assert np.linalg.norm(after - exact) < 0.01 * learned
    assert {array.dtype for array in single.states[-1].population[:4]} == {np.dtype(np.float32)}
    for ours, exact in zip(single.of("plasticity"), double.of("plasticity"), strict=True):
        assert ours["l"] == pytest.approx(exact["l"], rel=1e-3)
    assert all(tick["counts"].dtype == np.float64 for tick in single.states[-1].bin.ticks)
