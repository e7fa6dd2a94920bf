"""The supervisor's process: its folder, its port, keys for other addresses, and where its sessions bind."""

from __future__ import annotations

import pytest

from decoderd.service.supervisor_process import _host
from tests.protocols import centre_out
from tests.running import cli, failure, write
from tests.service.serving import daemon


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
