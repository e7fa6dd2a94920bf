"""`decoderd dashboard` with arguments that cannot be used. What it shows: tests/clients/plugins/dashboard."""

from __future__ import annotations

import socket
import sys

import pytest
from typer.testing import CliRunner

pytest.importorskip("websockets")

from decoderd.cli import app
from decoderd.errors import DecoderdError
from tests.service.serving import daemon

NOBODY = "tcp://127.0.0.1:1"


def wrong(*arguments):
    """What the one error says that ended the command."""
    done = CliRunner().invoke(app.app, ["dashboard", *map(str, arguments)])
    assert isinstance(done.exception, DecoderdError), (done.output, done.exception)
    return str(done.exception)


def test_a_port_that_is_taken_and_a_session_that_does_not_exist(tmp_path):
    with daemon(tmp_path) as one, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = wrong("--supervisor", one.control, "--port", port)
        assert said == f"--port {port}: Address already in use: give another port"
        assert "no session 'nobody'" in wrong("nobody", "--supervisor", one.control)


def test_a_daemon_that_is_not_there(monkeypatch):
    monkeypatch.setattr("decoderd.cli.clients.TIMEOUT_S", 0.05)
    assert "is it running?" in wrong("--supervisor", NOBODY)
    assert "is it running?" in wrong(NOBODY)


def test_a_missing_extra_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "websockets", None)  # an import of it fails
    assert "pip install 'decoderd[dashboard]'" in wrong("--supervisor", NOBODY)


def test_other_wrong_arguments(tmp_path):
    assert "no endpoint" in wrong("--supervisor", "nowhere")
    assert str(tmp_path / "nothing") in wrong("--keys", tmp_path / "nothing")
    assert CliRunner().invoke(app.app, ["dashboard", "--port", "70000"]).exit_code == 2
