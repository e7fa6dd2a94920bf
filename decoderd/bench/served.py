"""Sessions and subscribers in processes of their own, for benchmarks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from decoderd.errors import ServiceError


class Served(NamedTuple):
    """A session process."""

    directory: Path
    process: subprocess.Popen[str]
    stream: str
    control: str

    def summary(self) -> dict[str, Any]:
        """The summary that it printed, after its end. Raises ServiceError if it failed."""
        out, err = self.process.communicate()
        if self.process.returncode:
            raise ServiceError(f"the session failed: {err.strip()}")
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
        return found


@contextmanager
def served(protocol: dict[str, Any], *options: str, linger_s: float = 1.0) -> Iterator[Served]:
    """`decoderd run PROTOCOL --serve` with `options`, in a directory that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="decoderd-bench-") as place:
        plan, directory = Path(place) / "protocol.json", Path(place) / "session"
        plan.write_text(json.dumps(protocol), encoding="utf-8")
        command = [sys.executable, "-m", "decoderd", "run", str(plan), "--out", str(directory), "--serve", "--json"]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen([*command, "--linger", str(linger_s), *options], **pipes)
        try:
            assert process.stderr is not None
            printed = ""
            for line in process.stderr:
                printed += line
                if found := re.search(r"stream (\S+), control (\S+)", line):
                    yield Served(directory, process, *found.groups())
                    break
            else:
                raise ServiceError(f"the session did not begin: {printed.strip()}")
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


class Companion:
    """A process that runs `function(pipe, *arguments)` and sends its results through the pipe."""

    def __init__(self, function: Callable[..., None], *arguments: Any) -> None:
        spawn = get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(target=function, args=(theirs, *arguments), daemon=True)
        self.process.start()
        theirs.close()

    def receive(self) -> Any:
        """The next object that it sends. Raises ServiceError if it ended instead."""
        try:
            return self.pipe.recv()
        except EOFError:
            raise ServiceError("a process that the measurement needs has ended; its error is printed above") from None

    def end(self) -> None:
        """Wait for its end."""
        self.pipe.close()
        self.process.join()

    def __enter__(self) -> Companion:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is not None:
            self.process.kill()
        self.end()


Pipe = Connection
