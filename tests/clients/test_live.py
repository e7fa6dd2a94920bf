"""The client, its plug-in and the examples against real session processes."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from decoderd.wire import codec
from decoderd_client import AsyncSession, ControlError, NoAnswer, Participant, Session
from tests.protocols import lasting, outside
from tests.running import TIMEOUT_S, environment, stored
from tests.service.serving import lockstep, served, wait_for

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TURN = {"name": "turn", "kind": "rotation", "site": "cursor", "angle_rad": 0.5}


def example(name, *arguments):
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=environment(),
        check=False,
    )


def test_a_subscriber_has_the_bytes_that_are_stored(tmp_path):
    with served(tmp_path, lasting(6.0), "--speed", "10") as (control, out, process):
        with Session(control) as session, session.subscribe(["tick", "counts", "trial"], from_start=True) as messages:
            got = list(messages)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    for topic in ("tick", "counts", "trial"):
        published = b"".join(codec.encode(message.payload) for message in got if message.topic == topic)
        assert published == stored(out, topic)


def test_a_subscriber_of_a_session_that_is_over_ends(tmp_path):
    with served(tmp_path, lasting(0.5), "--speed", "max") as (control, _, _), Session(control) as session:
        wait_for(lambda: session.describe()["state"] == "done")
        with session.subscribe(["tick"]) as messages:
            assert list(messages) == []
        with session.subscribe(["tick"], from_start=True) as messages:
            assert [message.tick for message in messages] == list(range(50))


def test_every_operation_of_a_session(tmp_path):
    with served(tmp_path, lasting(60.0)) as (control, _, _), Session(control) as session:
        session.pause()
        assert session.pause()["changed"] is False
        wait_for(lambda: session.describe()["state"] == "paused")  # the loop stands at its next tick
        session.resume()
        added = session.perturb(TURN)
        assert added["changed"] is True
        assert session.perturb(TURN)["changed"] is False
        assert session.unperturb("turn")["tick"] > added["tick"]
        assert session.metrics("test", {"x": 1.0})["ok"] is True
        with pytest.raises(ControlError) as caught:
            session.perturb({**TURN, "angle": 1})
        assert caught.value.code in ("refused", "bad_protocol", "invalid")
        reply = session.get_decoder()
        arrays = {name: reply.array(field) for name, field in reply["arrays"].items()}
        session.set_decoder(arrays)
        again = session.get_decoder()
        assert {name: again.array(field) for name, field in again["arrays"].items()} == arrays
        tick = session.checkpoint()["tick"]
        assert session.health()["committed"] >= tick
        session.stop()


def test_asyncio_controls_and_follows(tmp_path):
    async def go(control):
        async with AsyncSession(control) as session, session.subscribe(["perturbation"]) as messages:
            await session.perturb(TURN)
            await session.unperturb("turn")
            await session.stop()
            return [message.event async for message in messages]

    with served(tmp_path, lasting(60.0)) as (control, _, _):
        assert asyncio.run(asyncio.wait_for(go(control), 30)) == ["added", "on", "removed"]


def test_a_participant_grants_every_tick(tmp_path):
    with served(tmp_path, lasting(0.5), *lockstep("a")) as (control, _, _), Session(control) as session:
        participant = Participant(session, "a", want=["tick"])
        passed = participant.step(number=3)
        assert passed.tick == 3
        assert [message.tick for message in passed.messages] == [0, 1, 2]
        time.sleep(0.1)
        assert session.describe()["tick"] == 3
        passed = participant.step([{"op": "perturb", "perturbation": TURN}])
        assert (passed.tick, passed.refused) == (4, [])
        while not passed.over:
            passed = participant.step(number=10)
        assert (passed.tick, passed.state) == (50, "done")


def test_two_examples_close_the_loop_and_it_is_repeatable(tmp_path):
    data = outside(schedule={"days": 1, "blocks": [{"name": "only", "duration_s": 30.0}]})
    got = []
    for name in ("first", "second"):
        with served(tmp_path, data, *lockstep("task", "decoder"), name=name) as (control, out, process):
            done = {}
            decoding = threading.Thread(target=lambda: done.update(d=example("external_decoder.py", control)))  # noqa: B023
            decoding.start()
            task = example("task_program.py", control)
            decoding.join()
            assert task.returncode == 0, task.stderr
            assert done["d"].returncode == 0, done["d"].stderr
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        got.append((task.stdout, done["d"].stdout, stored(out), stored(out, "counts")))
    assert got[0] == got[1]
    assert "calibrated at tick" in got[0][1]
    assert got[0][0].count("success") >= 8


def test_the_subscriber_of_the_examples(tmp_path):
    with served(tmp_path, lasting(4.0), "--speed", "10") as (control, _, _):
        done = example("subscriber.py", control)
    assert done.returncode == 0, done.stderr
    assert len((EXAMPLES / "subscriber.py").read_text().splitlines()) <= 25
    assert re.search(r"^trial 1: \w+ after \d\.\d\d s$", done.stdout, re.MULTILINE)


def test_a_grant_to_a_process_that_was_killed_is_given_up(tmp_path):
    with (
        served(tmp_path, lasting(5.0), *lockstep("a", "b")) as (control, _, process),
        Session(control) as patient,
        Session(control, timeout_s=0.3, attempts=2) as session,
    ):
        patient.describe()  # until it is prepared, no answer comes
        participant = Participant(session, "a")
        ending = threading.Timer(1.5, process.kill)  # `b` is silent, so the grant waits; then no answer comes
        begun = time.monotonic()
        ending.start()
        with pytest.raises(NoAnswer, match="'grant' in 2 x"):
            participant.step()
        assert time.monotonic() - begun > 1.5
