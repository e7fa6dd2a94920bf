import numpy as np
import pytest
from pydantic import ValidationError

from decoderd.errors import ArrayError
from decoderd.populations.rnn import population as rnn
from decoderd.populations.rnn.population import Law, RnnConfig

SMALL = RnnConfig(units=7, encoder_units=5, feedback_delay_s=0.03)


def individual(config=SMALL, seed=0):
    return rnn.load(config, np.random.default_rng(seed), {})


def test_defaults_draw_the_published_individual():
    p = individual(RnnConfig())
    assert [part.shape for part in p] == [(100, 6), (100,), (100, 100), (100, 100), (100,), (2, 100)]
    assert p.E.std() == pytest.approx((2 / 6) ** 0.5, rel=0.1)
    assert p.W.std() == pytest.approx(0.1, rel=0.05)
    assert p.V.std() == pytest.approx(0.002, rel=0.2)
    for part, low, high in ((p.c, 0.5, 1.5), (p.U, -0.1, 0.1), (p.b, 0.5, 1.5)):
        assert low <= part.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < part.max() <= high


def test_an_individual_is_read_from_its_arrays():
    p = individual()
    again = rnn.load(SMALL, np.random.default_rng(9), p._asdict())
    for one, other in zip(p, again, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ArrayError, match=r"W: has shape \(7, 6\), expected 7 x 7"):
        rnn.load(SMALL, np.random.default_rng(9), {**p._asdict(), "W": p.W[:, :6]})
    with pytest.raises(ArrayError, match="missing: V"):
        rnn.load(SMALL, np.random.default_rng(9), {k: v for k, v in p._asdict().items() if k != "V"})
    with pytest.raises(ArrayError, match="not finite"):
        rnn.load(SMALL, np.random.default_rng(9), {**p._asdict(), "b": np.full(7, np.nan)})


@pytest.mark.parametrize(
    ("law", "error"),
    [
        ({}, "either uniform"),
        ({"uniform": [0.0, 1.0], "normal": [0.0, 1.0]}, "either uniform"),
        ({"uniform": [1.0, 0.0]}, "must not exceed"),
        ({"normal": [0.0, -1.0]}, "greater than or equal to 0"),
    ],
)
def test_a_law_is_uniform_or_normal(law, error):
    with pytest.raises(ValidationError, match=error):
        Law.model_validate(law)


def test_initial_states_are_drawn_from_a_uniform_law():
    with pytest.raises(ValidationError, match="initial: give uniform"):
        RnnConfig(initial=Law(normal=(0.0, 1.0)))


def test_precision_rounds_the_same_individual():
    """Arrays read from a file are not rounded again."""
    p, rounded = individual(), individual(SMALL.model_copy(update={"precision": "single"}))
    for one, other in zip(p, rounded, strict=True):
        assert (one.dtype, other.dtype) == (np.float64, np.float32)
        np.testing.assert_array_equal(one.astype(np.float32), other)
    single = RnnConfig(units=7, encoder_units=5, precision="single")
    for one, other in zip(rounded, rnn.load(single, np.random.default_rng(9), rounded._asdict()), strict=True):
        assert other.dtype == np.float32
        np.testing.assert_array_equal(one, other)
