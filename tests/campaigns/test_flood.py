"""One observer that floods a session makes its ticks hardly later."""

from __future__ import annotations

import json

import pytest

from tests.campaigns.flood import PERIOD_NS, QUIET, measure


@pytest.mark.campaign
@pytest.mark.parametrize(("seconds", "turns"), [(3.0, 2), (15.0, 8)])
def test_lateness_under_a_flood(tmp_path, capsys, seconds, turns):
    """On a quiet machine: the ratio compares turns of one session."""
    found = measure(tmp_path, seconds, turns)
    ratio = found["describe"]["p99_us"] / found[QUIET]["p99_us"]
    with capsys.disabled():
        print("\n" + json.dumps({"p99_ratio": round(ratio, 2), **found}))
    assert ratio <= 1.5
    assert found["missed"]["max_us"] <= found[QUIET]["max_us"] + PERIOD_NS / 1e3
