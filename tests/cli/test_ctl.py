"""`decoderd ctl` and `watch` in this process against a daemon of its own, and their errors."""

from __future__ import annotations

import json
import socket

import numpy as np
import pytest
from typer.testing import CliRunner

from decoderd.cli import app
from decoderd.errors import DecoderdError
from tests.protocols import lasting
from tests.running import write
from tests.service.serving import asking, daemon, wait_for


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A daemon with a session `a` that runs."""
    with daemon(tmp_path_factory.mktemp("commands")) as found:
        with asking(found) as supervisor:
            supervisor.start("a", lasting(3600.0))
            wait_for(lambda: supervisor.find("a")["state"] == "running")
        yield found


def invoked(*arguments):
    return CliRunner().invoke(app.app, [str(one) for one in arguments])


def said(*arguments):
    """The reply that was printed."""
    done = invoked(*arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def wrong(*arguments):
    """What the one error says that ended the command."""
    done = invoked(*arguments)
    assert isinstance(done.exception, DecoderdError), (done.output, done.exception)
    return str(done.exception)


def test_a_session_by_its_name(one, tmp_path):
    here = ("--control", one.control)
    assert said("ctl", "describe", "a", *here)["session"] == "a"
    assert said("ctl", "health", "a", *here)["state"] == "running"
    assert said("ctl", "health", *here)["sessions"] == {"running": 1}
    assert said("ctl", "pause", "a", *here)["changed"] is True
    assert said("ctl", "resume", "a", *here)["changed"] is True
    given = json.dumps({"op": "metrics", "source": "me", "values": {"x": 1.5}})
    assert said("ctl", "give", "a", given, *here)["changed"] is True
    assert invoked("ctl", "get-decoder", "a", tmp_path / "d.npz", *here).exit_code == 0
    with np.load(tmp_path / "d.npz") as file:
        arrays = dict(file)
    assert arrays["states"].tolist() == ["vx", "vy", "1"]
    assert (arrays["length_unit"], arrays["bin_s"], arrays["version"]) == ("m", 0.05, 1)
    assert said("ctl", "set-decoder", "a", tmp_path / "d.npz", *here)["changed"] is True
    np.savez(tmp_path / "cm.npz", **{**arrays, "W": 1e4 * arrays["W"], "C": arrays["C"] / 100, "length_unit": "cm"})
    assert said("ctl", "set-decoder", "a", tmp_path / "cm.npz", *here)["changed"] is True
    invoked("ctl", "get-decoder", "a", tmp_path / "again.npz", *here)
    with np.load(tmp_path / "again.npz") as again:
        np.testing.assert_allclose(again["W"], arrays["W"], rtol=1e-12)
    np.savez(tmp_path / "other.npz", **{**arrays, "bin_s": 0.02})
    assert "for bins of 20 ms" in wrong("ctl", "set-decoder", "a", tmp_path / "other.npz", *here)
    (line,) = invoked("watch", "a", "--frames", 1, *here).stdout.splitlines()
    assert line.startswith("session a, speed realtime | time ")
    assert "running" in invoked("ctl", "list", *here).stdout


def test_a_refusal_of_the_daemon_is_the_error_of_the_command(one, tmp_path):
    here, protocol = ("--control", one.control), write(tmp_path / "p.toml", lasting(3600.0))
    granted = (*here, "--participant", "x=tick")
    for arguments, words in (
        (("watch", "nobody", *here), "no session 'nobody'; there are: a"),
        (("ctl", "describe", "a b", *here), "session: 'a b' is no name: expected 1 to 64 of"),
        (("ctl", "start", "b", protocol, "--speed", "fast", *here), "--speed fast: expected realtime"),
        (("ctl", "start", "b", protocol, "--speed", "lockstep", *here), "participants that grant are needed"),
        (
            ("ctl", "start", "b", protocol, *granted),
            "speed realtime: participants that grant are needed at speed lockstep",
        ),
        (("ctl", "give", "a", '{"op": "dance"}', *here), "input: op = 'dance': there are 'task'"),
    ):
        assert words in wrong(*arguments)
    with asking(one) as supervisor:
        assert [one["session"] for one in supervisor.sessions()["sessions"]] == ["a"]


def test_errors_of_files_endpoints_and_arguments(one, tmp_path):
    here = ("--control", one.control)
    (tmp_path / "no.npz").write_text("no arrays")
    (tmp_path / "utf16.toml").write_text("name = 'turn'", encoding="utf-16")
    (tmp_path / "marked.toml").write_text("name = 'turn'", encoding="utf-8-sig")
    np.savez(tmp_path / "text.npz", A=np.array(["x"]))
    for arguments, words in (
        (("ctl", "list", "--control", "localhost:5570"), "'localhost:5570' is no endpoint: expected tcp://HOST:PORT"),
        (("ctl", "describe", "\udcff", *here), "cannot be sent: 'utf-8' codec"),
        (("ctl", "give", "a", '{"x": 1' + 30 * "0" + "}", *here), "cannot be sent: Integer"),
        (("ctl", "give", "a", "nonsense", *here), "is not JSON"),
        (("ctl", "perturb", "a", tmp_path / "none.toml", *here), "none.toml: cannot be read: No such file"),
        (("ctl", "perturb", "a", tmp_path / "utf16.toml", *here), "utf16.toml: is UTF-16: save it as UTF-8"),
        (("ctl", "perturb", "a", tmp_path / "marked.toml", *here), "perturbation.kind: is missing"),
        (("ctl", "set-decoder", "a", tmp_path / "no.npz", *here), "no.npz: not a readable .npz file"),
        (("ctl", "set-decoder", "a", tmp_path / "text.npz", *here), "text.npz: its arrays must hold numbers"),
        (("ctl", "get-decoder", "a", tmp_path / "none" / "d.npz", *here), "d.npz: cannot be written: No such file"),
        (
            ("serve", "--data", tmp_path / "no.npz", "--control", "tcp://127.0.0.1:*"),
            "is a file; sessions need a folder",
        ),
        (("serve", "--data", one.data, "--control", "tcp://127.0.0.1:*"), "another process serves this folder"),
    ):
        assert words in wrong(*arguments)


def test_no_answer():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "is it running?" in wrong("watch", "a", "--control", f"tcp://127.0.0.1:{silent.getsockname()[1]}")


def test_a_session_is_watched_to_its_end_line_by_line_where_there_is_no_terminal(one):
    with asking(one) as supervisor:
        supervisor.start("short", lasting(2.5))
    shown = invoked("watch", "short", "--control", one.control)
    assert shown.exit_code == 0, shown.output
    assert all(line.startswith("session short, speed realtime | time ") for line in shown.stdout.splitlines())
    assert shown.stdout.endswith("process done at tick 250 (incarnation 1)\n")
    assert "tick 249 |" in shown.stdout.splitlines()[-1]
