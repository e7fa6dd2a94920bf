"""Every kind that decoderd brings passes the contract of its family."""

import ast
from pathlib import Path

import numpy as np
import pytest

from decoderd import registry
from decoderd.conformance import (
    DecoderContract,
    EffectorContract,
    PerturbationContract,
    PlasticityContract,
    PopulationContract,
    TaskContract,
    UpdaterContract,
)
from decoderd.decoders.intrinsic_manifold import INTRINSIC_MANIFOLD
from decoderd.perturbations import SessionInfo
from decoderd.wire.inputs import TaskEvent


def builtin(family, kind):
    return registry.find(family, kind)


# --- decoders ---------------------------------------------------------------------------------------------------


def kalman_arrays():
    """A position-velocity filter with a constant, 6 units."""
    draw = np.random.default_rng(11)
    A = np.eye(5)
    A[0, 2] = A[1, 3] = 0.05
    A[2, 2] = A[3, 3] = 0.9
    mixing = draw.normal(size=(6, 6))
    return {
        "A": A,
        "W": np.diag([0, 0, 4e-4, 4e-4, 0]),
        "C": np.column_stack([draw.normal(0, 5, (6, 2)), draw.normal(0, 20, (6, 2)), draw.uniform(1, 5, 6)]),
        "Q": mixing @ mixing.T + 2 * np.eye(6),
        "x0": np.array([0.01, -0.02, 0.0, 0.1, 1.0]),
        "P0": np.diag([1e-4, 1e-4, 1e-3, 1e-3, 0]),
    }


def manifold_arrays():
    """An intrinsic-manifold decoder: 7 units, 3 factors, a permutation."""
    draw = np.random.default_rng(12)
    mixing = draw.normal(size=(3, 3))
    return {
        "count_mean": draw.uniform(1, 5, 7),
        "count_scale": draw.uniform(0.3, 1, 7),
        "fa_loadings": draw.normal(0, 0.6, (7, 3)),
        "fa_private_var": draw.uniform(0.3, 0.9, 7),
        "factor_mean": draw.normal(0, 0.1, 3),
        "factor_scale": draw.uniform(0.8, 1.5, 3),
        "permutation": np.array([2, 0, 1]),
        "kf_A": np.array([[0.9, 0.02], [-0.01, 0.88]]),
        "kf_b": np.array([0.001, -0.002]),
        "kf_Q": 4e-4 * np.eye(2),
        "kf_C": draw.normal(0, 10, (3, 2)),
        "kf_d": draw.normal(0, 0.1, 3),
        "kf_R": mixing @ mixing.T + np.eye(3),
    }


class TestKalman(DecoderContract):
    component = builtin("decoders", "kalman")
    optional = ("x0", "P0")

    def example(self):
        return kalman_arrays()


class TestVelocityKalman(TestKalman):
    """Knows nothing of positions."""

    def example(self):
        given, v = kalman_arrays(), slice(2, 5)
        return {
            **{name: given[name][v, v] for name in ("A", "W", "P0")},
            **{"C": given["C"][:, v], "Q": given["Q"], "x0": given["x0"][v]},
        }


class TestSteadyStateKalman(TestKalman):
    component = builtin("decoders", "steady_state_kalman")


class TestVelocitySteadyStateKalman(TestVelocityKalman):
    component = builtin("decoders", "steady_state_kalman")


class TestPointProcess(DecoderContract):
    component = builtin("decoders", "point_process")
    optional = ("x0", "P0", "bernoulli")

    def example(self):
        given, draw = kalman_arrays(), np.random.default_rng(17)
        movement = [draw.normal(0, 1, (6, 2)), draw.normal(0, 4, (6, 2))]
        beta = np.column_stack([*movement, draw.uniform(0, 1, 6)])
        return {**{name: given[name] for name in ("A", "W", "x0", "P0")}, "beta": beta, "bernoulli": np.zeros(1)}


class TestVelocityPointProcess(TestPointProcess):
    """Knows nothing of positions."""

    def example(self):
        given, v = super().example(), slice(2, 5)
        kept = {"beta": given["beta"][:, v], "x0": given["x0"][v], "bernoulli": given["bernoulli"]}
        return {**{name: given[name][v, v] for name in ("A", "W", "P0")}, **kept}


class TestBernoulliPointProcess(TestVelocityPointProcess):
    """Observes whether a unit fired, so bins in which it hardly ever does so, not with 3 spikes a bin as here."""

    def example(self):
        return {**super().example(), "bernoulli": np.ones(1)}

    def counts(self, parameters, batch, bins=12):
        return np.minimum(super().counts(parameters, batch, bins) // 3, 1.0)


class TestIntrinsicManifold(DecoderContract):
    component = builtin("decoders", "intrinsic_manifold")
    optional = ("factor_mean", "permutation")

    def example(self):
        return manifold_arrays()


class TestLinear(DecoderContract):
    component = builtin("decoders", "linear")
    optional = ("M1", "m0", "count_mean")

    def example(self):
        draw = np.random.default_rng(13)
        return {
            "M1": np.array([[0.7, 0.1], [0.0, 0.6]]),
            "M2": draw.normal(0, 0.02, (2, 9)),
            "m0": np.array([0.01, 0.02]),
            "count_mean": draw.uniform(1, 4, 9),
        }


class TestMemorylessLinear(TestLinear):
    """The only one that an updater can change."""

    def example(self):
        return {**super().example(), "M1": np.zeros((2, 2))}


class TestExternalDecoder(DecoderContract):
    component = builtin("decoders", "external")


# --- populations ------------------------------------------------------------------------------------------------


class TestTuned(PopulationContract):
    component = builtin("populations", "tuned")

    def config(self):
        return self.component.Config(units=12, drift={"preferred_rad": 0.1, "baseline": 0.1})


class TestRefractory(PopulationContract):
    component = builtin("populations", "refractory")


class TestRegularRefractory(PopulationContract):
    component = builtin("populations", "refractory")

    def config(self):
        return self.component.Config(units=12, refractory_s=0.004, regularity=3.0)


class TestBursting(PopulationContract):
    component = builtin("populations", "bursting")

    def config(self):
        return self.component.Config(units=12, feedback="tuning", drift={"preferred_rad": 0.1, "baseline": 0.1})


class TestBurstingByChance(PopulationContract):
    component = builtin("populations", "bursting")

    def config(self):
        return self.component.Config(units=12, feedback="decoder", refractory_s=0.002, chance_bursts=True)


class TestBurstingWithLearntFeedback(PopulationContract):
    component = builtin("populations", "bursting")

    def config(self):
        return self.component.Config(units=12, feedback="learnt", feedback_memory_s=20.0)


class TestBurstingWithFeedbackOfAFile(PopulationContract):
    component = builtin("populations", "bursting")

    def config(self):
        return self.component.Config(units=9, feedback="file", file=Path("decoder.npz"))

    def example(self):
        return {"M2": np.random.default_rng(15).normal(0, 0.02, (2, 9))}


class TestBurstLayer(PopulationContract):
    component = builtin("populations", "burst_layer")

    def config(self):
        return self.component.Config(units=12, feedback="tuning", baseline_hz=(0.0, 8.0))


class TestBurstLayerWithFeedbackOfAFile(PopulationContract):
    component = builtin("populations", "burst_layer")

    def config(self):
        return self.component.Config(units=9, inputs=8, feedback="file", file=Path("decoder.npz"))

    def example(self):
        return {"K": np.random.default_rng(15).normal(0, 1.0, (9, 2))}


class TestTwoCompartment(PopulationContract):
    component = builtin("populations", "two_compartment")

    def config(self):
        drift = {"preferred_rad": 0.1, "baseline": 0.1}
        return self.component.Config(units=7, feedback="tuning", drift=drift, substep_s=0.0005)


class TestManifold(PopulationContract):
    component = builtin("populations", "manifold")

    def config(self):
        return self.component.Config(file=Path("individual.npz"))

    def example(self):
        draw = np.random.default_rng(14)
        return {
            "baseline": draw.uniform(1, 3, 8),
            "loadings": draw.normal(0, 0.5, (8, 3)),
            "resting": draw.normal(0, 0.2, 3),
            "tuning": draw.normal(0, 1, (4, 3)),
            "shared": np.tril(draw.normal(0, 0.5, (3, 3))),
            "private": draw.uniform(0, 0.3, 8),
            "bin_s": np.array(0.05),
        }


class TestReplay(PopulationContract):
    component = builtin("populations", "replay")

    def config(self):
        return self.component.Config(file=Path("recording.npz"))

    def example(self):
        return {"counts": np.random.default_rng(15).poisson(2.0, (3, 6))}


class TestRecurrent(PopulationContract):
    component = builtin("populations", "rnn")

    def config(self):
        return self.component.Config(units=7, encoder_units=5, feedback_delay_s=0.03, hold_cue=True)


class TestRecurrentOfAFile(TestRecurrent):
    def example(self):
        return self.component.load(self.config(), np.random.default_rng(16), {})._asdict()


class TestRecurrentWithSpikes(PopulationContract):
    component = builtin("populations", "rnn")

    def config(self):
        return self.component.Config(units=7, encoder_units=5, feedback_delay_s=0, poisson=True)


class TestLinearPopulation(PopulationContract):
    component = builtin("populations", "linear")
    last_tick_counts = True

    def config(self):
        return self.component.Config(units=9, targets=5, noise_var=0.02, training={"updates": 20})


class TestLinearPopulationOfAFile(TestLinearPopulation):
    def example(self):
        return (
            self.component.load(self.config(), np.random.default_rng(16), {})._replace(B=np.ones((5, 5, 1)))._asdict()
        )


class TestSparseLinearPopulation(TestLinearPopulation):
    def config(self):
        return super().config().model_copy(update={"sparsity": 0.6})

    def free(self, name, parameters):
        return parameters.mask if name == "W" else super().free(name, parameters)


class TestLinearPopulationWithPatterns(TestLinearPopulation):
    def config(self):
        patterns = {"dimensions": 8, "noise_dimensions": 3, "noise_var": 0.05}
        training = {"updates": 20, "plastic": ("input", "recurrent")}
        return self.component.Config(units=9, targets=5, rank=3, patterns=patterns, training=training)


# --- plasticity -------------------------------------------------------------------------------------------------


class TestNoPlasticity(PlasticityContract):
    component = builtin("plasticity", "none")


class TestReinforce(PlasticityContract):
    component = builtin("plasticity", "reinforce")


class TestBackprop(PlasticityContract):
    component = builtin("plasticity", "backprop")


class TestBackpropOfSomeParameters(PlasticityContract):
    component = builtin("plasticity", "backprop")

    def config(self):
        return self.component.Config(plastic=("recurrent", "bias"))


class TestBias(PlasticityContract):
    component = builtin("plasticity", "bias")


class TestExact(PlasticityContract):
    component = builtin("plasticity", "exact")


class TestBatch(PlasticityContract):
    component = builtin("plasticity", "batch")

    def config(self):
        return self.component.Config(plastic=("input", "recurrent", "bias"))


class TestNodePerturbation(PlasticityContract):
    component = builtin("plasticity", "node_perturbation")


class TestFeedforwardWithFeedbackOfAFile(PopulationContract):
    component = builtin("populations", "feedforward")

    def config(self):
        return self.component.Config(units=9, hidden_units=4, feedback="file", file=Path("decoder.npz"))

    def example(self):
        return {"K": np.random.default_rng(15).normal(0, 1.0, (9, 2))}


class TestBurstDependent(PlasticityContract):
    component = builtin("plasticity", "burst_dependent")

    def config(self):
        return self.component.Config(burn_in_s=0.0)


class TestBurstDependentOnline(PlasticityContract):
    component = builtin("plasticity", "burst_dependent")

    def config(self):
        return self.component.Config(burn_in_s=0.02, applied="online", e_min_hz=2.0, e_max_hz=5.0)


# --- tasks ------------------------------------------------------------------------------------------------------


class TestCentreOut(TaskContract):
    component = builtin("tasks", "centre_out")


class TestCentreOutRecentred(TaskContract):
    component = builtin("tasks", "centre_out")

    def config(self):
        return self.component.Config(recentre=True, targets=4, centre_hold_s=0)


class TestWithoutWaiting(TaskContract):
    """No time between trials and no holds: everything happens within a tick."""

    component = builtin("tasks", "centre_out")

    def config(self):
        return self.component.Config(inter_trial_s=0, centre_hold_s=0, target_hold_s=0)


class TestRandomTargets(TaskContract):
    component = builtin("tasks", "random_targets")


class TestTimedReach(TaskContract):
    component = builtin("tasks", "timed_reach")


class TestTimedReachWithRests(TaskContract):
    component = builtin("tasks", "timed_reach")

    def config(self):
        return self.component.Config(
            reach_s=0.4, hold_s=0.1, inter_trial_s=0.13, order="shuffled", targets=5, start_jitter_m=0.03
        )


class TestExternalTask(TaskContract):
    component = builtin("tasks", "external")

    def events(self, tick):
        target = {"event": "start"}, {"event": "go", "target": (0.05, 0.0), "index": 3}, {"event": "end"}
        return [TaskEvent.model_validate(event) for k, event in enumerate(target) if tick % 100 == 30 * k]


# --- effectors --------------------------------------------------------------------------------------------------


class TestCursor(EffectorContract):
    component = builtin("effectors", "cursor")


class TestPointMass(EffectorContract):
    component = builtin("effectors", "point_mass")

    def config(self):
        return self.component.Config(friction_n_s_m=0.5)


class TestTwoLinkArm(EffectorContract):
    component = builtin("effectors", "two_link_arm")

    def way(self, velocity):
        """The hand's acceleration by torques, at rest in the centre: upper arm at angle b, elbow at a right angle."""
        b, elbow = np.arctan2(0.12, 0.16), np.pi / 2
        jacobian = np.array(
            [
                [-0.12 * np.sin(b) - 0.16 * np.sin(b + elbow), -0.16 * np.sin(b + elbow)],
                [0.12 * np.cos(b) + 0.16 * np.cos(b + elbow), 0.16 * np.cos(b + elbow)],
            ]
        )
        inertia = np.array([[0.0018 + 0.0012 + 0.2 * 0.12**2, 0.0012], [0.0012, 0.0012]])
        return velocity @ np.linalg.inv(inertia).T @ jacobian.T


# --- updaters ---------------------------------------------------------------------------------------------------


class TestNoUpdater(UpdaterContract):
    component = builtin("updaters", "none")


class TestSmoothBatch(UpdaterContract):
    component = builtin("updaters", "smooth_batch")

    def config(self):
        return self.component.Config(batch_s=20.0, half_life_s=40.0)


class TestRecursiveML(UpdaterContract):
    component = builtin("updaters", "recursive_ml")


class TestPointProcessML(UpdaterContract):
    component = builtin("updaters", "point_process_ml")


class TestRefit(UpdaterContract):
    component = builtin("updaters", "refit")

    def config(self):
        return self.component.Config(batch_s=20.0)


class TestDaily(UpdaterContract):
    component = builtin("updaters", "daily")


class TestDailyFromDistance(UpdaterContract):
    component = builtin("updaters", "daily")

    def config(self):
        return self.component.Config(approach_s=0.3, intensity=1.0)


# --- perturbations ----------------------------------------------------------------------------------------------


class Examples(PerturbationContract):
    """Examples as plain fields."""

    fields: tuple[dict, ...] = ()

    def examples(self):
        return [self.component.Config(name=f"p{k}", **given) for k, given in enumerate(self.fields)]


class TestRotation(Examples):
    component = builtin("perturbations", "rotation")
    fields = tuple({"site": site, "angle_rad": 0.5} for site in ("cursor", "feedback", "readout"))


class TestGain(Examples):
    component = builtin("perturbations", "gain")
    fields = (
        {"site": "cursor", "factor": (1.5, -0.5)},
        {"site": "feedback", "factor": 2.0},
        {"site": "neural", "factor": 0.5},
    )


class TestDelay(Examples):
    component = builtin("perturbations", "delay")
    fields = ({"site": "cursor", "delay_s": 0.05}, {"site": "feedback", "delay_s": 0.05})


class TestAssist(Examples):
    component = builtin("perturbations", "assist")
    fields = ({"weight": 0.7},)


class TestPermutation(Examples):
    component = builtin("perturbations", "permutation")
    fields = ({},)


class TestPermutationOfFactors(Examples):
    component = builtin("perturbations", "permutation")
    fields = ({"of": "factors", "order": (1, 2, 0)},)

    def host(self):
        arrays = {name: array[:6] if len(array) == 7 else array for name, array in manifold_arrays().items()}
        return SessionInfo(6, 6, True, INTRINSIC_MANIFOLD, INTRINSIC_MANIFOLD.load(arrays), super().host().timing, 1)


class TestSilence(Examples):
    component = builtin("perturbations", "silence")
    fields = ({"units": (1, 4)},)


class TestNoise(Examples):
    component = builtin("perturbations", "noise")
    fields = ({"sd_hz": 10.0},)


# --- completeness -----------------------------------------------------------------------------------------------


CONTRACTS = {
    "tasks": TaskContract,
    "effectors": EffectorContract,
    "populations": PopulationContract,
    "plasticity": PlasticityContract,
    "decoders": DecoderContract,
    "updaters": UpdaterContract,
    "perturbations": PerturbationContract,
}


def has_contract_in_its_tests(family, component):
    """Whether the test file of the component's module has a class that inherits the contract of the family."""
    *folders, module = component.Config.__module__.split(".")[1:]
    path = Path(__file__).parents[1].joinpath(*folders, f"test_{module}.py")
    if not path.exists():
        return False
    classes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
    return any(ast.unparse(base) == CONTRACTS[family].__name__ for node in classes for base in node.bases)


@pytest.mark.parametrize("family", registry.FAMILIES)
def test_every_kind_has_its_contract_run(family):
    """Here, or in the test file of its module. A plug-in has tests of its own."""
    here = [
        found.component
        for found in globals().values()
        if getattr(found, "family", None) == family and hasattr(found, "component")
    ]
    for kind, component in registry.family(family).items():
        if component.Config.__module__.startswith("decoderd."):
            found = any(component is one for one in here) or has_contract_in_its_tests(family, component)
            assert found, f"no contract is run for {family}: {kind}"
