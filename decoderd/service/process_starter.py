"""Starting session processes: their command lines, folders, ports and environment."""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path
from typing import Any

from decoderd.errors import Shortage
from decoderd.service import data_directory, systemd
from decoderd.service.process_file import ProcessRecord
from decoderd.service.watched_session import WatchedSession


class ProcessStarter:
    """Starts processes for the sessions of `data`, with `options` for each, on ports of `host`."""

    def __init__(self, data: Path, options: list[str], host: str) -> None:
        self._data, self._options, self._host = data, options, host

    def begin(self, one: WatchedSession, speed: str, lockstep: dict[str, Any] | None, late: str) -> None:
        """Start the process of a new session, whose protocol is in its plan. Raises Shortage."""
        self._start(
            one, self._run_arguments(one, ProcessRecord(speed=speed, lockstep=lockstep, late=late)), begins=True
        )

    def resume(self, one: WatchedSession, record: ProcessRecord | None) -> None:
        """Start a process that resumes the session, at the speed and on the terms of its last one. Raises Shortage."""
        if one.begun:
            self._start(one, ["resume", one.name, *self._endpoints(record)], begins=False)
        else:  # its process died before the session began
            self._start(one, self._run_arguments(one, record or ProcessRecord()), begins=True)

    def _run_arguments(self, one: WatchedSession, record: ProcessRecord) -> list[str]:
        """For a session to begin at the speed, on the terms and at the endpoints of `record`."""
        arguments = [
            "run",
            data_directory.plan(self._data, one.name).name,
            "--out",
            one.name,
            "--name",
            one.name,
            "--speed",
            record.speed,
            "--late",
            record.late,
        ]
        arguments += self._endpoints(record)
        if record.lockstep is not None:
            for name, unit in record.lockstep["grants"].items():
                arguments += ["--participant", f"{name}={unit}"]
            terms = record.lockstep
            arguments += ["--silence", str(terms["silence_s"]), "--when-silent", terms["when_silent"]]
        return arguments

    def _start(self, one: WatchedSession, arguments: list[str], begins: bool) -> None:
        # -P: the process works in the data directory, and must not import what lies there.
        command = [sys.executable, "-P", "-m", "decoderd", *arguments, "--serve", "--json", *self._options]
        one.start_process(command, self._data, _environment(), begins)

    def _endpoints(self, record: ProcessRecord | None) -> list[str]:
        """Those of the process before, so that subscribers find it again; else any free ports."""
        free = f"tcp://{self._host}:*"
        stream, control = (record.stream, record.control) if record is not None else (None, None)
        return ["--stream", _if_free(stream) or free, "--control", _if_free(control) or free]


def _if_free(endpoint: str | None) -> str | None:
    """The endpoint, if its port is free. Raises Shortage if that cannot be known now."""
    if endpoint is None:
        return None
    address, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    try:
        socket.create_server((address.strip("[]"), int(port)), reuse_port=False).close()
    except ValueError:
        return None
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            raise Shortage(f"whether {endpoint} is free cannot be known: {error.strerror}") from None
        return None
    return endpoint


def _environment() -> dict[str, str]:
    """That of the supervisor, without systemd's variables and without paths of modules that are relative."""
    environment = {name: value for name, value in os.environ.items() if name not in systemd.VARIABLES}
    if "PYTHONPATH" in environment:
        folders = [os.path.abspath(one) for one in environment["PYTHONPATH"].split(os.pathsep) if one]
        environment["PYTHONPATH"] = os.pathsep.join(folders)
    return environment
