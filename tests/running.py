"""Sessions recorded in files: by the library in this process, or by the command line in one of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from decoderd.recording import session_file
from decoderd.recording.store import open_store
from decoderd.run.runner import drive
from decoderd.run.scripted_inputs import ScriptedInputs
from tests.protocols import begun, given, toml

# Nothing here takes this long; a test that hangs fails.
TIMEOUT_S = 120


def record(
    directory: Path,
    data: Mapping[str, Any],
    at: Mapping[int, list[Mapping[str, Any]]] | None = None,
    speed: str = "max",
    name: str | None = None,
) -> dict[str, Any]:
    """Record a protocol given as plain data, under the name of protocol and seed or another; returns the summary."""
    session, state = begun(data)
    session = session if name is None else session._replace(name=name)
    store, encoder = session_file.begin(directory, session, state)
    source = ScriptedInputs({tick: given(*several) for tick, several in (at or {}).items()})
    with store:
        return drive(store, encoder, session, state, speed, source)


def write(path: Path, data: Mapping[str, Any]) -> Path:
    """A protocol file."""
    path.write_text(toml(data))
    return path


def write_inputs(path: Path, at: Mapping[int, list[Mapping[str, Any]]]) -> Path:
    """An inputs file."""
    lines = [json.dumps({"tick": tick, **one}) for tick in sorted(at) for one in at[tick]]
    path.write_text("\n".join(lines) + "\n")
    return path


def command(*arguments: Any) -> list[str]:
    """The command line, run by this interpreter."""
    return [sys.executable, "-m", "decoderd", *map(str, arguments)]


def environment() -> dict[str, str]:
    """As wide a terminal as a message may need, and no colours."""
    return {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "OPENBLAS_NUM_THREADS": "1"}


def cli(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    options = {"capture_output": True, "text": True, "timeout": TIMEOUT_S, "env": environment(), **options}
    return subprocess.run(command(*arguments), **options)


def start(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
    """Start a command. The caller ends it."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment()}
    return subprocess.Popen(command(*arguments), **{**pipes, **options})


def listens(process: subprocess.Popen[str]) -> bool:
    """Whether it catches SIGTERM by now."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def end(process: subprocess.Popen[str]) -> None:
    """Make sure a process of ours is gone."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.communicate(timeout=TIMEOUT_S)


def refusal(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What a command given --json said on standard output of why it failed: one object, nothing else."""
    (line,) = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)["error"]
    return found


def summary(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON object in the last line of the output of a command that went well."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def failure(done: subprocess.CompletedProcess[str]) -> str:
    """The message of a command that failed as it should: said on stderr, no traceback, nothing on stdout."""
    assert done.returncode != 0
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr + done.stdout
    return done.stderr


def stored(directory: Path, topic: str = "tick") -> bytes:
    """All messages of a topic, as recorded."""
    with open_store(directory) as store:
        return b"".join(chunk.data for chunk in store.chunks(topic))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder and what is in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
