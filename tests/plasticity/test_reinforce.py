import numpy as np
import pytest

from decoderd.plasticity import TrialBatch, adam, reinforce
from decoderd.plasticity.reinforce import ReinforceConfig

FEW = {"trials_per_update": 2, "adam": adam.Adam(rate=0.01)}


def trial_batch(losses, targets, eligibility):
    """Trials whose eligibilities are given, (B, n)."""
    return TrialBatch(np.array(losses), np.array(targets), lambda amounts: {"b": amounts @ np.array(eligibility)})


def test_the_gradient_is_eligibility_times_reward_above_the_baseline():
    config = ReinforceConfig(trials_per_update=4)  # more than there are: nothing is applied
    values = {"b": np.zeros(2)}
    state = reinforce.init(config, values, 2, ())
    state, values = reinforce.learn(config, state, values, trial_batch([4.0, 6.0], [0, 1], [[1.0, 0.0], [0.0, 1.0]]))
    np.testing.assert_allclose(state.baseline[:2], [-0.7 * 4, -0.7 * 6])
    np.testing.assert_allclose(state.collected.gradient["b"], [4.0, 6.0])  # down the loss: rewards were -4 and -6
    state, values = reinforce.learn(config, state, values, trial_batch([2.0], [0], [[1.0, 1.0]]))
    advantage = -2.0 - (-2.8)
    np.testing.assert_allclose(state.collected.gradient["b"], [4.0 - advantage, 6.0 - advantage])
    np.testing.assert_allclose(state.baseline[0], 0.3 * -2.8 + 0.7 * -2.0)
    np.testing.assert_array_equal(values["b"], 0.0)


def test_trials_one_by_one_and_together_are_the_same():
    config = ReinforceConfig(**FEW)
    values = {"b": np.zeros(2)}
    eligibility = [[1.0, -2.0], [0.5, 3.0]]
    together = reinforce.init(config, values, 2, ()), values
    single = together
    for losses in ([4.0, 6.0], [3.0, 7.0], [1.0, 2.0]):
        together = reinforce.learn(config, together[0], together[1], trial_batch(losses, [0, 1], eligibility))
        for k in (0, 1):
            single = reinforce.learn(config, single[0], single[1], trial_batch([losses[k]], [k], [eligibility[k]]))
    np.testing.assert_allclose(single[1]["b"], together[1]["b"], rtol=1e-12)
    np.testing.assert_allclose(single[0].baseline, together[0].baseline, rtol=1e-12)
    assert reinforce.progress(single[0]).updates == 3
    assert reinforce.progress(single[0]).loss == pytest.approx(1.5)


def test_seeds_learn_independently():
    """An axis in front of the trials: each individual has its own baseline and its own values."""
    config = ReinforceConfig(**FEW)
    rng = np.random.default_rng(0)
    losses, eligibility = rng.random((3, 5, 2)), rng.normal(size=(3, 5, 2, 4))

    def several(t):
        return TrialBatch(
            losses[t], np.arange(2), lambda amounts: {"b": np.einsum("sk,skn->sn", amounts, eligibility[t])}
        )

    values = {"b": np.zeros((5, 4))}
    state = reinforce.init(config, values, 2, (5,))
    for t in range(3):
        state, values = reinforce.learn(config, state, values, several(t))
    for seed in range(5):
        alone = {"b": np.zeros(4)}
        one = reinforce.init(config, alone, 2, ())
        for t in range(3):
            one, alone = reinforce.learn(config, one, alone, trial_batch(losses[t, seed], [0, 1], eligibility[t, seed]))
        np.testing.assert_allclose(values["b"][seed], alone["b"], rtol=1e-12)


def test_idle_updates_change_nothing_but_the_baseline():
    config = ReinforceConfig(**FEW, idle_updates=2)
    values = {"b": np.zeros(2)}
    state = reinforce.init(config, values, 2, ())
    for update in range(3):
        state, after = reinforce.learn(config, state, values, trial_batch([4.0, 6.0 + update], [0, 1], np.eye(2)))
        assert (after["b"] != values["b"]).any() == (update == 2)
        values = after
    assert state.moments.updates == 1
    assert reinforce.progress(state).updates == 3


def test_parameters_follow_noise_that_was_rewarded():
    """A unit's bias rises when its noise went with reward: gradient descent in the mean (Williams 1992).

    The loss is (b + noise - 1)^2 a trial; the best bias is 1.
    """
    config = ReinforceConfig(trials_per_update=8, adam=adam.Adam(rate=0.01))
    rng = np.random.default_rng(0)
    values = {"b": np.zeros(1)}
    state = reinforce.init(config, values, 1, ())
    for _ in range(600):
        for _ in range(8):
            noise = 0.3 * rng.normal()
            loss = (values["b"][0] + noise - 1) ** 2
            state, values = reinforce.learn(config, state, values, trial_batch([loss], [0], [[noise]]))
    assert values["b"][0] == pytest.approx(1.0, abs=0.15)
