"""Signals to the process that holds the lock of a folder, and to no other that has its number."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from decoderd.errors import Shortage
from decoderd.service import process_file, process_signal

HOLDS = """
import sys, time
from pathlib import Path
from decoderd.service import process_file
with process_file.locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def process(tmp_path):
    """A process that has locked the folder."""
    one = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert one.stdout.readline() == "locked\n"
    yield one
    one.kill()
    one.communicate(timeout=20)


def test_the_process_that_holds_the_lock_is_found_and_gets_the_signal(tmp_path, process):
    assert process_signal.holder(tmp_path) == process.pid
    assert process_signal.send(tmp_path, process.pid, signal.SIGKILL)
    assert process.wait(20) == -signal.SIGKILL
    assert process_signal.holder(tmp_path) is None


def test_another_process_gets_none(tmp_path, process):
    """It may have got the number of a session process that has ended; it may even have the file open."""
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert not process_signal.send(tmp_path, other.pid, signal.SIGKILL)
        with (tmp_path / process_file.LOCK).open("rb"):
            assert not process_signal.send(tmp_path, os.getpid(), signal.SIGKILL)
    finally:
        other.communicate(timeout=20)
    assert other.returncode == 1  # by itself, at the end of its input


def test_a_process_that_has_ended_gets_none(tmp_path, process):
    process.kill()
    process.wait(20)
    assert not process_signal.send(tmp_path, process.pid, signal.SIGTERM)


def test_without_a_descriptor_it_is_not_known(tmp_path, monkeypatch):
    def none_left(*_):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", none_left)
    with pytest.raises(Shortage, match="Too many open files"):
        process_signal.send(tmp_path, os.getpid(), signal.SIGTERM)
