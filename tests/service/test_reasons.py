"""Reasons as clients see them: signals by name, and no folder of the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from decoderd.service import reasons

DATA = Path("/srv/decoderd data")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (None, None),
        (0, None),
        (1, None),
        (-9, "ended by signal 9 (SIGKILL, as when memory runs out)"),
        (-11, "ended by signal 11 (SIGSEGV)"),
        (-60, "ended by signal 60 (a real-time signal)"),
    ],
)
def test_how_a_process_ended(status, text):
    assert reasons.of_status(status) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/srv/decoderd data/a/session.sqlite: full", "a/session.sqlite: full"),
        ("/srv/decoderd data: cannot be read", "the data directory: cannot be read"),
        ('File "/opt/decoderd/lib/python3.11/loop.py", line 3', 'File "loop.py", line 3'),
        ("(/etc/decoderd/keys/server.key)", "(server.key)"),
        ("a/session.sqlite at 3 m/s, 4 1/2 of 5", "a/session.sqlite at 3 m/s, 4 1/2 of 5"),
        ("tcp://127.0.0.1:5570: in use; ipc:///run/decoderd/control", "tcp://127.0.0.1:5570: in use; "
         "ipc:///run/decoderd/control"),
    ],
)  # fmt: skip
def test_folders_are_left_out(text, shown):
    assert reasons.without_folders(text, DATA) == shown
