"""Standard output that is full, closed or unread: one line, a status, no traceback, and what was done stays done."""

from __future__ import annotations

import os
import subprocess

import pytest

from decoderd import __version__
from tests import running
from tests.protocols import centre_out
from tests.running import cli, summary


@pytest.fixture
def full():
    """A device that has no room."""
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "w") as found:
        yield found


def run_with(arguments, **streams):
    return subprocess.run(running.command(*arguments), env=running.environment(), timeout=120, text=True, **streams)


def test_a_session_whose_summary_cannot_be_printed_is_stored(tmp_path, full):
    path = running.write(tmp_path / "p.toml", centre_out())
    out = tmp_path / "out"
    done = run_with(["run", path, "--speed", "max", "--out", out], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    said = f"standard output cannot be written: No space left on device; the session is stored in {out}"
    assert done.stderr == f"error: {said}\n"
    assert summary(cli("resume", out, "--json"))["done"]


def test_every_command_reports_a_full_standard_output(tmp_path, full):
    for arguments in (["--version"], ["replay", "--help"]):
        done = run_with(arguments, stdout=full, stderr=subprocess.PIPE)
        assert (done.returncode, done.stderr) == (
            1,
            "error: standard output cannot be written: No space left on device\n",
        )


def test_with_both_streams_full_the_status_remains(full):
    assert run_with(["--version"], stdout=full, stderr=full).returncode == 1


def test_a_command_whose_reader_has_ended_ends_as_other_tools_do():
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as unread:
        done = run_with(["--version"], stdout=unread, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_closed_standard_output_is_an_error_and_a_closed_standard_error_is_not():
    command = " ".join(running.command("--version"))
    shell = [f"{command} >&-", f"{command} 2>&- <&-", f"{command} >&- 2>&- <&-"]
    closed, quiet, all_closed = (
        subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=running.environment(), timeout=120)
        for line in shell
    )
    assert (closed.returncode, closed.stderr) == (1, "error: standard output cannot be written: it is closed\n")
    assert (quiet.returncode, quiet.stdout) == (0, f"decoderd {__version__}\n")
    assert all_closed.returncode == 1
