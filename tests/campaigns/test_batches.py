"""Sessions of a batch against the same sessions by themselves: every protocol of protocols/experiments, for 200 trials.

Networks are in double precision, and pretrained for 300 updates only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from decoderd.api import simulate
from decoderd.batch.side_by_side import SideBySide
from decoderd.protocol import protocol
from decoderd.session.step import advance
from decoderd.studies import batch_kinds
from decoderd.studies.days import days_of
from tests.batch.cases import assert_same, rare
from tests.protocols import begun
from tests.studies.batches import days_of_batch

FOLDER = Path(__file__).parents[2] / "protocols" / "experiments"
SEEDS, TRIALS, ASSISTANCE = (1, 2, 3, 4, 5), 200, 40
FILES = sorted(path.name for path in FOLDER.glob("*.toml"))


def data_of(name):
    """Plain data of a protocol."""
    return protocol.dump(protocol.load(FOLDER / name))


@pytest.mark.campaign
@pytest.mark.parametrize("name", FILES)
def test_a_batch_has_the_numbers_of_its_sessions(name):
    parsed = protocol.load(FOLDER / name)
    (tick_by_tick if batch_kinds.tick_by_tick(parsed) else trial_by_trial)(data_of(name))


def tick_by_tick(data):
    """Messages, counts of every tick and the last states are the same, until each session has had its trials."""
    data["schedule"] = {"blocks": [{"name": "only", "trials": TRIALS}]}
    if data["pretraining"] is not None:
        data["pretraining"] |= {"updates": 300, "loss_at_most": None}
    pairs = [begun({**data, "seed": seed}) for seed in SEEDS]
    said = [[] for _ in pairs]
    sessions, states = ([pair[k] for pair in pairs] for k in (0, 1))
    batch = SideBySide(sessions, states, lambda s, messages: said[s].extend(messages))
    alone = [[] for _ in pairs]
    while not batch.over:
        batch.turn()
        for s, (session, _) in enumerate(pairs):
            if not states[s].progress.done:
                states[s], messages = advance(session, states[s])
                alone[s] += rare(messages)
                assert_same_counts(batch.state(s), states[s])
    assert said == alone
    for s, state in enumerate(states):
        assert_same(batch.state(s), state)
    assert [state.progress.trials for state in states] == [TRIALS] * len(SEEDS)


def assert_same_counts(found, expected):
    assert found.tick == expected.tick
    for one, other in zip(found.bin.ticks[-1:], expected.bin.ticks[-1:], strict=True):
        for channel, counts in other.items():
            np.testing.assert_array_equal(one[channel], counts)


def trial_by_trial(data):
    """Outcomes and losses of two days with a night between them are the same, and so are counts to rounding."""
    first, last = data["schedule"]["blocks"][0], data["schedule"]["blocks"][-1]
    data["schedule"] = {"days": 2, "blocks": [{**first, "trials": ASSISTANCE}, {**last, "trials": TRIALS - ASSISTANCE}]}
    data["population"]["precision"] = "double"
    data["pretraining"] |= {"updates": 300, "loss_at_most": None}
    intensity = data["updater"].get("intensity", 0.0)
    for seed, days in zip(SEEDS, days_of_batch(data, SEEDS, intensity), strict=True):
        session = list(days_of(simulate(data, seed=seed), True))
        for mine, theirs in zip(days, session, strict=True):
            assert mine.trials.tolist() == theirs.trials.tolist()
            np.testing.assert_allclose(mine.losses, theirs.losses, rtol=1e-9 * TRIALS)
            for counts, expected in zip(mine.counts, theirs.counts, strict=True):
                np.testing.assert_allclose(counts, expected, rtol=1e-6, atol=1e-9)
