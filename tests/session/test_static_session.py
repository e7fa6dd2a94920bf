"""Sessions of the static network against experiments with the same network, update by update."""

import numpy as np
import pytest

from decoderd.analysis import manifolds
from decoderd.errors import ProtocolError
from decoderd.experiments.manifold import static_network as networks
from decoderd.experiments.manifold import training
from decoderd.experiments.manifold.static_network import Rates
from decoderd.populations.linear import equations
from tests import protocols
from tests.learners import FIELDS, NETWORK, OBJECTIVE, STATIC, TICK_S, learning, reaching, same_parts
from tests.protocols import packed, perturbation
from tests.static_network import SCALE, K, files

ORDER = [3, 1, 0, 9, 7, 2, 8, 5, 4, 6]


def permuted(V, order=ORDER):
    """The readout with unit order[i] in the place of unit i."""
    found = np.empty_like(V)
    found[..., order] = V
    return found


def within(network, order):
    """A readout within the manifold of three dimensions, and its coordinates permuted: V = D C[order]."""
    now = networks.moments(network)
    C = manifolds.principal(now.total[0], len(order))
    D = manifolds.decoder_within(C, network.V[0], now.second[0])
    return (D @ C[list(order)])[np.newaxis]


def losses(run):
    return np.array([update["l"] for update in run.of("plasticity")])


def end(run):
    return run.states[-1].parameters.population


# --- by the exact gradient --------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["in_turn", "shuffled"])
def test_exact_equals_the_experiment_under_three_decoders(tmp_path, order):
    """20 updates with its own readout, 30 with a permuted one, 30 with one within the manifold that is installed."""
    files_of, network = files(tmp_path)
    third = within(network, (1, 2, 0))
    outside = perturbation("permutation", "readout", order=ORDER)
    outside["envelope"] = {"shape": "block", "start": {"trial": 20 * K + 1}, "stop": {"trial": 50 * K + 1}}
    data = reaching(updates=80, perturbations=[outside], **files_of)
    data["task"] = {**data["task"], "order": order}
    run = protocols.run(data, {50 * K: [packed({"M2": SCALE * third[0]})]})
    found, expected, rates = losses(run), [], Rates(np.array([0.02]))
    for V, updates in ((network.V, 20), (permuted(network.V), 30), (third, 30)):
        course = training.train(network._replace(V=V), rates, updates)
        expected.extend(course.losses[0, :-1])
        network = course.end
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(end(run).W, network.W[0], rtol=0, atol=1e-9)
    assert found[20] > 10 * found[19]  # the permutation did something
    assert found[49] < 0.5 * found[20]  # and was learnt
    assert [update["n"] for update in run.of("plasticity")] == list(range(1, 81))


@pytest.mark.parametrize("alpha", [0.55, 1.0])
def test_exact_equals_the_experiment_at_the_published_size(tmp_path, alpha):
    """With the trained network of an experiment, and a random permutation of all units after 8 updates."""
    network = training.train(networks.draw((4,), alpha), Rates(np.array([1e-2])), 500).end
    np.savez(tmp_path / "individual.npz", W=network.W[0], U=network.U[0], b=network.b[0], V=network.V[0])
    np.savez(tmp_path / "decoder.npz", M2=SCALE * network.V[0])
    order = np.random.default_rng(3).permutation(100).tolist()
    outside = perturbation("permutation", "readout", order=order)
    outside["envelope"] = {"shape": "step", "start": {"trial": 8 * 6 + 1}}
    run = protocols.run(
        reaching(
            task={**reaching()["task"], "targets": 6},
            schedule={"days": 1, "blocks": [{"name": "only", "trials": 20 * 6}]},
            population={"kind": "linear", "file": str(tmp_path / "individual.npz")},
            decoder={"kind": "linear", "file": str(tmp_path / "decoder.npz")},
            plasticity={"kind": "exact"},
            perturbations=[outside],
        )
    )
    before = training.train(network, Rates(np.array([1e-3])), 8)
    after = training.train(before.end._replace(V=permuted(network.V, order)), Rates(np.array([1e-3])), 12)
    expected = np.concatenate([before.losses[0, :-1], after.losses[0, :-1]])
    np.testing.assert_allclose(losses(run), expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(end(run).W, after.end.W[0], rtol=0, atol=1e-9)


def test_inputs_and_biases_learn_as_in_the_experiment(tmp_path):
    files_of, network = files(tmp_path)
    data = reaching(updates=25, rule={"plastic": ["input", "recurrent", "bias"]}, **files_of)
    run = protocols.run(data)
    course = training.train(network, Rates(np.array([0.02]), 0.02, 0.02), 25)
    np.testing.assert_allclose(losses(run), course.losses[0, :-1], rtol=0, atol=1e-9)
    for name in ("W", "U", "b"):
        np.testing.assert_allclose(getattr(end(run), name), getattr(course.end, name)[0], rtol=0, atol=1e-9)


def test_parameters_that_are_not_plastic_keep_their_bits(tmp_path):
    files_of, _ = files(tmp_path)
    run = protocols.run(reaching(updates=3, **files_of))
    assert same_parts(end(run), run.states[0].parameters.population, ("U", "b", "V"))
    assert not same_parts(end(run), run.states[0].parameters.population, ("W",))


def test_units_that_are_lost_or_not_read_have_no_part_in_the_readout(tmp_path):
    """Six units of ten are read, and one of them is lost: the weights of the others are 0."""
    files_of, network = files(tmp_path)
    read, lost = [8, 0, 3, 5, 1, 6], 3
    np.savez(tmp_path / "decoder.npz", M2=SCALE * network.V[0][:, read])
    session, state = protocols.begun(reaching(updates=8, readouts={"units": read}, **files_of))
    state = state._replace(parameters=state.parameters._replace(lost=np.array([lost])))
    run = protocols.turned(session, state)
    V = np.zeros_like(network.V)
    V[..., read] = network.V[..., read]
    V[..., lost] = 0
    course = training.train(network._replace(V=V), Rates(np.array([0.02])), 8)
    np.testing.assert_allclose(losses(run), course.losses[0, :-1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("patterns", [None, {"dimensions": 8, "noise_dimensions": 3, "noise_var": 0.02}])
def test_the_expected_loss_does_not_depend_on_noise(tmp_path, patterns):
    """Reaches of four ticks, bins of two, a decoder with memory and a rotated cursor, with different noise."""
    population = STATIC if patterns is None else {**STATIC, "patterns": patterns}
    files_of, network = files(tmp_path, population)
    np.savez(tmp_path / "decoder.npz", M1=0.6 * np.eye(2), M2=0.4 * SCALE * network.V[0], m0=[0.02, -0.01])
    turned = perturbation("rotation", "cursor", angle_rad=0.5)
    by_noise = []
    for seed in (1, 2):
        data = reaching(updates=6, perturbations=[turned], bin_ticks=2, seed=seed, **files_of)
        data["task"] = {**data["task"], "reach_s": 4 * TICK_S, "order": "in_turn"}
        run = protocols.run(data)
        by_noise.append(losses(run))
    np.testing.assert_allclose(by_noise[0], by_noise[1], rtol=1e-9)
    assert by_noise[0][-1] < by_noise[0][0]
    assert not np.array_equal(run.states[1].population.xi, run.states[2].population.xi)


# --- from reaches as they happened ------------------------------------------------------------------------------


def noise_of(run, updates):
    """Private noise (updates, K, N) of the reach to each target in each update."""
    trials, found = run.of("trial"), np.full((updates, K, 10), np.nan)
    for number, trial in enumerate(trials):
        found[number // K, trial["g"]] = run.states[trial["k"] + 1].population.xi[0]
    return found


def test_batch_equals_the_experiment_with_the_same_noise(tmp_path):
    files_of, network = files(tmp_path)
    run = protocols.run(reaching("batch", updates=30, **files_of))
    noise = noise_of(run, 30).transpose(0, 2, 1)[:, np.newaxis]
    course = training.train(network, Rates(np.array([0.02])), 30, samples=lambda update: noise[update])
    np.testing.assert_allclose(end(run).W, course.end.W[0], rtol=0, atol=1e-9)
    first = network.V[0] @ equations.gain(network.W[0]) @ (network.U[0] + np.sqrt(1e-2) * noise[0, 0])
    assert losses(run)[0] == pytest.approx(0.5 * np.sum((first - network.targets) ** 2) / K, rel=1e-9)


def test_node_perturbation_equals_its_equations_written_out(tmp_path):
    files_of, network = files(tmp_path)
    keep, rate, updates = 0.8, 1e-4, 6
    run = protocols.run(
        reaching("node_perturbation", updates, {"learning_rate": rate, "baseline_keep": keep}, **files_of)
    )
    noise, W, baseline = noise_of(run, updates), network.W[0], np.full(K, np.nan)
    for update in range(updates):
        A, slope = np.linalg.inv(np.eye(10) - W), np.zeros((10, 10))
        for k in range(K):
            v = A @ (network.U[0][:, k] + 0.1 * noise[update, k])
            loss = 0.5 * np.sum((network.V[0] @ v - network.targets[:, k]) ** 2)
            if update == 0:
                baseline[k] = loss
            slope += (loss - baseline[k]) * (np.outer(noise[update, k], v) / 0.1 - A.T) / K
            baseline[k] = keep * baseline[k] + (1 - keep) * loss
        W = W - rate * slope
    np.testing.assert_allclose(end(run).W, W, rtol=0, atol=1e-9)
    assert run.of("plasticity")[0]["z"] == 0  # baselines only
    assert np.abs(W - network.W[0]).max() > 1e-5


def test_node_perturbation_learns_a_permutation(tmp_path):
    files_of, _ = files(tmp_path)
    outside = perturbation("permutation", "readout", order=ORDER)
    rule = {"learning_rate": 5e-4, "plastic": ["recurrent", "bias"]}
    run = protocols.run(reaching("node_perturbation", 400, rule, perturbations=[outside], **files_of))
    found = losses(run)
    assert found[-20:].mean() < 0.7 * found[:20].mean()


def test_a_recurrent_network_learns_by_gradient_descent():
    """The first step follows the gradient that `backprop` collects from the same two trials."""
    data = learning("backprop", trials=2, rule={"trials_per_update": 3})
    collected = protocols.run(data).states[-1].plasticity.collected
    assert collected.trials == 2
    objective = {**OBJECTIVE, "velocity_weight": 0.1, "axes": "sum"}
    plain = {"kind": "batch", "trials_per_update": 2, "learning_rate": 0.01, "objective": objective}
    run = protocols.run({**data, "plasticity": {**plain, "plastic": ["input", "recurrent", "bias"]}})
    for name in FIELDS:
        moved = getattr(end(run), name) - getattr(run.states[0].parameters.population, name)
        np.testing.assert_allclose(moved, -0.01 * 3 / 2 * collected.gradient[name], rtol=1e-7, atol=1e-14)


# --- stopping ---------------------------------------------------------------------------------------------------


def test_an_unstable_update_is_refused_and_learning_stops_for_the_day(tmp_path):
    files_of, network = files(tmp_path)
    outside = perturbation("permutation", "readout", order=ORDER)
    schedule = {"days": 2, "blocks": [{"name": "only", "trials": 40 * K}]}
    run = protocols.run(reaching(rule={"learning_rate": 0.5}, perturbations=[outside], schedule=schedule, **files_of))
    course = training.train(network._replace(V=permuted(network.V)), Rates(np.array([0.5])), 40)
    (stopped,) = course.stopped
    assert 0 < stopped < 40
    updates = run.of("plasticity")
    first = updates[: stopped + 1]
    np.testing.assert_allclose([one["l"] for one in first], course.losses[0, : stopped + 1], rtol=1e-9)
    assert all(not one["m"] and one["z"] > 0 for one in first[:-1])
    assert first[-1]["z"] == 0
    assert first[-1]["m"].startswith("the largest eigenvalue has size 1.")
    # On the second day the first update starts from the same weights, and is rejected for the same reason.
    assert [one["n"] for one in updates[stopped + 1 :]] == [1]
    assert updates[-1]["m"] == first[-1]["m"]
    assert run.states[-1].progress.done
    assert run.states[-1].plasticity is None
    np.testing.assert_allclose(end(run).W, course.end.W[0], rtol=1e-9)
    assert len(run.of("trial")) == 2 * 40 * K


# --- what does not fit ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "error", "field"),
    [
        (reaching(task={**reaching()["task"], "targets": 8}), "task.targets = 8: .* inputs for 5", "task.targets"),
        (reaching(rule={"trials_per_update": 6}), "task's 5 targets", "plasticity.trials_per_update"),
        (learning("exact", rule={"adam": ...}), "not known; use population.kind = 'linear'", "plasticity.kind"),
        (reaching(population={"kind": "tuned", "units": 10}), "use population.kind = 'rnn' or 'linear'", None),
        (reaching(rule={"objective": {"hold_s": 0.1}}), "objective.hold_s must be 0", None),
        (reaching(rule={"objective": {"velocity_weight": 0.1}}), "objective.velocity_weight must be 0", None),
        (reaching(pretraining={**learning()["pretraining"]}), "kind 'linear' cannot move an arm", "pretraining"),
    ],
)
def test_settings_that_do_not_fit_are_refused(data, error, field):
    rule = {name: value for name, value in data["plasticity"].items() if value is not ...}
    if data["population"] == NETWORK:
        rule = {"kind": "exact", "trials_per_update": 4}
        data = {**data, "effector": {"kind": "cursor"}}
    with pytest.raises(ProtocolError, match=error) as caught:
        protocols.begun({**data, "plasticity": rule})
    assert field is None or caught.value.field == field


def test_noise_on_signed_rates_has_both_signs(tmp_path):
    files_of, _ = files(tmp_path)
    noisy = perturbation("noise", "neural", sd_hz=20.0)
    plain, run = (protocols.run(reaching(perturbations=some, **files_of)) for some in ([], [noisy]))
    added = run.counts()[:5] - plain.counts()[:5]  # before anything is learnt
    assert (plain.counts() < 0).any()
    assert added.std() == pytest.approx(20.0 * TICK_S, rel=0.3)
    assert abs(added.mean()) < 0.3 * added.std()
