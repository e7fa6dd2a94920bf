"""Ten million hostile messages over all sockets: no crash, no hang, no changed digest, none without reply or count."""

from __future__ import annotations

import json

import pytest

from tests.campaigns.fuzz import fuzz

# The long campaign is ten parts of a million, of other seeds: each says what it found, and can be run by itself.
PARTS = [pytest.param(100_000, 13, id="short"), *(pytest.param(10**6, 14 + i, id=f"long-{i}") for i in range(10))]


@pytest.mark.campaign
@pytest.mark.parametrize(("number", "seed"), PARTS)
def test_every_message_is_answered_or_counted(tmp_path, capsys, number, seed):
    found = fuzz(tmp_path, number, seed)
    with capsys.disabled():
        print("\n" + json.dumps({"seed": seed, **found}))
    assert found["messages"] >= 0.99 * number
    assert max(found["grown_mib"].values()) <= 64
