"""The days of a batch of sessions, against those of the same sessions tick by tick."""

import numpy as np

from decoderd.api import simulate
from decoderd.studies.days import days_of
from tests.experiments.small import small
from tests.studies.batches import days_of_batch

SEEDS = (3, 8)


def test_days_are_those_of_the_sessions():
    data = small(overnight={"swap": 2, "after_days": [1]})
    data["task"]["radius_m"] = 0.071  # some trials succeed
    outcomes = set()
    for seed, days in zip(SEEDS, days_of_batch(data, SEEDS), strict=True):
        session = list(days_of(simulate(data, seed=seed), True))
        assert len(days) == len(session) == 2
        for mine, theirs in zip(days, session, strict=True):
            assert (mine.day, mine.protocol) == (theirs.day, theirs.protocol)
            assert mine.trials.tolist() == theirs.trials.tolist()
            assert mine.trials.dtype == theirs.trials.dtype
            np.testing.assert_allclose(mine.losses, theirs.losses, rtol=1e-9)
            for counts, expected in zip(mine.counts, theirs.counts, strict=True):
                np.testing.assert_allclose(counts, expected, rtol=1e-6, atol=1e-9)
            outcomes |= set(mine.trials["outcome"])
    assert outcomes == {"success", "missed"}
