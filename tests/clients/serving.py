"""Starts `decoderd run --serve` for a test and yields its control endpoint."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from contextlib import contextmanager

from tests.running import end, start, write


@contextmanager
def served(folder, data, *options, name="run"):
    """A session process of its own: (control endpoint, directory of the session, the process).

    It is ended by a signal at the end, so it may linger for as long as readers on a slow machine need.
    """
    protocol = write(folder / f"{name}.toml", data)
    out = folder / name
    process = start("run", protocol, "--serve", "--out", out, "--linger", "60", *options)
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"control (tcp://\S+?)[,\s]", line):
                break
        else:
            raise AssertionError("".join(lines))
        threading.Thread(target=process.stderr.read, daemon=True).start()  # so that its pipe never fills
        yield found.group(1), out, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                end(process)
        process.stdout.close()
