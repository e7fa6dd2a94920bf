"""A disk that is really full: a run ends with an error and can be resumed."""

from __future__ import annotations

import resource
import shutil

from decoderd.recording.database import FILE
from tests import protocols, running

# --- a disk that is really full


def limited(bytes_):
    def prepare():
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_))

    return prepare


def test_a_run_ends_with_an_error_when_the_disk_is_full_and_can_be_resumed(tmp_path):
    protocol = running.write(tmp_path / "p.toml", protocols.lasting(200.0))
    whole = running.summary(running.cli("run", protocol, "--speed", "max", "--out", tmp_path / "whole", "--json"))
    needed = (tmp_path / "whole" / FILE).stat().st_size
    for part in (0.5, 0.9):
        size = int(part * needed)
        folder = tmp_path / str(size)
        named = ("--name", whole["session"], "--out", folder)
        failed = running.cli("run", protocol, "--speed", "max", *named, "--json", preexec_fn=limited(size))
        assert "no room left to write" in running.failure(failed)
        assert failed.returncode == 1
        assert running.refusal(failed)["code"] == "bad_store"
        committed = running.stored(folder)
        resumed = running.summary(running.cli("resume", folder, "--speed", "max", "--json"))
        assert resumed["digest"] == whole["digest"]
        assert resumed["done"]
        assert running.stored(folder).startswith(committed)
        shutil.rmtree(folder)


def test_a_session_that_cannot_be_created_is_reported(tmp_path):
    protocol = running.write(tmp_path / "p.toml", protocols.lasting(1.0))
    failed = running.cli("run", protocol, "--speed", "max", "--out", tmp_path / "s", preexec_fn=limited(8_000))
    assert "creating: no room left to write" in running.failure(failed)
    assert failed.returncode == 1
    done = running.cli("run", protocol, "--speed", "max", "--out", tmp_path / "s", "--json")
    assert running.summary(done)["ticks"] == 100
