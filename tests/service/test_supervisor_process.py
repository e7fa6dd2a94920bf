"""The supervisor's process: its folder, its port, keys for other addresses, and where its sessions bind."""

from __future__ import annotations

import os
import time

import pytest
import zmq

from decoderd.service import keys
from decoderd.service.supervisor_process import _host
from decoderd_client import ClientKeys, Supervisor
from tests.protocols import centre_out, lasting
from tests.running import cli, failure, write
from tests.service.serving import asking, daemon, wait_for


@pytest.mark.parametrize(
    ("bound", "host"),
    [
        ("tcp://127.0.0.1:5570", "127.0.0.1"),
        ("tcp://192.168.1.20:5570", "192.168.1.20"),
        ("tcp://[::1]:5570", "[::1]"),
        ("ipc:///run/decoderd/control", "127.0.0.1"),
    ],
)
def test_sessions_bind_to_the_address_of_the_supervisor(bound, host):
    assert _host(bound) == host


def test_a_folder_and_a_port_have_one_supervisor(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    with daemon(data) as one:
        second = cli("serve", "--data", data, "--control", "tcp://127.0.0.1:*", timeout=30)
        assert (second.returncode, "another process serves" in failure(second)) == (1, True)
        other = cli("serve", "--data", tmp_path / "other", "--control", one.control, timeout=30)
        assert other.returncode == 1
        assert one.control in failure(other)
        assert "in use" in failure(other)


@pytest.mark.parametrize("command", ["serve", "run"])
def test_the_open_net_takes_keys(tmp_path, command):
    protocol = [write(tmp_path / "p.toml", centre_out()), "--serve"] if command == "run" else []
    where = ["--data", tmp_path / "data"] if command == "serve" else ["--out", tmp_path / "out"]
    done = cli(command, *protocol, *where, "--control", "tcp://0.0.0.0:*", timeout=30)
    assert done.returncode == 1
    assert "keys" in failure(done)
    assert not (tmp_path / "out" / "session.sqlite").exists()


def test_a_data_directory_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    done = cli("serve", "--data", tmp_path / "file", "--control", "tcp://127.0.0.1:*", timeout=30)
    assert done.returncode == 1
    assert str(tmp_path / "file") in failure(done)
    assert (tmp_path / "file").read_text() == "mine"


def test_keys_that_others_may_change_are_refused(tmp_path):
    keys.make_keys(tmp_path / "keys")
    (tmp_path / "keys" / "controllers").chmod(0o775)
    done = cli("serve", "--data", tmp_path / "data", "--keys", tmp_path / "keys", timeout=30)
    assert done.returncode == 1
    assert "controllers: group or others may write it (mode 0775); right is `chmod 700 " in failure(done)


def test_a_client_that_is_removed_is_disconnected_from_supervisor_and_session_within_a_second(tmp_path):
    folder = tmp_path / "keys"
    keys.make_keys(folder)
    anna, otto = (ClientKeys.load(keys.add_client(folder, name, "controller")) for name in ("anna", "otto"))
    with (
        daemon(tmp_path / "data", "--keys", folder) as one,
        Supervisor(one.control, timeout_s=30.0, keys=anna) as supervisor,
        Supervisor(one.control, timeout_s=30.0, keys=otto) as others,
    ):
        supervisor.start("a", lasting(3600.0))
        with (
            supervisor.session("a") as session,
            others.session("a") as others_session,
            session.subscribe(["tick"]) as ticks,
            others_session.subscribe(["tick"]) as others_ticks,
        ):
            first = [one.next(timeout_s=30.0) for one in (ticks, others_ticks)]
            assert None not in first
            sockets = [one._socket for one in (supervisor, session, ticks)]
            lost = [socket.get_monitor_socket(zmq.EVENT_DISCONNECTED) for socket in sockets]
            (folder / "controllers" / "anna.key").unlink()
            began = time.monotonic()
            assert all(monitor.poll(30_000) for monitor in lost)
            assert time.monotonic() - began < 1.0
            numbers = [others_ticks.next(timeout_s=30.0).sequence for _ in range(100)]
            assert numbers == list(range(first[1].sequence + 1, first[1].sequence + 101))  # what it missed was fetched
            assert others_session.pause()["changed"]
            assert others.find("a")["session"] == "a"
            for socket in sockets:
                socket.disable_monitor()
            for monitor in lost:
                monitor.close()


def test_a_protocol_from_a_client_may_name_nothing_that_blocks_and_needs_no_more_memory_than_allowed(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    wrong = {
        "pipe": ({"kind": "replay", "file": str(tmp_path / "pipe.npz")}, "is a named pipe, expected a regular file"),
        "nul": ({"kind": "rnn", "file": "one\0other.npz"}, "NUL character in its name"),
        "large": ({"kind": "rnn", "units": 20_000}, "allowed are 1.07 GB (--max-memory)"),
    }
    with daemon(tmp_path / "data", "--max-memory", "1G") as one, asking(one) as supervisor:
        for name, (population, _) in wrong.items():
            supervisor.start(name, centre_out(population=population, decoder={"kind": "external"}))
        for name, (_, says) in wrong.items():
            wait_for(lambda name=name: supervisor.find(name)["state"] == "failed")
            assert says in supervisor.find(name)["why"]
