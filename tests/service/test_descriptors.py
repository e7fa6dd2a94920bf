"""Free descriptors: a reserve is left for the data."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from decoderd.errors import Shortage
from decoderd.service import descriptors
from tests.running import cli, failure


@pytest.mark.parametrize(("free", "enough"), [(descriptors.RESERVE + 5, True), (descriptors.RESERVE - 1, False)])
def test_a_reserve_is_left(monkeypatch, free, enough):
    limit = len(os.listdir("/proc/self/fd")) + free
    monkeypatch.setattr(descriptors.resource, "getrlimit", lambda _: (limit, limit))
    if enough:
        descriptors.leave("to test")
    else:
        with pytest.raises(Shortage, match=f"no file descriptor is left to test: raise .* {limit}"):
            descriptors.leave("to test")


def test_the_soft_limit_is_raised_to_the_hard_one():
    program = """
import resource
from decoderd.service import descriptors
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
descriptors.raise_limit()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
"""
    subprocess.run([sys.executable, "-c", program], timeout=30, check=True)


def test_too_few_descriptors_for_the_first_sockets_are_an_error(tmp_path):
    """ZeroMQ would end the process."""

    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (10, 10))

    done = cli("serve", "--data", tmp_path, "--control", "tcp://127.0.0.1:*", timeout=30, preexec_fn=few)
    assert "no file descriptor is left for the sockets" in failure(done)


def test_an_open_file_is_a_descriptor_more(tmp_path):
    before = descriptors.used()
    with (tmp_path / "file").open("w"):
        assert descriptors.used() == before + 1
    assert descriptors.used() == before
