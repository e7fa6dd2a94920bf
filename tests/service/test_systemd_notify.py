"""Notifications to systemd, received at a socket of our own in its place."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from contextlib import closing

import pytest

from decoderd import clock
from decoderd.service import systemd as notify


class Listener:
    """Stands where systemd would listen."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def received(self):
        found = []
        while True:
            try:
                found.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return found


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Without a systemd of this machine's."""
    for name in notify.VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path, monkeypatch):
    name = str(tmp_path / "notify") if request.param == "path" else f"@decoderd-test-{os.getpid()}"
    listener = Listener(name.replace("@", "\0", 1))
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    yield listener
    listener.socket.close()


@pytest.fixture
def now(monkeypatch):
    """A clock in nanoseconds that the test moves on."""
    time = [7_000_000_000]
    monkeypatch.setattr(clock, "now_ns", lambda: time[0])
    return time


def test_a_service_notifies_its_status(systemd):
    assert notify.ready("2 sessions")
    assert notify.status("3 sessions")
    assert notify.stopping()
    assert systemd.received() == ["READY=1\nSTATUS=2 sessions", "STATUS=3 sessions", "STOPPING=1"]


def test_a_status_is_one_line_and_cannot_add_another_field(systemd):
    assert notify.status("two\nWATCHDOG=1\n lines")
    assert systemd.received() == ["STATUS=two WATCHDOG=1 lines"]


def test_without_systemd_nothing_is_sent(now, monkeypatch):
    def never(*_):
        raise AssertionError("a socket was made")

    monkeypatch.setattr(notify.socket, "socket", never)
    assert not notify.ready()
    watchdog = notify.Watchdog()
    now[0] += 10**12
    watchdog.turn()
    watchdog.close()


@pytest.mark.parametrize("place", ["relative/path", "vsock:2:1234", "/no/such/folder/notify", "@no-listener", "@"])
def test_a_socket_that_is_none_is_no_error(monkeypatch, place):
    monkeypatch.setenv("NOTIFY_SOCKET", place)
    assert not notify.ready()


def test_a_full_queue_does_not_block(systemd):
    sent = sum(notify.status("busy") for _ in range(5000))
    assert sent < 5000
    assert len(systemd.received()) == sent


def test_the_watchdog_is_fed_every_third_of_the_interval(systemd, now, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    at = []
    with closing(notify.Watchdog()) as watchdog:
        for _ in range(3500):  # turns of a millisecond
            watchdog.turn()
            at += [now[0]] * len(systemd.received())
            now[0] += 1_000_000
    assert [time - at[0] for time in at] == [0, 1_000_000_000, 2_000_000_000, 3_000_000_000]


def test_only_turns_feed_the_watchdog(systemd, now, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    with closing(notify.Watchdog()) as watchdog:
        now[0] += 10**11
        assert systemd.received() == []
        watchdog.turn()
        watchdog.turn()
        assert systemd.received() == ["WATCHDOG=1"]


def test_a_process_without_a_free_descriptor_feeds_the_watchdog(systemd, now, monkeypatch):
    def none_left(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    with closing(notify.Watchdog()) as watchdog:
        monkeypatch.setattr(notify.socket, "socket", none_left)
        watchdog.turn()
        assert not notify.status("busy")
        assert systemd.received() == ["WATCHDOG=1"]


@pytest.mark.parametrize("given", ["", "0", "-5", "soon", "1.5", "³"])
def test_an_interval_that_is_none_means_no_watchdog(systemd, monkeypatch, given):
    monkeypatch.setenv("WATCHDOG_USEC", given)
    assert notify.interval_s() is None
    notify.Watchdog().turn()
    assert systemd.received() == []


def test_the_watchdog_of_another_process_is_not_fed(systemd, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    assert notify.interval_s() == 3.0
    monkeypatch.setenv("WATCHDOG_PID", str(os.getppid()))
    assert notify.interval_s() is None
    notify.Watchdog().turn()
    assert systemd.received() == []


def test_a_process_with_the_environment_of_a_unit_notifies(systemd):
    program = "from decoderd.service import systemd; systemd.ready(); systemd.Watchdog().turn(); systemd.stopping()"
    subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "WATCHDOG_USEC": "1000000"}, timeout=30, check=True
    )
    assert systemd.received() == ["READY=1", "WATCHDOG=1", "STOPPING=1"]
