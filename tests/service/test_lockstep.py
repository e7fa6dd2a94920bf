"""Lockstep with real participants: the same digest as at any other speed, and what follows silence."""

from __future__ import annotations

import json
import signal
import threading
import time

import pytest

from decoderd.wire import codec
from decoderd_client import ControlError, Participant, Session
from tests.protocols import centre_out, lasting
from tests.running import record
from tests.service.serving import replayed, served, wait_for

TURN = {"name": "turn", "kind": "rotation", "site": "cursor", "angle_rad": 0.5}


def options(silence_s=30.0, when_silent="stop", **grants):
    words = ["--speed", "lockstep", "--silence", str(silence_s), "--when-silent", when_silent, "--json"]
    return [*words, *(word for name, unit in grants.items() for word in ("--participant", f"{name}={unit}"))]


def summary_of(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    return json.loads(process.stdout.read().splitlines()[-1])


def to_the_end(control, name, number=1, inputs=None):
    """Grant until the session is over; `inputs` go with the first grant."""
    with Session(control, timeout_s=20.0) as session:
        participant = Participant(session, name)
        given = inputs or []
        while True:
            try:
                if participant.step(given, number).over:
                    return
            except ControlError as error:
                if error.code != "over":
                    raise
                return
            given = []


@pytest.mark.parametrize(
    ("grants", "numbers"),
    [
        ({"a": "tick"}, {"a": 1}),
        ({"a": "tick"}, {"a": 37}),
        ({"a": "trial"}, {"a": 1}),
        ({"a": "day"}, {"a": 1}),
        ({"a": "tick", "b": "trial", "c": "day"}, {"a": 7, "b": 2, "c": 1}),
    ],
)
def test_the_digest_is_that_of_any_other_speed(tmp_path, grants, numbers):
    data = centre_out(schedule={"days": 2, "blocks": [{"name": "only", "trials": 2}]})
    with served(tmp_path, data, *options(**grants)) as (control, _, process):
        granting = [threading.Thread(target=to_the_end, args=(control, *each)) for each in numbers.items()]
        for thread in granting:
            thread.start()
        for thread in granting:
            thread.join(60)
            assert not thread.is_alive()
        summary = summary_of(process)
    alone = record(tmp_path / "alone", data)
    assert (summary["digest"], summary["ticks"], summary["done"]) == (alone["digest"], alone["ticks"], True)


def test_inputs_of_grants_are_consumed_by_participant_not_by_arrival(tmp_path):
    """Twice, the order of arrival reversed: the same session, which also replays."""
    digests = []
    for turn, order in enumerate((("a", "b"), ("b", "a"))):
        folder = tmp_path / str(turn)
        folder.mkdir()
        with served(folder, lasting(1.0), *options(a="tick", b="tick")) as (control, out, process):
            threads = []
            for name in order:
                one = {"op": "perturb", "perturbation": {**TURN, "name": f"turn-{name}"}}
                threads.append(threading.Thread(target=to_the_end, args=(control, name, 10, [one])))
                threads[-1].start()
                time.sleep(0.3)
            for thread in threads:
                thread.join(60)
            digests.append(summary_of(process)["digest"])
        assert replayed(out)["identical"] is True
    assert digests[0] == digests[1]
    assert digests[0] != record(tmp_path / "alone", lasting(1.0))["digest"]


def test_a_tick_needs_the_grants_of_all(tmp_path):
    with (
        served(tmp_path, lasting(60.0), *options(a="tick", b="tick")) as (control, _, _),
        Session(control) as session,
        Session(control) as other,
    ):
        b = Participant(other, "b")
        granting = threading.Thread(target=lambda: Participant(session, "a").step(number=50))
        granting.start()
        assert b.step(number=10).tick == 10
        with Session(control) as watching:
            wait_for(lambda: watching.describe()["state"] == "waiting")
            time.sleep(0.3)
            described = watching.describe()
        assert described["tick"] == 10
        assert described["participants"]["a"]["until"] == 50
        b.step(number=40)
        granting.join(20)
        assert not granting.is_alive()


def test_published_messages_are_committed_while_no_tick_is_granted(tmp_path):
    with served(tmp_path, lasting(5.0), *options(a="tick")) as (control, _, _), Session(control) as session:
        Participant(session, "a").step(number=40)
        wait_for(lambda: session.health()["committed"] == 40)
        assert len(session.missed("tick", 0).frames) == 40


def test_invalid_and_repeated_grants(tmp_path):
    with (
        served(tmp_path, lasting(60.0), *options(a="tick", b="tick")) as (control, _, _),
        Session(control) as session,
    ):
        with pytest.raises(ControlError) as caught:
            session.grant("c", 5)
        assert (caught.value.code, caught.value.field) == ("not_found", "participant")
        session.leave("b")
        assert session.grant("a", 5)["tick"] == 5
        assert session.grant("a", 5)["tick"] == 5  # over already
        assert session.grant("a", 3)["tick"] == 5
        assert session.leave("b")["changed"] is False
        assert session.join("b")["changed"] is True
        refused = session.grant("b", 5, [{"op": "kinematics", "velocity": [0.0, 0.0]}])
        assert refused["tick"] == 5


def test_refused_inputs_of_a_grant_are_reported_and_the_others_consumed(tmp_path):
    with served(tmp_path, lasting(60.0), *options(a="tick")) as (control, _, _), Session(control) as session:
        passed = Participant(session, "a").step(
            [{"op": "kinematics", "velocity": [0.0, 0.0]}, {"op": "perturb", "perturbation": TURN}]
        )
        assert [(one["index"], one["code"], one["field"]) for one in passed.refused] == [(0, "refused", "inputs.0.op")]
        assert [one["name"] for one in session.describe()["perturbations"]] == ["turn"]


# --- silence

# A participant that grants in time has less than this between two grants.
SILENCE_S = 2.0


def test_silence_stops_the_session_with_everything_stored(tmp_path):
    data = lasting(2.0)
    with served(tmp_path, data, *options(SILENCE_S, "stop", a="tick", b="tick")) as (control, _, process):
        begun = time.monotonic()
        with Session(control, timeout_s=10.0) as session:
            passed = Participant(session, "a").step(number=5)  # b keeps silent
            assert (passed.tick, passed.state) == (0, "stopped")
            assert time.monotonic() - begun >= 0.9 * SILENCE_S
            payloads = [codec.decode(body) for body in session.missed("session", 0).frames]
        summary = summary_of(process)
    assert [(one["x"], one["w"]) for one in payloads if one["x"] == "waiting"] == [("waiting", "b")]
    assert (summary["ticks"], summary["done"]) == (0, False)


def test_silence_makes_it_wait_and_report(tmp_path):
    with (
        served(tmp_path, lasting(60.0), *options(0.3, "pause", a="tick")) as (control, _, _),
        Session(control) as session,
    ):
        wait_for(lambda: session.missed("session", 1)["count"] > 0)
        (payload,) = [codec.decode(body) for body in session.missed("session", 1).frames]
        assert (payload["x"], payload["w"]) == ("waiting", "a")
        assert session.describe()["state"] == "waiting"
        assert Participant(session, "a").step(number=3).tick == 3  # better late


def test_silent_participants_are_dropped_and_may_join_again(tmp_path):
    with (
        served(tmp_path, lasting(60.0), *options(SILENCE_S, "drop", a="tick", b="tick")) as (control, _, _),
        Session(control, timeout_s=10.0) as session,
    ):
        a = Participant(session, "a")
        assert a.step(number=5).tick == 5
        assert session.describe()["participants"]["b"]["taking_part"] is False
        assert a.step(number=5).tick == 10  # the session does not wait for b any more
        assert session.join("b")["changed"] is True
        granting = threading.Thread(target=lambda: a.step(number=5))
        granting.start()
        with Session(control) as other:
            assert other.grant("b", 12)["tick"] == 12
            other.grant("b", 15)
        granting.join(20)
        assert not granting.is_alive()


def test_without_participants_the_session_is_paused(tmp_path):
    with (
        served(tmp_path, lasting(60.0), *options(0.2, "drop", a="tick")) as (control, _, _),
        Session(control) as session,
    ):
        wait_for(lambda: session.describe()["state"] == "paused")
        assert session.describe()["tick"] == 0
        passed = []
        granting = threading.Thread(target=lambda: passed.append(session.grant("a", 3)))
        granting.start()
        with Session(control) as other:
            wait_for(lambda: other.describe()["participants"]["a"]["until"] == 3)
            assert other.describe()["participants"]["a"]["taking_part"] is True
            assert other.describe()["tick"] == 0
            other.resume()
        granting.join(20)
        assert [reply["tick"] for reply in passed] == [3]
