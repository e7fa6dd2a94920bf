"""What a tab gets: the newest alone, and what changes slowly."""

import json

from decoderd.wire.messages import Health
from decoderd_plugins.dashboard import frames
from decoderd_plugins.dashboard.following import Followed
from decoderd_plugins.dashboard.window import Place
from tests.clients.plugins import building
from tests.protocols import centre_out

DESCRIPTION = {
    "session": "a",
    "speed": "realtime",
    "tick_s": 0.01,
    "bin_ticks": 5,
    "units": 2,
    "days": 3,
    "seed": 1,
    "incarnation": 1,
    "protocol": centre_out(),
}


def health(tick, ticks, wall_s, missed=0):
    return building.message(
        Health,
        tick,
        ticks=ticks,
        wall_s=wall_s,
        lateness_us=(1.0, 2.0, 3.0),
        duration_us=(4.0, 5.0, 6.0),
        missed_deadlines=missed,
        clipped=0,
    )


def test_a_session_that_has_not_answered_has_nothing_to_show():
    followed = Followed()
    assert frames.newest(followed, Place())["now"] is None
    assert frames.slow(followed)["about"] is None


def test_a_frame_holds_what_is_new():
    followed = Followed()
    followed.begin(DESCRIPTION)
    for number in range(4):
        followed.receive(building.tick(number, 2, 3, (0.05, 0.0), (0.01, 0.02, 0.0, 0.0)))
    first = frames.newest(followed, Place())
    assert first["now"]["tick"] == 3
    assert (first["now"]["trial"], first["now"]["goal"]) == (2, (0.05, 0.0))
    assert [row[0] for row in first["ticks"]] == [0, 1, 2, 3]
    followed.receive(building.tick(4, 2, 3))
    again = frames.newest(followed, Place(*json.loads(json.dumps(first))["seen"]))
    assert [row[0] for row in again["ticks"]] == [4]


def test_what_changes_slowly():
    followed = Followed()
    followed.begin(DESCRIPTION)
    for number in (1, 2):
        followed.receive(health(25 * number, 25, 0.25, missed=3))
    followed.history.receive(building.trial(1, 60, go=10))
    slow = json.loads(json.dumps(frames.slow(followed)))
    assert slow["about"]["kinds"] == {"task": "centre_out", "population": "tuned", "decoder": "kalman"}
    assert slow["about"]["radii"] == {"centre_radius_m": 0.03, "radius_m": 0.03}
    assert (slow["pace"], slow["missed"]) == (100.0, 6)
    assert slow["healths"][-1] == [50, [1.0, 2.0, 3.0], 3]
    assert slow["days"] == [{"day": 1, "trials": 1, "success": 1.0, "time_s": 0.5, "loss": None, "n_c": None}]


def test_sessions_are_listed_with_their_states():
    one = {"session": "a", "state": "failed", "incarnation": 2, "why": "a full disk", "control": None, "stream": None}
    assert frames.listing([one], "no answer") == {
        "sessions": [{"session": "a", "state": "failed", "incarnation": 2, "why": "a full disk"}],
        "trouble": "no answer",
    }
