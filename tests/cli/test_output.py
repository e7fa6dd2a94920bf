"""What commands print: summaries; progress bars on a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from pathlib import Path

import pytest

from decoderd.cli import output
from decoderd.input_warning import InputWarning
from tests import running
from tests.protocols import lasting
from tests.running import cli

INTERRUPTED = {
    "session": "one-1",
    "days": 0,
    "trials": 2,
    "successes": 1,
    "success_rate": 0.5,
    "ticks": 370,
    "sim_s": 3.7,
    "wall_s": 0.5,
    "speed": 7.4,
    "digest": "0" * 64,
    "clipped": 0,
    "lateness": {"p50_us": None},
    "done": False,
}


@pytest.mark.parametrize(
    ("directory", "said"),
    [(Path("runs/one"), "everything is stored; go on with: decoderd resume runs/one"), (None, "nothing is kept")],
)
def test_an_interrupted_session_says_what_is_kept(capsys, directory, said):
    output.session_summary(INTERRUPTED, False, directory)
    assert capsys.readouterr().out.endswith(f"interrupted at tick 370, {said}\n")
    output.session_summary({**INTERRUPTED, "done": True}, False, directory)
    assert "interrupted" not in capsys.readouterr().out


def test_warnings_are_lines_on_stderr_and_objects_for_json(capsys):
    found = [InputWarning("counts", f"units {', '.join(map(str, range(60)))}: silent"), InputWarning(None, "[b]short")]
    assert output.warnings(found) == [{"field": w.field, "message": w.message} for w in found]
    shown = capsys.readouterr()
    assert shown.err == "".join(f"warning: {w.message}\n" for w in found)
    assert shown.out == ""


def on_a_terminal(*arguments):
    """(what a terminal was shown on stderr, exit status)"""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in running.environment().items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        running.command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**environment, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    shown, until = b"", time.monotonic() + running.TIMEOUT_S
    try:
        while time.monotonic() < until:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # the other end is closed
                    break
                shown += part
        process.communicate(timeout=running.TIMEOUT_S)
    finally:
        running.end(process)
        os.close(ours)
    return shown.decode(), process.returncode


def test_a_bar_on_a_terminal_for_what_takes_longer_than_two_seconds(tmp_path):
    path = running.write(tmp_path / "p.toml", lasting(4.0))
    shown, status = on_a_terminal("run", path, "--speed", "1")
    assert status == 0
    assert "small-3" in shown
    assert "%" in shown
    # The last line of it is gone in the end.
    assert shown.rstrip().endswith("\x1b[?25h") or "\x1b[2K" in shown


def test_no_bar_for_what_is_over_sooner(tmp_path):
    shown, status = on_a_terminal("run", running.write(tmp_path / "p.toml", lasting(0.5)), "--speed", "1")
    assert (shown, status) == ("", 0)


def test_no_bar_where_there_is_no_terminal(tmp_path):
    done = cli("run", running.write(tmp_path / "p.toml", lasting(3.0)), "--speed", "1", "--json")
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
