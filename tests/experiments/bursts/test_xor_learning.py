import numpy as np
import pytest

from decoderd.experiments.bursts import network, xor, xor_learning
from decoderd.experiments.bursts.xor_learning import Record


@pytest.fixture
def short(monkeypatch):
    """Examples of 60 ms."""
    monkeypatch.setattr(network, "COMPILED", False)
    for name, duration in (("BURN_IN_S", 0.1), ("EXAMPLE_S", 0.06), ("TEACHING_S", 0.04)):
        monkeypatch.setattr(xor, name, duration)


def test_a_run_that_stopped_goes_on_to_the_same_record(short, tmp_path):
    at_once = xor_learning.learnt(1, 3, n=20)
    xor_learning.learnt(1, 2, tmp_path, n=20)
    assert [path.name for path in tmp_path.iterdir()] == ["xor-1.npz"]
    resumed = xor_learning.learnt(1, 3, tmp_path, n=20)
    for one, other in zip(at_once, resumed, strict=True):
        np.testing.assert_array_equal(one, other)
    assert at_once.counts.shape == (3, 2, 5, 2)
    assert at_once.counts[:, 0, 0, 0].sum() > 0
    np.testing.assert_array_equal(xor_learning.learnt(1, 2, tmp_path, n=20).rates_hz, at_once.rates_hz[:2])


def test_an_epoch_costs_the_sum_of_its_examples():
    record = Record(np.zeros(4), np.array([4.0, 8.0, 6.0, 4.0, 2.0]), np.zeros((5, 2, 5, 2), dtype=np.int64))
    expected = -np.log(6 / 8) - np.log(6 / 8) - np.log(4 / 8) - np.log(6 / 8)
    np.testing.assert_allclose(xor_learning.epoch_costs(record), [expected])
    assert [xor_learning.target(k) for k in range(5)] == [0, 1, 1, 0, 0]
