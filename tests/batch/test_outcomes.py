"""What sessions side by side leave behind, against the recordings of the same sessions."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.batch import outcomes
from decoderd.errors import NumericalError
from decoderd.recording.reader import open_session
from tests.batch.cases import CASES, SEEDS, sessions
from tests.protocols import begun, bursting, centre_out
from tests.running import record


@pytest.mark.parametrize("case", ["days that end within a bin", "smooth batch", "perturbations without a memory"])
def test_trials_and_digest_are_those_of_the_recording(tmp_path, case):
    pairs = sessions(**CASES[case])
    found = outcomes.run(*map(list, zip(*pairs, strict=True)))
    for place, seed in enumerate(SEEDS[:2]):
        record(tmp_path / str(seed), centre_out(**{**CASES[case], "seed": seed}))
        with open_session(tmp_path / str(seed)) as recorded:
            trials, digest = recorded.trials(), outcomes.digest_of(recorded)
        one = found[place]
        assert one.error is None
        assert one.state.progress.done
        assert one.digest == digest
        for name in trials.dtype.names:
            np.testing.assert_array_equal(one.trials[name], trials[name])
    assert len({one.digest for one in found}) == len(SEEDS)


def test_what_ended_a_session_is_in_its_outcome():
    data = bursting(150, [3], {"clip_spikes": False})
    pairs = [begun({**data, "seed": seed}) for seed in SEEDS]
    found = outcomes.run(*map(list, zip(*pairs, strict=True)))
    assert all(isinstance(one.error, NumericalError) for one in found)
    assert not any(one.state.progress.done for one in found)
