"""`decoderd wire`: what it prints and writes, and what it leaves alone."""

from __future__ import annotations

import errno
import json
import shutil

import pytest
from typer.testing import CliRunner

from decoderd.cli import app
from decoderd.cli.wire import SPECIFICATION, FolderError
from decoderd.wire import topics
from decoderd.wire.version import VERSION
from tests.running import cli


def invoked(*arguments):
    return CliRunner().invoke(app.app, ["wire", *map(str, arguments)])


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_without_options_the_specification_is_printed():
    done = cli("wire")
    assert done.returncode == 0
    assert done.stdout == (SPECIFICATION / "README.md").read_text(encoding="utf-8")
    assert done.stdout.startswith(f"# The wire protocol of decoderd, version {VERSION}.")


def test_schemas_and_vectors_are_written(tmp_path):
    done = invoked("--schemas", tmp_path / "made" / "schemas", "--vectors", tmp_path / "vectors")
    assert done.exit_code == 0, done.output
    schemas = tmp_path / "made" / "schemas"
    assert {f"topic.{topic}.json" for topic in topics.MODELS} <= names(schemas)
    assert {path.name: path.read_bytes() for path in schemas.iterdir()} == {
        path.name: path.read_bytes() for path in (SPECIFICATION / "schemas").iterdir()
    }
    assert names(tmp_path / "vectors") == names(SPECIFICATION / "vectors")
    assert json.loads((tmp_path / "vectors" / "messages.json").read_text(encoding="utf-8"))


def test_an_empty_folder_is_used(tmp_path):
    assert invoked("--schemas", tmp_path).exit_code == 0
    assert names(tmp_path) == names(SPECIFICATION / "schemas")


def test_a_folder_that_is_not_empty_is_refused_before_anything_is_written(tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    (there / "mine.json").write_text("{}")
    done = invoked("--schemas", tmp_path / "schemas", "--vectors", there)
    assert isinstance(done.exception, FolderError)
    assert str(done.exception) == f"--vectors {there}: is not empty; give a new folder, or an empty one"
    assert names(tmp_path) == {"there"}
    assert names(there) == {"mine.json"}


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    done = cli("wire", "--schemas", tmp_path / "file")
    assert done.returncode == 1
    assert done.stderr == f"error: --schemas {tmp_path / 'file'}: cannot be used: Not a directory\n"
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("raised", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_left_half_written(tmp_path, monkeypatch, raised):
    copyfile, copied = shutil.copyfile, []

    def full(source, target):
        copied.append(target)
        copyfile(source, target)
        if len(copied) == 3:
            raise raised

    monkeypatch.setattr(shutil, "copyfile", full)
    done = invoked("--schemas", tmp_path / "schemas")
    assert done.exit_code != 0
    assert names(tmp_path / "schemas") == set()
    if isinstance(raised, OSError):
        assert "cannot be written: No space left on device" in str(done.exception)
