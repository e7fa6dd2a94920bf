"""Memory of a session and of a supervisor under attack grows by 64 MiB at most, with keys and without."""

from __future__ import annotations

import json

import pytest

from tests.campaigns.memory import ON_SESSION, ON_SUPERVISOR, attacked, session, supervisor

MOST_MIB = 64
ATTACKS = [("session", name) for name in ON_SESSION] + [("supervisor", name) for name in ON_SUPERVISOR]


@pytest.mark.campaign
@pytest.mark.parametrize("seconds", [pytest.param(20.0, id="short"), pytest.param(300.0, id="long")])
@pytest.mark.parametrize("keyed", [False, True], ids=["without keys", "with keys"])
@pytest.mark.parametrize(("process", "name"), ATTACKS, ids=[f"{one}: {name}" for one, name in ATTACKS])
def test_memory_is_bounded_under_attack(tmp_path, capsys, process, name, keyed, seconds):
    under, attack = {
        "session": (session, ON_SESSION.get(name)),
        "supervisor": (supervisor, ON_SUPERVISOR.get(name)),
    }[process]
    with under(tmp_path, keyed) as target:
        found = attacked(target, attack, seconds)
        with capsys.disabled():
            print("\n" + json.dumps({"attack": f"{process}: {name}", "keys": keyed, **found}))
        assert found["answers"]
        assert found["grown_mib"] <= MOST_MIB
