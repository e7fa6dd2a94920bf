"""Runs tests in a network namespace of their own: LSL listens on all interfaces, and there is only loopback then."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
TIMEOUT_S = 300
# Discovery without multicast, which a namespace with loopback alone does not have.
SETTINGS = """
[ports]
IPv6 = disable
[multicast]
ResolveScope = machine
[lab]
KnownPeers = {127.0.0.1}
[log]
level = -3
"""


def command(*words: object) -> list[str]:
    """A command in a namespace of its own with loopback up. Skips the test where that is not permitted."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("unshare and ip are not installed: LSL is not tested where other machines could see it")
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    isolated = ["unshare", *user, "--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    tried = subprocess.run([*isolated, "true"], capture_output=True, text=True, timeout=20, check=False)
    if tried.returncode:
        pytest.skip(f"no network namespace is permitted here: {tried.stderr.strip()}")
    return [*isolated, *map(str, words)]


def environment(folder: Path) -> dict[str, str]:
    """Variables for programs of LSL in such a namespace."""
    settings = folder / "lsl_api.cfg"
    settings.write_text(SETTINGS)
    return {**os.environ, "LSLAPICFG": str(settings)}


def run_tests(file: Path, folder: Path, *options: str, timeout_s: float = TIMEOUT_S) -> str:
    """Run the tests in a file in a namespace; returns what pytest printed. They have to pass."""
    words = command(sys.executable, "-m", "pytest", file, "-q", "-n0", "-p", "no:cacheprovider", "--no-cov", *options)
    done = subprocess.run(
        words, cwd=ROOT, env=environment(folder), capture_output=True, text=True, timeout=timeout_s, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
