"""Files that a protocol names: regular files are opened, everything else is refused at once, by name and reason."""

from __future__ import annotations

import os
import resource
import socket
from pathlib import Path

import pytest

from decoderd.errors import ArrayError
from decoderd.regular_file import open_regular


def pipe(folder):
    os.mkfifo(folder / "one")
    return folder / "one"


def loop(folder):
    (folder / "one").symlink_to(folder / "other")
    (folder / "other").symlink_to(folder / "one")
    return folder / "one"


def listening(folder):
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(folder / "one"))
    return folder / "one"


def below_a_file(folder):
    (folder / "one").touch()
    return folder / "one" / "other"


KINDS = [
    (pipe, "is a named pipe, expected a regular file"),
    (lambda folder: folder, "is a directory, expected a regular file"),
    (lambda folder: Path("/dev/zero"), "is a device, expected a regular file"),
    (listening, "is a socket, expected a regular file"),
    (loop, "symbolic links lead in a circle"),
    (lambda folder: folder / ("x" * 300), "the name is too long"),
    (lambda folder: folder / "one\0other", "no file has a NUL character in its name"),
    (lambda folder: folder / "missing", "no such file"),
    (below_a_file, "a part of its path is no directory"),
]


@pytest.mark.parametrize(("make", "says"), KINDS)
def test_what_is_no_regular_file_is_refused(tmp_path, make, says):
    path = make(tmp_path)
    with pytest.raises(ArrayError) as caught:
        open_regular(path, ArrayError)
    assert says in str(caught.value)
    assert path.name.replace("\0", "\\x00") in str(caught.value)


def test_a_regular_file_is_opened_also_through_a_link(tmp_path):
    (tmp_path / "one").write_bytes(b"counts")
    (tmp_path / "link").symlink_to("one")
    with open_regular(tmp_path / "link", ArrayError) as file:
        assert file.read() == b"counts"


def test_a_pipe_that_takes_the_place_of_a_file_is_refused_without_waiting(tmp_path, monkeypatch):
    (tmp_path / "one").touch()
    regular = os.stat(tmp_path / "one")
    os.unlink(tmp_path / "one")
    os.mkfifo(tmp_path / "one")
    monkeypatch.setattr("decoderd.regular_file.os.stat", lambda path: regular)  # as it was a moment ago
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ArrayError, match="is a named pipe"):
        open_regular(tmp_path / "one", ArrayError)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_lack_of_descriptors_is_no_lack_of_permission(tmp_path):
    (tmp_path / "one").touch()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(ArrayError) as caught:
            open_regular(tmp_path / "one", ArrayError)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "no file descriptor left (ulimit -n)" in str(caught.value)
