import numpy as np

from decoderd.spiking.exponential import exponential, logistic


def test_the_exponential_function_is_right_to_ten_digits():
    x = np.linspace(-40, 40, 4001)
    np.testing.assert_allclose(exponential(x), np.exp(x), rtol=1e-10)


def test_the_logistic_function_stays_finite():
    assert logistic(np.array([-1e6, 0.0, 1e6])).tolist() == [logistic(np.array([-40.0]))[0], 0.5, 1.0]
