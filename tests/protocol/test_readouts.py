"""Choice of the units that a decoder reads."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.errors import ProtocolError
from decoderd.preparation.calibration import calibrate
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol, readouts
from decoderd.protocol.readouts import Readouts
from tests import protocols
from tests.learners import learning
from tests.protocols import centre_out

# Counts of 4 bins and 6 units: means 0, 2, 0.5, 1, 3, 1.25.
COUNTS = np.array([[0, 2, 0, 1, 3, 1], [0, 2, 1, 1, 3, 2], [0, 2, 0, 1, 3, 1], [0, 2, 1, 1, 3, 1.0]])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"count": 2}, [1, 2]),
        ({"count": 2, "least_mean": 1.0}, [1, 4]),
        ({"count": 3, "least_mean": 1.0}, [1, 4, 5]),
        ({"count": 1, "least_mean": 2.0}, [4]),
        ({"units": [4, 0, 2]}, [4, 0, 2]),
    ],
)
def test_the_first_units_that_fire_enough_are_chosen(fields, expected):
    assert readouts.choose(Readouts.model_validate(fields), COUNTS).tolist() == expected


def test_all_units_are_read_by_default():
    assert readouts.choose(Readouts(), COUNTS) is None
    assert readouts.given(Readouts(), 6) is None


def test_too_few_firing_units_are_refused():
    with pytest.raises(ProtocolError, match="only 3 of 6 units fire more than 1 counts a bin") as caught:
        readouts.choose(Readouts(count=4, least_mean=1.0), COUNTS)
    assert caught.value.field == "readouts.count"


def test_units_that_do_not_exist_are_refused():
    with pytest.raises(ProtocolError, match=r"there is no unit 6; the population has 0\.\.5") as caught:
        readouts.given(Readouts(units=(2, 6)), 6)
    assert caught.value.field == "readouts.units"
    with pytest.raises(ProtocolError, match="no unit 12"):
        prepare(protocol.parse(centre_out(readouts={"units": [12]})))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"units": [1], "count": 1}, "units or count, not both"),
        ({"units": [1, 2, 1]}, "a unit is named twice"),
        ({"units": []}, "at least 1"),
        ({"count": 0}, "must be at least 1"),
    ],
)
def test_invalid_choices_are_refused(fields, error):
    with pytest.raises(ProtocolError, match=error):
        protocol.parse(centre_out(readouts=fields))


def test_the_decoder_reads_its_readouts_and_all_units_are_recorded():
    """Decoded velocities against the decoder applied to the readouts' counts."""
    chosen = [7, 2, 4]
    run = protocols.run(centre_out(readouts={"units": chosen}), ticks=60)
    session, parameters = run.session, run.states[0].parameters
    assert session.decoder.units(parameters.decoder) == 3
    assert run.counts().shape == (60, 12)
    state, velocities = session.decoder.init(parameters.decoder, 1), []
    for counts in run.counts().reshape(12, 5, 12).sum(axis=1):
        state, command = session.decoder.step(parameters.decoder, state, counts[np.newaxis, chosen], None)
        velocities.append(command.velocity[0])
    np.testing.assert_allclose(run.column("v")[4::5], velocities, rtol=1e-12)


def test_readouts_are_chosen_by_the_calibration():
    of = protocol.parse(learning(readouts={"count": 3, "least_mean": 0.9}))
    parameters = prepare(of)
    mean = calibrate(of, parameters.population).counts.mean(axis=0)
    assert parameters.readouts.tolist() == [unit for unit in range(8) if mean[unit] > 0.9][:3]


def test_a_decoder_file_for_other_readouts_is_refused(tmp_path):
    decoder = {"kind": "linear", "file": str(protocols.mapping(tmp_path / "m.npz", 6))}
    protocols.begun(centre_out(decoder=decoder, readouts={"units": [0, 1, 2, 3, 4, 5]}))
    with pytest.raises(ProtocolError, match="reads 6 units, but the readouts are 2"):
        protocols.begun(centre_out(decoder=decoder, readouts={"units": [0, 1]}))
