"""Tests with real LSL streams, which `test_bridge.py` runs in a network namespace: elsewhere others would see them."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pylsl
import pytest
from pylsl.util import LostError

from decoderd.recording.store import open_store
from decoderd.service import process_file
from decoderd.wire import codec, topics
from decoderd_client import Session
from decoderd_client.plugins import Unable
from decoderd_plugins.lsl import LSL, Config, bridge, inlets, streams
from tests.protocols import lasting, outside
from tests.running import TIMEOUT_S, record, stored
from tests.service.serving import asking, daemon, served, wait_for

# Ticks that may have been published and not stored when a process dies, at ten times real time.
AT_RISK = 500


@pytest.fixture(autouse=True)
def _isolated():
    names = {line.partition(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]}
    if names - {"lo", "sit0", "tunl0", "ip6tnl0"}:
        pytest.fail(f"other machines could see these streams through {sorted(names)}: run test_bridge.py")


class Reader(threading.Thread):
    """Everything that comes from a stream of this name, from when it is made until `close`."""

    def __init__(self, name):
        super().__init__(daemon=True)
        (info,) = pylsl.resolve_byprop("name", name, timeout=TIMEOUT_S)
        self._inlet = pylsl.StreamInlet(info)
        self._inlet.open_stream(timeout=TIMEOUT_S)
        self.samples, self.times, self._over = [], [], threading.Event()
        self.start()

    def run(self):
        while not self._over.is_set():
            samples, times = self._inlet.pull_chunk(timeout=0.05)
            self.samples += samples
            self.times += times

    def close(self):
        self._over.set()
        self.join(TIMEOUT_S)
        return self.samples, self.times


@contextmanager
def bridged(control, **options):
    """A bridge in a thread; gives its lines and itself, and has it end with the session."""
    said = []

    def go():
        with Session(control) as session:
            LSL.run(session, Config(**options), said.append)

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    yield said, thread
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()


def payloads(directory, topic):
    return [topics.read(topic, one) for one in codec.decode_all(stored(directory, topic))]


def test_every_tick_comes_once_although_the_session_is_paused_and_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(bridge, "LINGER_S", 0.3)
    data = lasting(10.0)
    record(tmp_path / "alone", data, name="a")
    stamps = {}
    (tmp_path / "data").mkdir()
    with daemon(tmp_path / "data") as one, asking(one) as supervisor:
        supervisor.start("a", data, speed="10")
        folder = tmp_path / "data" / "a"
        wait_for(lambda: supervisor.find("a")["state"] == "running")
        with supervisor.session("a") as session:
            session.pause()
            with bridged(session.endpoint, map="velocity=NDS-Behavior") as (said, _):
                names = [*(f"decoderd.a.{kind}" for kind in ("kinematics", "counts", "events")), "NDS-Behavior"]
                readers = {name: Reader(name) for name in names}

                def follow():
                    with Session(session.endpoint) as own, own.subscribe(["tick"]) as messages:
                        for message in messages:
                            if message.sent_ns is not None:
                                stamps[message.tick] = message.sent_ns * 1e-9

                following = threading.Thread(target=follow, daemon=True)
                following.start()
                first = session.describe()["tick"]
                session.resume()
                wait_for(lambda: session.describe()["tick"] > 400)
                os.kill(process_file.read(folder).pid, signal.SIGKILL)
            following.join(TIMEOUT_S)
        got = {name: reader.close() for name, reader in readers.items()}

    assert stored(folder) == stored(tmp_path / "alone")
    table = streams.available({**DESCRIPTION, "units": 12})
    ticks, times = payloads(folder, "tick"), np.array(got["decoderd.a.kinematics"][1])
    expected = np.array([table["kinematics"].sample(tick) for tick in ticks[first:]], dtype=np.float32)
    np.testing.assert_array_equal(np.array(got["decoderd.a.kinematics"][0], dtype=np.float32), expected)
    np.testing.assert_array_equal(np.array(got["NDS-Behavior"][0], dtype=np.float32), expected[:, 2:4])
    # Ticks that were published and not stored when the process was killed come again, with a stamp of their own:
    # bridge and follower may have had them at different times.
    with open_store(folder) as store:
        again = store.incarnations()[-1]["from_tick"]
    once = {tick: time_s for tick, time_s in stamps.items() if not again <= tick < again + AT_RISK}
    late = [abs(times[tick - first] - time_s) for tick, time_s in once.items()]
    assert len(late) > 300
    assert max(late) < 1e-6
    assert np.all(np.diff(times) >= 0)

    bins = [one for one in payloads(folder, "counts") if one.tick >= first]
    summed = [np.frombuffer(one.data, one.dtype).reshape(one.shape).sum(axis=0) for one in bins]
    np.testing.assert_array_equal(got["decoderd.a.counts"][0], summed)
    markers = [json.loads(text) for (text,) in got["decoderd.a.events"][0]]
    for topic in ("task", "trial"):
        ends = [(one.tick, one.trial) for one in payloads(folder, topic) if one.tick >= first]
        assert [(one["tick"], one["trial"]) for one in markers if one["topic"] == topic] == ends
    runs = [one["event"] for one in markers if one["topic"] == "session"]
    assert runs[-3:] == ["continued", "resumed", "done"]  # earlier ones come where they were not on the disk at first
    assert said[0].startswith("LSL listens on all network interfaces")
    assert said[1] == "decoderd.a.kinematics: Mocap, 10 channels of float32, 1000 Hz"
    assert said[-1] == f"NDS-Behavior: {len(ticks) - first} samples sent"


DESCRIPTION = {"session": "a", "speed": "10", "tick_s": 0.01, "bin_ticks": 5, "channels": ["counts"]}


HOUR = outside(schedule={"days": 1, "blocks": [{"name": "only", "duration_s": 3600.0}]})


def outlet(name, channels, kind, rate_hz=0.0):
    return pylsl.StreamOutlet(pylsl.StreamInfo(name, "test", channels, rate_hz, kind, f"{name}-source"))


def ticked(messages, thread, deadline_s):
    """The next tick, as long as there is time and the bridge runs."""
    message = messages.next(timeout_s=TIMEOUT_S)
    assert message is not None
    assert time.monotonic() < deadline_s
    assert thread.is_alive()
    return message


def lost(*_, **__):
    raise LostError


def test_velocities_and_markers_of_other_programs_come_in(tmp_path, monkeypatch):
    monkeypatch.setattr(bridge, "LINGER_S", 0.0)
    velocities, markers = outlet("dec", 2, "float32", 50.0), outlet("task", 1, "string")
    flat, twins = outlet("flat", 3, "float32", 50.0), [outlet("twin", 2, "float32", 50.0) for _ in range(2)]
    with served(tmp_path, HOUR) as (control, out, _), Session(control) as session:
        # Streams answer late on a busy machine: those that are there are waited for until they have.
        for name, wait_s, another_s, message in [
            ("flat", TIMEOUT_S, 0.5, "has 3 channels; velocities have two"),
            ("absent", 1.0, 0.5, "no LSL stream of this name in 1 s; there are: .*dec"),
            ("twin", TIMEOUT_S, TIMEOUT_S, "2 LSL streams have this name"),
        ]:
            monkeypatch.setattr(inlets, "ANOTHER_S", another_s)
            monkeypatch.setattr(inlets, "OTHERS_S", 5.0)
            with pytest.raises(Unable, match=message):
                LSL.run(session, Config(input=name, wait_s=wait_s), print)
        monkeypatch.setattr(inlets, "ANOTHER_S", 0.5)
        with monkeypatch.context() as patched:  # pylsl gives every stream a source_id to find it by; others may not
            patched.setattr(pylsl.StreamInlet, "pull_sample", lost)
            with pytest.raises(Unable, match="dec: the stream has ended"):
                LSL.run(session, Config(input="dec", streams="velocity", wait_s=TIMEOUT_S), print)
        with bridged(control, input="dec,task", input_scale=0.001, streams="velocity", wait_s=TIMEOUT_S) as (
            said,
            thread,
        ):
            assert markers.wait_for_consumers(TIMEOUT_S)
            for text in ("start", "nonsense", '{"event": "go", "target": [0.05, 0.0], "radius_m": 0.01, "index": 0}'):
                markers.push_sample([text])
            with session.subscribe(["tick"]) as messages:
                # Again and again, as a decoder does: a sample that comes before the inlet is open is lost.
                deadline_s = time.monotonic() + TIMEOUT_S
                velocities.push_sample([float("nan"), 0.0])
                while tuple(ticked(messages, thread, deadline_s).cursor[2:]) != (0.02, -0.01):
                    velocities.push_sample([20.0, -10.0])
                markers.push_sample(["end"])
                while ticked(messages, thread, deadline_s).phase:
                    pass
            session.stop()
        wait_for(lambda: process_file.read(out) is None or payloads(out, "trial"))
    (trial,) = payloads(out, "trial")
    assert (tuple(trial.target), trial.outcome) == ((0.05, 0.0), "success")
    assert any(line.startswith("task: not taken: marker 'nonsense' is no task event") for line in said)
    assert said[-1] == "task: 3 samples consumed by the session"
    del flat, twins
