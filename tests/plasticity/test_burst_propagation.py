"""Rule `burstprop`: a step along the mean direction of the trials, with momentum and decay."""

import numpy as np

from decoderd.conformance import PlasticityContract
from decoderd.plasticity import TrialBatch
from decoderd.plasticity.burst_propagation import BURSTPROP, BurstpropConfig

NAMES = ("W1", "W2", "R", "c")


class TestBurstprop(PlasticityContract):
    component = BURSTPROP
    shapes = ((4, 3), (2, 4), (4, 4), (6,))


def test_each_part_has_its_rate_and_recurrent_weights_neither_momentum_nor_decay():
    config = BurstpropConfig(
        trials_per_update=2,
        input_rate=0.5,
        output_rate=0.25,
        recurrent_rate=0.1,
        bias_rate=0.05,
        momentum=0.5,
        decay=0.125,
    )
    values = {name: np.array([[2.0]]) for name in NAMES}
    state = BURSTPROP.init(config, values, 1)
    for update in (1, 2):
        for direction in (3.0, 1.0):  # of mean 2
            batch = TrialBatch(
                np.array([7.0]), np.array([0]), lambda w, d=direction: {n: d * w * np.eye(1) for n in NAMES}
            )
            state, values = BURSTPROP.learn(config, state, values, batch)
        assert BURSTPROP.progress(state).updates == update
    plain = {}
    for name, rate, momentum, decay in (
        ("W1", 0.5, 0.5, 0.125),
        ("W2", 0.25, 0.5, 0.125),
        ("R", 0.1, 0, 0),
        ("c", 0.05, 0.5, 0),
    ):
        step, w = 0.0, 2.0
        for _ in range(2):
            step = momentum * step + rate * 2.0
            w = w - decay * w + step
        plain[name] = w
    assert {name: float(value[0, 0]) for name, value in values.items()} == plain
