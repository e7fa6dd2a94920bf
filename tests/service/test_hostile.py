"""Hostile input on every socket of real processes: one typed reply each or a counted drop, and nothing else happens."""

from __future__ import annotations

import itertools
import json
import signal
import socket
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import msgpack
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decoderd.wire import codec, envelope
from decoderd.wire import control as wire
from decoderd.wire.version import VERSION
from decoderd_client import Session, Supervisor
from tests.protocols import lasting
from tests.running import contents, record, stored
from tests.service import hostile
from tests.service.serving import daemon, replayed, served, wait_for
from tests.wire import generated
from tests.wire.generated import valid

CODES = set(wire.Code.__args__)
HOUR = lasting(3600.0)
BURST = 50
# A session takes some 5 MiB more once it is asked at all, for buffers, and no more however often it is asked.
GROWN_KIB = 24 * 1024


@contextmanager
def dealer(endpoint, room=1000):
    """A socket with room for so many replies, and little room in the kernel."""
    with zmq.Context.instance().socket(zmq.DEALER) as one:
        one.setsockopt(zmq.LINGER, 0)
        one.setsockopt(zmq.RCVHWM, room)
        one.setsockopt(zmq.RCVBUF, 16_384)
        one.setsockopt(zmq.SNDTIMEO, 10_000)
        one.connect(endpoint)
        yield one


def besiege(endpoint, target, number, seed=1):
    """Send so many hostile messages; {error code, or "ok": replies}."""
    replies = Counter()
    source = itertools.islice(hostile.messages(target, seed), number)
    with dealer(endpoint) as asking:
        while burst := list(itertools.islice(source, BURST)):
            for frames in burst:
                asking.send_multipart(frames)
            for _ in burst:
                assert asking.poll(10_000), f"no reply within 10 s; so far {dict(replies)}"
                frames = asking.recv_multipart()
                reply = msgpack.unpackb(frames[0] or frames[1])
                assert reply["v"] == VERSION
                if not reply["ok"]:
                    assert set(reply["error"]) == {"code", "message", "field"}
                    assert reply["error"]["message"]
                    assert len(reply["error"]["message"]) < 2000
                replies["ok" if reply["ok"] else reply["error"]["code"]] += 1
    assert sum(replies.values()) == number
    assert set(replies) <= CODES - {"internal"} | {"ok"}
    return replies


def knock(endpoint, number, seed=1):
    """Open so many bare TCP connections, send what is no ZeroMQ, close some halfway."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    held = []
    for data in itertools.islice(hostile.streams(seed), number):
        one = socket.create_connection((host, int(port)), timeout=5)
        with suppress(OSError):  # it may hang up on us
            one.sendall(data)
        held.append(one)
        if len(held) > 20:
            held.pop(0).close()
    for one in held:
        one.close()


def subscribe_to_nonsense(stream, number, seed=1):
    """Whatever a subscriber can send to a publisher."""
    source = hostile.streams(seed)
    with zmq.Context.instance().socket(zmq.XSUB) as one:
        one.setsockopt(zmq.LINGER, 0)
        one.setsockopt(zmq.SNDTIMEO, 5000)
        one.connect(stream)
        for data in itertools.islice(source, number):
            one.send(data[:1000])
            one.send(b"\x01" + data[:1000])
            one.send(b"\x00" + data[:1000])
    host, _, port = stream.removeprefix("tcp://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as bare:  # a socket of libzmq would not survive it
        bare.settimeout(5)
        with suppress(ConnectionError):  # it is cut off
            bare.sendall(hostile.GREETING + hostile.ready(b"SUB") + hostile.long_frame(b"\x01" + bytes(2**20)))
            while bare.recv(1000):
                pass


def resident_kib(process):
    (line,) = (line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "VmRSS" in line)
    return int(line.split()[1])


def turns(session):
    """Wait until the loop has turned some more; a fast machine besieges in no time."""
    tick = session.describe()["tick"]
    wait_for(lambda: session.describe()["tick"] > tick + 20)


def is_undisturbed(tmp_path, out, data):
    """What was recorded is what the same protocol gives if left alone."""
    kept = stored(out)
    ticks = sum(1 for _ in codec.split(kept))
    assert ticks > 20
    alone = lasting(ticks * 0.01)
    record(tmp_path / "alone", {**data, "schedule": alone["schedule"]})
    assert stored(tmp_path / "alone") == kept
    assert replayed(out)["identical"] is True


def siege_of_a_session(tmp_path, number):
    with served(tmp_path, HOUR, "--json") as (control, out, process):
        with Session(control) as session:
            described, before = session.describe(), resident_kib(process)
            replies = besiege(control, "session", number)
            knock(control, 60 + number // 100)
            knock(described["stream"], 60 + number // 100)
            subscribe_to_nonsense(described["stream"], 100 + number // 100)
            health = session.health()
            assert health["state"] == "running"
            turns(session)
            # A bare connection may have got through with a message too.
            assert health["errors"] >= sum(n for code, n in replies.items() if code != "ok")
            assert session.describe()["perturbations"] == []
            assert process.poll() is None
            grown = resident_kib(process) - before
            assert grown < GROWN_KIB, "something is kept of every request"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        summary = json.loads(process.stdout.read().splitlines()[-1])
    is_undisturbed(tmp_path, out, HOUR)
    return replies, summary, grown


def test_a_session_withstands_a_siege(tmp_path):
    replies, _, _ = siege_of_a_session(tmp_path, 1500)
    for code in ("malformed", "too_large", "bad_version", "unknown_operation", "invalid"):
        assert replies[code] > 0


def siege_of_a_supervisor(data, number):
    data.mkdir()
    with daemon(data) as one:
        with Supervisor(one.control) as supervisor:
            before = contents(data)
            replies = besiege(one.control, "supervisor", number)
            knock(one.control, 60 + number // 100)
            assert supervisor.sessions()["sessions"] == []
            assert supervisor.health()["errors"] >= sum(n for code, n in replies.items() if code != "ok")
        assert one.process.poll() is None
        grown = resident_kib(one.process)
        assert one.end() == 0
    assert contents(data) == before
    return replies, grown


def test_a_supervisor_withstands_a_siege(tmp_path):
    replies, _ = siege_of_a_supervisor(tmp_path / "data", 1500)
    for code in ("malformed", "too_large", "bad_version", "unknown_operation", "invalid", "not_found"):
        assert replies[code] > 0


def test_a_flood_that_reads_no_replies_delays_no_other_client(tmp_path):
    request = msgpack.packb({"v": VERSION, "id": "flood", "op": "describe"})
    with served(tmp_path, HOUR, "--json") as (control, out, process):
        with dealer(control, room=1) as flood, Session(control, timeout_s=10.0, attempts=1) as session:
            wait_for(lambda: session.health()["state"] == "running")
            for sent in range(4000):
                flood.send(request)  # it is read on, though its replies are not
                if sent % 500 == 0:
                    assert session.health()["state"] == "running"
            wait_for(lambda: session.health()["dropped"] > 0)  # nothing is kept for us without bound
            turns(session)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    is_undisturbed(tmp_path, out, HOUR)


def test_a_flood_of_inputs_gets_busy(tmp_path):
    """Well-formed inputs that this session refuses: a tick looks at 16 of them, and more than 1,024 never wait."""
    with served(tmp_path, HOUR, "--json") as (control, out, process):
        with dealer(control) as flood:
            number = 1600
            for n in range(number):
                given = {"op": "kinematics", "velocity": [0.0, 0.0]}
                flood.send(msgpack.packb({"v": VERSION, "id": f"k{n}", "op": "input", "input": given}))
            replies = Counter()
            for _ in range(number):
                assert flood.poll(20_000), dict(replies)
                replies[msgpack.unpackb(flood.recv())["error"]["code"]] += 1
        assert replies["refused"] >= 1024
        assert replies["refused"] + replies["busy"] == number
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    is_undisturbed(tmp_path, out, HOUR)


def test_a_frame_beyond_all_bounds_ends_its_connection_only(tmp_path):
    with served(tmp_path, HOUR, "--json") as (control, _, process):
        with Session(control) as session, dealer(control) as asking:
            asking.send_multipart([msgpack.packb({"v": VERSION, "id": "x", "op": "describe"}), bytes(17 * 2**20)])
            assert not asking.poll(1000)
            assert session.health()["state"] == "running"
            assert resident_kib(process) < 600_000
        with Session(control) as again:
            assert again.describe()["state"] == "running"


class Besieged:
    """One socket to a service, for messages that were requests before they were spoilt."""

    def __init__(self, endpoint, target):
        self._endpoint, self._adapter = endpoint, {"session": wire.OF_SESSION, "supervisor": wire.OF_SUPERVISOR}[target]
        self.replies = Counter()

    def send(self, several):
        """Send those that can change nothing; each is answered once."""
        hostile = [frames for frames in several if self._changes_nothing(frames)]
        with dealer(self._endpoint) as asking:
            for frames in hostile:
                asking.send_multipart(frames)
            for _ in hostile:
                assert asking.poll(30_000), f"no reply; so far {dict(self.replies)}"
                reply = msgpack.unpackb(asking.recv_multipart()[0])
                if not reply["ok"]:
                    wire.Failed.model_validate(reply)
                self.replies["ok" if reply["ok"] else reply["error"]["code"]] += 1

    def _changes_nothing(self, frames):
        try:
            return envelope.read(frames, self._adapter).op in wire.OBSERVING
        except envelope.RequestFault:
            return bool(frames[0])  # empty, it is the delimiter of a REQ socket


def spoilt(target, number):
    one = st.tuples(generated.spoilt(valid[target]).map(generated.packed), st.lists(st.binary(max_size=9), max_size=2))
    return st.lists(one.map(lambda parts: [parts[0], *parts[1]]), min_size=number, max_size=number)


@pytest.mark.campaign
@pytest.mark.parametrize("target", ["session", "supervisor"])
def test_a_hundred_thousand_that_were_requests(tmp_path, capsys, target):
    """By hand: prints what became of them."""

    def siege(besieged, examples=1100, each=50):
        @given(spoilt(target, each))
        @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
        def send(several):
            besieged.send(several)

        send()
        assert set(besieged.replies) <= CODES - {"internal"} | {"ok"}
        with capsys.disabled():
            print(f"\n{target}: {sum(besieged.replies.values())} messages, {dict(besieged.replies)}")

    if target == "session":
        with served(tmp_path, HOUR, "--json") as (control, out, process):
            with Session(control) as session:
                session.describe()
                siege(Besieged(control, target))
                turns(session)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        is_undisturbed(tmp_path, out, HOUR)
    else:
        with daemon(tmp_path) as one:
            before = contents(tmp_path)
            siege(Besieged(one.control, target))
            assert contents(tmp_path) == before
            assert one.end() == 0


@pytest.mark.campaign
def test_a_hundred_thousand(tmp_path, capsys):
    """By hand: prints what became of them, and how late the ticks were meanwhile."""
    begun = time.monotonic()
    session, summary, session_kib = siege_of_a_session(tmp_path, 70_000)
    (tmp_path / "second").mkdir()
    supervisor, supervisor_kib = siege_of_a_supervisor(tmp_path / "second" / "data", 35_000)
    with capsys.disabled():
        print(f"\n{sum(session.values()) + sum(supervisor.values())} messages in {time.monotonic() - begun:.0f} s")
        print(
            f"session {dict(session)}, grown by {session_kib} KiB\nsupervisor {dict(supervisor)}, {supervisor_kib} KiB"
        )
        print(f"{summary['ticks']} ticks, lateness {summary['lateness']}")
