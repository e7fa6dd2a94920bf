"""Errors of SQLite in plain words: each kind of fault is made, and named as what it is."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

BEGIN = """
    import os, resource, sys
    from pathlib import Path
    from decoderd.checkpoint import Encoder
    from decoderd.errors import StoreError
    from decoderd.recording.store import Chunk, MessageRun, create, open_store

    folder, encoder = Path(sys.argv[1]), Encoder()

    def chunk(number):
        run = MessageRun("tick", number, 1, number, number, os.urandom(10_000))
        return Chunk([run], [], [], number + 1, 1, encoder.encode((number,)), 1, 0.0, None)

    def attempt(doing):
        try:
            doing()
            print("done")
        except StoreError as error:
            print(error)

    """


def said(folder, body, **environment):
    """Lines that a process of its own prints, which attempts things in the session in `folder`."""
    program = textwrap.dedent(BEGIN) + textwrap.dedent(body)
    done = subprocess.run(
        [sys.executable, "-c", program, folder],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def failing_disk(tmp_path_factory):
    """A library to preload, under which writes fail while a file exists."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler, to make a library whose writes fail")
    made = tmp_path_factory.mktemp("library") / "failing_disk.so"
    source = Path(__file__).with_name("failing_disk.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, source, "-ldl"], check=True, timeout=60)
    return made


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EIO, "writing: the disk or its file system failed (disk I/O error, IOERR_"),
        (errno.ENOSPC, "writing: no room left to write (database or disk is full)"),
    ],
    ids=["failed", "full"],
)
def test_a_failed_disk_is_not_a_full_one(tmp_path, failing_disk, number, reason):
    fault = tmp_path / "fault"
    lines = said(
        tmp_path / "session",
        """
        fault = Path(os.environ["FAULT_WHILE"])
        with create(folder, {"session": "one"}, encoder.encode((0,))) as store:
            store.commit(chunk(0))
            fault.touch()
            attempt(lambda: store.commit(chunk(1)))
            fault.unlink()
            attempt(lambda: store.commit(chunk(1)))
        with open_store(folder) as store:
            print(store.next_number("tick"), store.cut)
        """,
        LD_PRELOAD=str(failing_disk),
        FAULT_WHILE=str(fault),
        FAULT_ERRNO=str(number),
    )
    assert reason in lines[0]
    assert "what was committed before is intact" in lines[0]
    assert lines[1:] == ["done", "2 None"]


def test_no_descriptors_are_not_missing_permissions(tmp_path):
    (line, _) = said(
        tmp_path,
        """
        create(folder, {"session": "one"}, encoder.encode((0,))).close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        held = []
        try:
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            attempt(lambda: open_store(folder))
        os.close(held.pop())
        print("end")
        """,
    )
    assert "opening: this process has no file descriptors left" in line
    assert "ulimit -n" in line


def test_a_file_size_limit_is_no_room(tmp_path):
    lines = said(
        tmp_path,
        """
        with create(folder, {"session": "one"}, encoder.encode((0,))) as store:
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
            for number in range(30):
                attempt(lambda: store.commit(chunk(number)))
        """,
    )
    failed = [line for line in lines if line != "done"]
    assert lines[0] == "done"
    assert all("writing: no room left to write" in line for line in failed)
    assert failed
