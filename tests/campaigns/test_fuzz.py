"""Ten million hostile messages over all sockets: no crash, no hang, no changed digest, none without reply or count."""

from __future__ import annotations

import json

import pytest

from tests.campaigns.fuzz import fuzz


@pytest.mark.campaign
@pytest.mark.parametrize("number", [pytest.param(100_000, id="short"), pytest.param(10_000_000, id="long")])
def test_every_message_is_answered_or_counted(tmp_path, capsys, number):
    found = fuzz(tmp_path, number)
    with capsys.disabled():
        print("\n" + json.dumps(found))
    assert found["messages"] >= 0.99 * number
    assert max(found["grown_mib"].values()) <= 64
