"""What a population knows of its decoder: the velocity that each unit's spikes add, as the session decodes it."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.errors import ProtocolError
from decoderd.preparation import feedback
from decoderd.preparation.parameters import individual
from tests import protocols
from tests.protocols import BRIEF, centre_out

POPULATION = {"kind": "bursting", "units": 12, "feedback": "decoder"}
DECODERS = ["linear", "kalman", "steady_state_kalman", "intrinsic_manifold"]


def begun(**fields):
    return protocols.begun(centre_out(**{"population": POPULATION, **fields}))


@pytest.mark.parametrize("kind", DECODERS)
def test_feedback_is_the_transpose_of_what_a_spike_of_each_unit_moves(kind):
    """One bin is decoded with one count more for each unit in turn."""
    calibration = {"reaches": 30, "reach_s": 0.5, **({"factors": 4} if kind == "intrinsic_manifold" else {})}
    session, state = begun(decoder={"kind": kind, "calibration": calibration})
    decoder, parameters = session.decoder, state.parameters.decoder
    position, counts = np.zeros((1, 2)), np.full((1, 12), 2.0)

    def velocity(y):
        return decoder.step(parameters, decoder.init(parameters, 1), y, position)[1].velocity[0]

    plain = np.array([velocity(counts + one) - velocity(counts) for one in np.eye(12)])
    plain /= np.sqrt((plain**2).sum(axis=1).mean())
    np.testing.assert_allclose(state.parameters.population.K, plain, rtol=1e-9, atol=1e-12)


def test_units_that_are_not_read_get_no_feedback():
    decoder = {"kind": "linear", "calibration": BRIEF}
    _, state = begun(decoder=decoder, readouts={"count": 5})
    fed = np.flatnonzero(state.parameters.population.K.any(axis=1))
    np.testing.assert_array_equal(fed, np.sort(state.parameters.readouts))


@pytest.mark.parametrize("decoder", [{"kind": "external"}, {"kind": "point_process", "calibration": BRIEF}])
def test_a_decoder_without_weights_is_refused(decoder):
    with pytest.raises(ProtocolError, match=r"feedback = 'decoder': .*'tuning'") as caught:
        begun(decoder=decoder)
    assert caught.value.field == "population"


@pytest.mark.parametrize("how", ["off", "tuning"])
def test_other_feedback_stays_as_it_was_drawn(how):
    session, state = begun(population={**POPULATION, "feedback": how})
    np.testing.assert_array_equal(state.parameters.population.K, individual(session.protocol).K)


def test_a_population_that_does_not_use_it_stays_as_it_is():
    session, state = begun(population={"kind": "tuned", "units": 12})
    assert feedback.known(session.protocol, state.parameters) is state.parameters
