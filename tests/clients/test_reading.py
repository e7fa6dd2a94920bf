"""The readers in other languages: the vectors, bytes that are no message, and the programs of their READMEs."""

from __future__ import annotations

import functools
import random
import re
import time

import pytest

from tests.clients import reading
from tests.clients.fake import Fake
from tests.service.serving import wait_for
from tests.wire.spec import frames_of, vectors

HEAD = "81a178"  # a map of one key, whose value follows
ANNOUNCED = ("dd", "df", "c6", "c9", "db")  # array, map, bytes, extension and text of 32-bit lengths
LENGTHS = ("ffffffff", "80000000", "10000000", "0aaaaaab", "00010000")  # some overflow in a product


@pytest.fixture(scope="module", params=reading.BUILT, ids=lambda build: build.__name__)
def build(request, tmp_path_factory):
    """Builds programs of a reader."""
    return functools.partial(request.param, tmp_path_factory.mktemp("reader"))


@pytest.fixture(scope="module")
def reader(build):
    return build("dump")


@pytest.fixture(scope="module")
def messages():
    """Topic, payload and stamp of every message among the vectors."""
    return [frames_of(vector) for vector in vectors("messages.json")]


def found(reader, messages):
    """What it finds in each."""
    lines = ["message " + " ".join(frame.hex() or "-" for frame in frames) for frames in messages]
    answers = reader.run("dump", given="".join(f"{line}\n" for line in lines)).splitlines()
    assert len(answers) == len(lines)
    return answers


def test_its_dump_of_the_vectors(reader):
    given, expected = ((reading.VECTORS / name).read_text() for name in ("frames.txt", "dump.txt"))
    assert reader.run("dump", given=given) == expected


def test_what_is_cut_off_is_malformed(reader, messages):
    """Payload and stamp after every one of their bytes."""
    cut = [(topic, payload[:end], stamp) for topic, payload, stamp in messages for end in range(len(payload))]
    cut += [(topic, payload, stamp[:end]) for topic, payload, stamp in messages for end in range(len(stamp))]
    assert set(found(reader, cut[:: reader.every])) == {"ignored: malformed"}


def test_what_announces_more_than_there_is_is_malformed(reader, messages):
    topic, payload, stamp = messages[0]
    values = [kind + length + "01" * 40 for kind in ANNOUNCED for length in LENGTHS]
    values += ["91" * deep + "90" for deep in (32, 1000, 100_000)]
    hostile = [bytes.fromhex(HEAD + value) for value in values]
    several = [(topic, one, stamp) for one in hostile] + [(topic, payload, one) for one in hostile]
    assert set(found(reader, several)) == {"ignored: malformed"}


def test_changed_bytes_do_no_harm(reader, messages):
    """It says of each what it finds, and neither reads too far nor keeps memory."""
    draw = random.Random(1)
    changed = []
    for _ in range(5000):
        frames = [bytearray(frame) for frame in draw.choice(messages)]
        for _ in range(draw.randint(1, 4)):
            frame = frames[draw.choice((1, 1, 1, 2))]
            frame[draw.randrange(len(frame))] = draw.choice((draw.randrange(256), 0xC6, 0xDB, 0xDD, 0xDF, 0xFF))
        changed.append(frames)
    kinds = {re.match(r"message|ignored: \w+", answer).group() for answer in found(reader, changed[:: reader.every])}
    assert kinds == {"message", "ignored: malformed", "ignored: keys"}


def test_it_recovers_what_the_socket_dropped(build):
    """From the session's start to its end, one of three messages lost on the way."""
    reader = build("record")
    with Fake() as fake:
        for _ in range(20):
            fake.send("metrics", lost=True)
        recording = reading.Recording(reader, fake.control, "metrics")
        assert recording.begun.wait(reading.TIMEOUT_S)
        for number in range(200):
            fake.send("metrics", lost=number % 3 == 0)
        fake.send("session", x="paused", i=1, f=0, w="")
        fake.end(lost=True)
        assert recording.finished("metrics")["metrics"] == b"".join(fake.stored["metrics"])


def test_an_endpoint_or_a_topic_that_is_none_is_an_error_with_what_is_right(build):
    reader = build("record")
    for given, said in (
        (("5571", "tick"), "5571 is no endpoint: right is tcp://HOST:PORT"),
        (("tcp://127.0.0.1:9", "tack"), "there is no topic tack; there are tick, counts, task, "),
    ):
        process = reader.start("record", *given)
        out, err = process.communicate(timeout=reading.TIMEOUT_S)
        assert (process.returncode in (1, 2), out) == (True, "")
        assert said in err


def test_what_a_service_refuses_is_said(build):
    reader = build("record")
    with Fake() as fake:
        del fake.answers["describe"]
        process = reader.start("record", fake.control, "tick")
        out, err = process.communicate(timeout=reading.TIMEOUT_S)
    assert (process.returncode, out) == (1, "")
    assert "a fake does not" in err


def test_the_program_of_the_readme_runs(reader, build):
    """It sends an input and prints trials as they end."""
    language, program = re.search(
        r"^```(c|csharp|matlab)\n(.*?)^```", (reader.folder / "README.md").read_text(), re.DOTALL | re.MULTILINE
    ).groups()
    ending = {"c": "c", "csharp": "cs", "matlab": "m"}[language]
    (reader.folder / "examples" / f"readme.{ending}").write_text(program.replace("clients/matlab", "."))
    build("readme")
    with Fake() as fake:
        fake.answers["input"] = lambda request, frames: ({"tick": 1, "changed": True}, [])
        process = reader.start("readme", fake.control)
        wait_for(lambda: fake.asked("describe"))
        time.sleep(0.2)  # until that is answered
        for trial in (1, 2, 3):
            fake.send("trial", r=trial, x="success")
        fake.end()
        out, err = process.communicate(timeout=reading.TIMEOUT_S)
    assert (process.returncode, out) == (0, "".join(f"trial {trial}: success\n" for trial in (1, 2, 3))), err
    assert fake.asked("input")[0]["input"]["op"] in ("perturb", "unperturb")
