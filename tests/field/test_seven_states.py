"""A filter of seven states, as BMI3D has them: a session refuses it and says what to do, and that runs."""

import numpy as np
import pytest

from decoderd.errors import DecoderdError
from decoderd.twin import imported
from tests import protocols
from tests.decoders.theirs import NAMES, UNITS, saved
from tests.twin.simulated import success_rate, trials


@pytest.mark.parametrize("more", [{}, {"states": np.array(NAMES)}], ids=["unnamed", "named"])
def test_a_session_refuses_the_file_and_says_what_makes_one(tmp_path, more):
    named = {name: np.char.replace(value, "hand_", "") for name, value in more.items()}
    np.savez(tmp_path / "theirs.npz", **saved(np.random.default_rng(1)), **named)
    data = protocols.centre_out(
        tick_s=0.02,
        population={"kind": "tuned", "units": UNITS},
        decoder={"kind": "kalman", "file": str(tmp_path / "theirs.npz")},
    )
    with pytest.raises(DecoderdError, match=r"cannot move a cursor .*`decoderd import bmi3d` makes such a filter"):
        protocols.begun(data)


@pytest.mark.parametrize("observed", [(3, 5), (3, 4, 5)], ids=["planar", "three dimensions"])
def test_the_imported_filter_runs(tmp_path, observed):
    np.savez(tmp_path / "theirs.npz", **saved(np.random.default_rng(2), observed))
    found = imported.from_bmi3d(tmp_path / "theirs.npz", tmp_path / "out")
    assert len(found.warnings) == (len(observed) > 2)
    assert success_rate(trials(found.protocol, "schedule.blocks.0.trials=16")) >= 0.9
