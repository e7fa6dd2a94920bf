"""A served session with an outlet in memory: what is published is what is stored, and control answers meanwhile."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest
import zmq

from decoderd.errors import NumericalError
from decoderd.protocol import protocol as protocols
from decoderd.recording import session_file
from decoderd.recording.store import open_store
from decoderd.run.outlet import MemoryOutlet
from decoderd.run.runner import drive
from decoderd.run.signals import Interrupt
from decoderd.service.description import RunInfo
from decoderd.service.live_session import ControlThread, LiveSession
from decoderd.service.requests import RequestSocket, open_router
from decoderd.service.systemd import Watchdog
from decoderd.wire import codec, control, envelope
from tests.protocols import begun, bursting, centre_out, lasting
from tests.running import record
from tests.service.in_memory import KeptEntry
from tests.service.serving import wait_for

DATA = centre_out(schedule={"days": 2, "blocks": [{"name": "only", "trials": 2}]})
ENDPOINTS = ("tcp://127.0.0.1:1", "tcp://127.0.0.1:2")


@pytest.fixture
def sockets():
    """A router for the session, and a dealer to ask it, within the process."""
    context = zmq.Context()
    router, dealer = open_router(context), context.socket(zmq.DEALER)
    router.bind("inproc://control")
    dealer.connect("inproc://control")
    yield SimpleNamespace(router=router, dealer=dealer)
    context.destroy(linger=0)


def served(directory, data, router, on_progress=None, outlet=None):
    """Run a session with its service in memory: (summary, outlet, requests)."""
    session, state = begun(data)
    store, encoder = session_file.begin(directory, session, state)
    run_info = RunInfo(session, store, 1, state.tick, "max", *ENDPOINTS, protocols.dump(session.protocol))
    outlet, requests, interrupt = outlet or MemoryOutlet(), RequestSocket(router), Interrupt()
    with store, LiveSession(run_info, state, outlet, requests, None, interrupt, Watchdog(), KeptEntry()) as live:
        summary = drive(store, encoder, session, state, "max", None, on_progress, live, interrupt)
        live.linger(0.05)
    return summary, outlet, requests


def test_what_is_published_is_what_is_stored(tmp_path, sockets):
    summary, outlet, _ = served(tmp_path / "served", DATA, sockets.router)
    assert summary["digest"] == record(tmp_path / "alone", DATA)["digest"]
    with open_store(tmp_path / "served") as store:
        for topic in (*codec.TOPICS, *codec.OBSERVED):
            stored = b"".join(chunk.data for chunk in store.chunks(topic))
            assert b"".join(body for name, body in outlet.sent if name == topic) == stored
    happened = [codec.decode(body) for name, body in outlet.sent if name == "session"]
    assert [(payload["x"], payload["w"]) for payload in happened] == [("began", ENDPOINTS[1]), ("done", ENDPOINTS[1])]
    assert outlet.sent[0][0] == "session"


def test_a_stop_is_answered_once_everything_is_stored(tmp_path, sockets):
    version = control.Stop.model_fields["v"].annotation.__args__[0]

    def ask(state):
        if state.tick == 20:
            sockets.dealer.send_multipart(envelope.write({"v": version, "id": "1", "op": "stop"}))
            sockets.dealer.poll(200)  # time for control to receive it; its reply comes later

    summary, outlet, requests = served(tmp_path, lasting(3600.0), sockets.router, ask)
    assert sockets.dealer.poll(5000)
    reply = codec.decode(sockets.dealer.recv_multipart()[0])
    assert (reply["ok"], reply["tick"], reply["changed"]) == (True, summary["ticks"], True)
    assert (summary["done"], requests.requests) == (False, 1)
    assert codec.decode([body for name, body in outlet.sent if name == "session"][-1])["x"] == "stopped"
    with open_store(tmp_path) as store:
        assert store.next_number("tick") == summary["ticks"]


def test_a_session_that_cannot_go_on_says_why_to_its_subscribers(tmp_path, sockets):
    outlet = MemoryOutlet()
    with pytest.raises(NumericalError) as caught:
        served(tmp_path, bursting(137, [3], {"clip_spikes": False}), sockets.router, outlet=outlet)
    happened = [codec.decode(body) for name, body in outlet.sent if name == "session"]
    assert [payload["x"] for payload in happened] == ["began", "failed"]
    assert happened[-1]["w"] == str(caught.value)
    assert "tick 137 (day 1): unit 3" in happened[-1]["w"]
    with open_store(tmp_path) as store:
        assert b"".join(chunk.data for chunk in store.chunks("session")).endswith(codec.encode(happened[-1]))


def test_health_says_how_much_was_clipped(tmp_path, sockets):
    data = bursting(137, [3, 5], schedule={"blocks": [{"duration_s": 2.0}]})
    summary, outlet, _ = served(tmp_path, data, sockets.router)
    health = [codec.decode(body)["c"] for name, body in outlet.sent if name == "health"]
    assert sum(health) == summary["clipped"] == 2 * (200 - 137)


def test_an_error_in_the_loop_ends_the_thread_of_control(tmp_path, sockets):
    def fail(state):
        raise ZeroDivisionError

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        served(tmp_path, DATA, sockets.router, fail)
    assert threading.active_count() == before


def test_a_thread_of_control_goes_on_after_an_error(monkeypatch, capfd):
    """As of a descriptor that could not be had; the thread is all that answers clients."""
    turns = []

    class Control:
        def turn(self, timeout_ms):
            turns.append(timeout_ms)
            if len(turns) == 1:
                raise OSError(24, "Too many open files")
            time.sleep(0.001)

    thread = ControlThread(Control(), SimpleNamespace(wake_control=lambda: None))
    thread.start(paced=False)
    wait_for(lambda: len(turns) > 3)
    thread.end()
    assert "control: Too many open files" in capfd.readouterr().err
