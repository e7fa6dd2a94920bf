"""`decoderd serve` in a process of its own, and the session processes that it starts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress

from decoderd.protocol import protocol as protocols
from decoderd.recording.store import open_store
from decoderd.service import process_file
from decoderd_client import Session, Supervisor
from tests.running import TIMEOUT_S, cli, start, write

ANY_PORT = "tcp://127.0.0.1:*"


@contextmanager
def served(folder, data, *options, name="run"):
    """A session process of ours: (control endpoint, its directory, the process).

    The session has the name of its protocol and seed, as one that `running.record` makes. The process is ended by a
    signal, so it lingers for as long as a slow machine may let its readers wait.
    """
    protocol = write(folder / f"{name}.toml", data)
    out = folder / name
    names = () if "--name" in options else ("--name", protocols.parse(data).session)
    process = start("run", protocol, "--serve", "--out", out, "--linger", "60", *names, *options)
    reading = threading.Thread(target=process.stderr.read, daemon=True)  # so that its pipe never fills
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"control (tcp://\S+?)[,\s]", line):
                break
        else:
            raise AssertionError("".join(lines))
        reading.start()
        yield found.group(1), out, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(TIMEOUT_S)
        if reading.ident is not None:
            reading.join(TIMEOUT_S)
        process.stdout.close()
        process.stderr.close()


def lockstep(*participants):
    """Options of a session in lockstep whose participants grant ticks."""
    return ("--speed", "lockstep", *(word for one in participants for word in ("--participant", f"{one}=tick")))


class Daemon:
    """A supervisor over `data`. `control` is where it listens; `begin` is called in its process before it starts."""

    def __init__(self, data, *options, control=ANY_PORT, begin=None):
        self.data, self.said = data, []
        self.process = start("serve", "--data", data, "--control", control, *options, preexec_fn=begin)
        for line in self.process.stderr:
            self.said.append(line)
            if found := re.search(r"control (tcp://\S+?)[,\s]", line):
                self.control = found.group(1)
                break
        else:
            raise AssertionError("".join(self.said))
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self):
        self.said += list(self.process.stderr)

    def end(self, number=signal.SIGTERM):
        """Send a signal, wait; returns the exit status."""
        self.process.send_signal(number)
        code = self.process.wait(20)
        self._reading.join(5)
        return code

    def close(self):
        """Close its pipes, once it has ended."""
        self._reading.join(5)
        self.process.stdout.close()
        self.process.stderr.close()


@contextmanager
def daemon(data, *options, **more):
    """A supervisor; it and all sessions in `data` have ended afterwards."""
    one = Daemon(data, *options, **more)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)
        one.close()
        end_sessions(data)


def end_sessions(data):
    """Kill session processes of `data` that live, by the numbers in their process files."""
    for folder in (path for path in data.iterdir() if path.is_dir()):
        record = process_file.read(folder)
        if record is not None and process_file.alive(folder):
            with suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGKILL)
            wait_for(lambda folder=folder: not process_file.alive(folder))


@contextmanager
def asking(one, **options):
    """A client of the supervisor."""
    with Supervisor(one.control, timeout_s=20.0, **options) as supervisor:
        yield supervisor


def follow(control, topics, into):
    """Append the messages of a session to a list, from its start to its end."""
    with Session(control) as session, session.subscribe(topics, from_start=True) as messages:
        into.extend(messages)


def wait_for(condition, within_s=30.0):
    """Until condition() is true; returns what it gave."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
    return found


def kept(directory, topic="tick"):
    """The messages of a topic that are committed now."""
    with open_store(directory) as store:
        return b"".join(chunk.data for chunk in store.chunks(topic))


def journal(directory):
    """(tick, bytes) of the inputs that are committed now."""
    with open_store(directory) as store:
        return list(store.journal())


def replayed(directory):
    """What `decoderd replay --verify` finds."""
    done = cli("replay", directory, "--verify", "--json")
    return json.loads(done.stdout.splitlines()[-1])
