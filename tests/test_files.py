"""Files: text as people save it; and files that replace others, whole or not at all."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from decoderd import files


def test_the_new_contents_take_the_place_of_the_old(tmp_path):
    path = tmp_path / "a.json"
    for contents in (b"first", b"second"):
        with files.replacing(path) as stream:
            stream.write(contents)
        assert path.read_bytes() == contents
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_a_text_takes_the_place_of_another_in_utf_8(tmp_path):
    path = tmp_path / "a.csv"
    for text in ("first\n", "grün\n"):
        files.replace_text(path, text)
        assert path.read_bytes().decode() == text


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space"), files.replacing(path) as stream:
        stream.write(b"new")
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"a.json": b"old"}


def test_an_error_in_the_context_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), files.replacing(path) as stream:
        stream.write(b"new"[: 1 // 0])
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"a.json": b"old"}


def test_contents_are_synchronised_before_the_name_and_the_folder_after(tmp_path, monkeypatch):
    done, fsync, replace = [], os.fsync, os.replace

    def note_fsync(handle):
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "contents")
        fsync(handle)

    def note_replace(*paths):
        done.append("name")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    with files.replacing(tmp_path / "a.json") as stream:
        stream.write(b"new")
    assert done == ["contents", "name", "folder"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_text_is_read_with_or_without_a_byte_order_mark(tmp_path, encoding):
    path = tmp_path / "a.toml"
    path.write_text("name = 'ä'\n", encoding=encoding)
    assert files.read_text(path) == "name = 'ä'\n"
    path.write_bytes(b"")
    assert files.read_text(path) == ""


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(tmp_path, encoding):
    path = tmp_path / "a.toml"
    path.write_text("name = 'a'\n", encoding=encoding)
    with pytest.raises(ValueError, match="is UTF-16: save it as UTF-8"):
        files.read_text(path)


def test_what_is_no_text_is_an_error_that_names_the_byte(tmp_path):
    path = tmp_path / "a.toml"
    path.write_bytes("name = 'ä'".encode("latin-1"))
    with pytest.raises(ValueError, match="is not text in UTF-8: byte 8 is 0xe4"):
        files.read_text(path)


def test_a_folder_is_made_writable_or_refused(tmp_path):
    files.make_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []  # what was tried is gone
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        files.make_writable(tmp_path / "file")
