"""The static network as a population: individuals, activity, eligibility."""

import numpy as np
import pytest

from decoderd.analysis.stability import spectral_radius
from decoderd.errors import ArrayError, NumericalError, ProtocolError
from decoderd.experiments.manifold import static_network as networks
from decoderd.experiments.manifold import training
from decoderd.experiments.manifold.static_network import Network, Rates
from decoderd.populations.linear import equations, individual
from decoderd.populations.linear import population as linear
from decoderd.populations.linear.individual import LinearConfig
from decoderd.preparation.parameters import individual as prepared
from decoderd.protocol import protocol
from decoderd.rollout.rollout import TrialDraws
from decoderd.state import REACH, Cue, TimeIndex, Timing
from tests.learners import reaching

UNTRAINED = {"updates": 0}


def drawn(seed=1, **fields):
    return individual.load(LinearConfig(**fields), np.random.default_rng(seed), {})


def network(parameters, noise_var=1e-2):
    """The same individual as a batch of one, in the form of the experiments."""
    V, targets = parameters.V[np.newaxis], equations.targets(parameters.X.shape[1])
    return Network(parameters.W[np.newaxis], parameters.U[np.newaxis], parameters.b[np.newaxis], V, targets, noise_var)


# --- individuals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alpha", "radius"), [(0.55, 0.82), (1.0, 0.10)])
def test_individuals_are_drawn_as_published(alpha, radius):
    found = [drawn(seed, alpha=alpha, training=UNTRAINED) for seed in range(8)]
    assert np.mean([spectral_radius(one.W) for one in found]) == pytest.approx(radius, rel=0.1)
    assert np.std([one.W for one in found]) == pytest.approx(100**-alpha, rel=0.02)
    assert np.var([one.U for one in found]) == pytest.approx(1 / 3, rel=0.05)
    np.testing.assert_allclose([np.linalg.norm(one.V) for one in found], 0.2 * np.sqrt(8))
    assert not any(one.b.any() for one in found)


def test_training_is_that_of_the_experiment():
    before, after = drawn(3, training=UNTRAINED), drawn(3)
    course = training.train(network(before), Rates(np.array([1e-2])), 500)
    np.testing.assert_allclose(after.W, course.end.W[0], rtol=0, atol=1e-12)
    for name in ("U", "b", "V"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert networks.loss(network(after))[0] == pytest.approx(0.0068, abs=0.004)  # the published model's, lazy


def test_training_of_inputs_and_biases_is_that_of_the_experiment():
    how = {"updates": 200, "rate": 5e-3, "plastic": ("input", "recurrent", "bias")}
    before, after = drawn(3, units=20, training=UNTRAINED), drawn(3, units=20, training=how)
    course = training.train(network(before), Rates(np.array([5e-3]), 5e-3, 5e-3), 200)
    for name in ("W", "U", "b"):
        np.testing.assert_allclose(getattr(after, name), getattr(course.end, name)[0], rtol=0, atol=1e-12)


def test_connections_that_are_absent_stay_absent():
    before, after = drawn(2, sparsity=0.7, training=UNTRAINED), drawn(2, sparsity=0.7, training={"updates": 100})
    absent = before.W == 0
    assert absent.mean() == pytest.approx(0.7, abs=0.02)
    assert absent.diagonal().all()
    np.testing.assert_array_equal(after.W == 0, absent)
    assert (after.W != before.W)[~absent].all()
    assert before.W[~absent].std() == pytest.approx(100**-0.55 / np.sqrt(0.3), rel=0.03)
    assert networks.loss(network(after))[0] < 0.1 * networks.loss(network(before))[0]


def test_rank_is_that_of_the_weights_before_training():
    assert np.linalg.matrix_rank(drawn(rank=3, training=UNTRAINED).W) == 3


def test_patterns_are_orthogonal_with_noise_of_the_given_dimensions():
    many = {"dimensions": 40, "noise_dimensions": 7, "noise_var": 0.02}
    found = drawn(patterns=many, training={"updates": 100, "rate": 5e-3, "plastic": ("input", "recurrent")})
    np.testing.assert_allclose(found.X.T @ found.X, np.eye(6), atol=1e-12)
    for B in found.B:
        assert np.linalg.matrix_rank(B @ B.T) == 7
        assert np.trace(B @ B.T) / 40 == pytest.approx(0.02, rel=0.5)
    assert found.U.shape == (100, 40)


def test_an_individual_is_read_from_a_file(tmp_path):
    saved = drawn(4, units=10, targets=5, sparsity=0.3, training={"updates": 20})
    np.savez(tmp_path / "all.npz", **saved._asdict())
    np.savez(tmp_path / "few.npz", W=saved.W, U=saved.U, b=saved.b, V=saved.V)
    for name, mask in (("all", saved.mask), ("few", np.ones((10, 10)))):
        population = {"kind": "linear", "units": 10, "targets": 5, "file": str(tmp_path / f"{name}.npz")}
        read = prepared(protocol.parse(reaching(population=population)))
        for field, value in saved._replace(mask=mask)._asdict().items():
            np.testing.assert_array_equal(getattr(read, field), value, err_msg=field)


def test_unstable_networks_are_refused():
    given = drawn(1, units=10, training=UNTRAINED)._asdict()
    with pytest.raises(NumericalError, match=r"W: the largest eigenvalue has size 1\.2.* below 1") as caught:
        individual.load(LinearConfig(units=10), np.random.default_rng(1), {**given, "W": 1.2 * np.eye(10)})
    assert caught.value.field == "W"
    with pytest.raises(NumericalError, match=r"in training, after \d+ updates at rate 1: .* lower training.rate"):
        drawn(1, training={"updates": 200, "rate": 1.0})
    data = reaching(population={"kind": "linear", "units": 100, "targets": 5, "alpha": 0.3})
    with pytest.raises(ProtocolError, match=r"population: seed 5: W: as drawn: the largest eigenvalue .* larger alpha"):
        prepared(protocol.parse(data))


def test_arrays_that_do_not_fit_the_targets_are_refused():
    given = drawn(1, units=10, targets=5, training=UNTRAINED)._asdict()
    with pytest.raises(ArrayError, match="X: has shape"):
        individual.load(LinearConfig(units=10, targets=6), np.random.default_rng(1), given)
    del given["X"], given["B"]
    with pytest.raises(ArrayError, match=r"U: has shape \(10, 5\), expected 10 x 6"):
        individual.load(LinearConfig(units=10, targets=6), np.random.default_rng(1), given)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"noise_var": -0.1}, r"population.noise_var = -0.1: must be at least 0"),
        ({"rank": 11}, "rank = 11: at most units = 10"),
        ({"rank": 2, "sparsity": 0.5}, "give one of them"),
        ({"sparsity": 1.0}, r"population.sparsity = 1.0: must be less than 1"),
        ({"alpha": -1.0}, "population.alpha = -1.0: must be at least 0"),
        ({"patterns": {"dimensions": 4, "noise_dimensions": 2}}, r"patterns.dimensions = 4: at least targets = 5"),
        ({"patterns": {"dimensions": 8, "noise_dimensions": 9}}, "noise_dimensions = 9: at most dimensions = 8"),
        ({"training": {"rate": 0.0}}, r"population.training.rate = 0.0: must be greater than 0"),
    ],
)
def test_invalid_settings_are_refused(fields, error):
    with pytest.raises(ProtocolError, match=error):
        protocol.parse(reaching(population={"kind": "linear", "units": 10, "targets": 5, **fields}))


# --- activity ---------------------------------------------------------------------------------------------------


def test_the_input_is_the_target_nearest_in_direction_to_the_goal():
    angles = np.array([0.0, 0.4, 0.6, np.pi, -0.4, -np.pi / 3])
    goal = 0.05 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    np.testing.assert_array_equal(linear.direction(goal, 6, (6,)).argmax(axis=1), [0, 0, 1, 3, 0, 5])
    np.testing.assert_array_equal(linear.direction(goal, 6, (6,)).sum(axis=1), 1)
    assert not linear.direction(np.zeros((1, 2)), 6, (1,)).any()
    assert not linear.direction(None, 6, (1,)).any()


def test_activity_has_mean_and_covariance_of_the_model():
    parameters, many = drawn(5, units=8, targets=5, noise_var=0.02, training={"updates": 50}), 20_000
    config = LinearConfig(units=8, targets=5, noise_var=0.02)
    plan = linear.plan(config, Timing(0.1, 1))
    noise = {"noise": np.random.default_rng(8).normal(size=(1, many, 8))}
    goal = np.repeat(0.07 * equations.targets(5).T[3:4], many, axis=0)
    seen = np.zeros((many, 4))
    state = linear.init(plan, parameters, seen)
    cue = Cue(goal, 0.01, REACH, 3, 1, None, ())
    draws = TrialDraws(noise, 0)
    state, rates, intent = linear.rates(plan, parameters, state, cue, seen, TimeIndex(0, 1, 0, 0), draws)
    state, spikes = linear.spikes(plan, parameters, state, rates, draws)
    counts = spikes["counts"]
    moments = networks.moments(network(parameters, 0.02))
    np.testing.assert_allclose(counts, state.v, rtol=1e-12)
    np.testing.assert_allclose(counts.mean(axis=0), moments.means[0, :, 3], atol=0.01)
    np.testing.assert_allclose(np.cov(counts.T), moments.private[0], atol=0.004)
    np.testing.assert_allclose(intent * 0.1, 0.07 * counts @ parameters.V.T, rtol=1e-9, atol=1e-12)


def test_eligibility_by_reward_is_the_gradient_on_average():
    """Over many reaches, loss less a baseline times eligibility averages to the exact gradient."""
    config = LinearConfig(units=4, targets=3, noise_var=0.02)
    parameters, many = drawn(6, units=4, targets=3, alpha=1.0, training=UNTRAINED), 150_000
    plan, draw, k = linear.plan(config, Timing(0.1, 1)), np.random.default_rng(7), 2
    xi, shown = draw.normal(size=(many, 4)), np.repeat(np.eye(3)[k : k + 1], many, axis=0)
    drive = parameters.b + parameters.U[:, k] + np.sqrt(0.02) * xi
    v = np.linalg.solve(np.eye(4) - parameters.W, drive.T).T
    state = linear.State(v, xi, shown, shown)
    losses = 0.5 * np.sum((v @ parameters.V.T - equations.targets(3)[:, k]) ** 2, axis=1)
    baseline, fields = losses.mean() + 0.1, ("U", "W", "b")  # a wrong baseline makes it noisier and no more
    found = linear.eligibility(plan, parameters, linear.trace([state]), (losses - baseline) / many, fields)
    one = networks.gradients(network(parameters, 0.02)._replace(targets=equations.targets(3)))
    Z, A = parameters.V @ equations.gain(parameters.W), equations.gain(parameters.W)
    left = Z @ (parameters.b + parameters.U[:, k]) - equations.targets(3)[:, k]
    exact = {
        "W": Z.T @ (0.02 * Z @ A.T + np.outer(left, A @ (parameters.b + parameters.U[:, k]))),
        "U": np.outer(Z.T @ left, np.eye(3)[k]),
        "b": Z.T @ left,
    }
    for name, expected in exact.items():
        np.testing.assert_allclose(found[name], expected, atol=0.03 * np.abs(expected).max(), err_msg=name)
    np.testing.assert_allclose(exact["U"][:, k] / 3, one.U[0, :, k], rtol=1e-10)  # the plain formula is the package's


def test_without_noise_there_is_nothing_to_go_by():
    config = LinearConfig(units=4, targets=3, noise_var=0.0)
    parameters = individual.load(config, np.random.default_rng(1), {})
    state = linear.State(np.ones((1, 4)), np.ones((1, 4)), np.eye(3)[:1], np.eye(3)[:1])
    found = linear.eligibility(
        linear.plan(config, Timing(0.1, 1)), parameters, linear.trace([state]), np.ones(1), ("W", "b")
    )
    assert not any(value.any() for value in found.values())
