"""A supervisor survives a minute of each trouble, and serves its list meanwhile."""

from __future__ import annotations

import json

import pytest

from tests.campaigns.survival import TROUBLES, survive


@pytest.mark.campaign
@pytest.mark.parametrize("seconds", [pytest.param(3.0, id="short"), pytest.param(60.0, id="long")])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_supervisor_survives(tmp_path, capsys, trouble, seconds):
    found = survive(tmp_path, trouble, seconds)
    with capsys.disabled():
        print("\n" + json.dumps(found))
    assert found["list"]["unanswered"] == 0
    assert found["list"]["worst_s"] < 1.0
