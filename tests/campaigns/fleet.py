"""A supervisor and its sessions whose processes are killed at random moments, the supervisor's among them."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from decoderd.recording.store import open_store
from decoderd.service import process_file
from decoderd_client import NoAnswer, Supervisor
from tests.campaigns.kills import SERVED, START_S, finish, wait_for_commit
from tests.campaigns.processes import end_all, processes_in
from tests.campaigns.promises import Promises, committed
from tests.service.serving import Daemon, asking, wait_for


def supervised(folder: Path, seed: int, kills: int, sessions: int = 6) -> Counter[str]:
    """Sessions of a supervisor in real time, each with a client that gives inputs."""
    draw, data = random.Random(seed), folder / "data"
    data.mkdir(parents=True)
    promises = {f"s{k}": Promises(data / f"s{k}") for k in range(sessions)}
    over, fleet = threading.Event(), Fleet(data, draw)
    try:
        for name in promises:
            fleet.start(name)
        with ThreadPoolExecutor(sessions) as clients:
            conversing = [clients.submit(converse, over, data / name, one) for name, one in promises.items()]
            try:
                while fleet.counts.total() < kills and not any(client.done() for client in conversing):
                    fleet.strike(sorted(promises))
                fleet.await_running(promises)
            finally:
                over.set()
            for client in conversing:
                client.result()
        with asking(fleet.supervisor) as supervisor:
            for name in promises:
                supervisor.stop(name)
        assert fleet.supervisor.end() == 0
    except BaseException as error:
        error.add_note("\n".join(fleet.events[-20:]))
        raise
    finally:
        fleet.close()
    wait_for(lambda: not processes_in(folder))
    with ThreadPoolExecutor(2) as several:
        list(several.map(finish, (data / name for name in promises), promises.values()))
    counts = fleet.counts
    for name, one in promises.items():
        assert len(committed(data / name)["from_ticks"]) <= 2 + fleet.of_session[name], "more incarnations than kills"
        counts.update(one.counts)
    return counts


def converse(over: threading.Event, folder: Path, promises: Promises) -> None:
    """A client that finds its session again whenever the process was killed, and checks its file then."""
    while not over.is_set():
        record = process_file.read(folder)
        if record is not None and record.state == "running" and record.control and process_file.alive(folder):
            promises.converse(record.control, over)
            promises.check()
        over.wait(0.05)


class Fleet:
    """A supervisor over `data`, its sessions, and what is done to them; `counts` are the kills by their moments."""

    def __init__(self, data: Path, draw: random.Random) -> None:
        self._data, self._draw = data, draw
        self.supervisor = Daemon(data, "--linger", "1")
        self.counts, self.of_session = Counter[str](), Counter[str]()
        self.events: list[str] = []

    def start(self, name: str) -> None:
        """Start a session; in half of the cases the supervisor is killed meanwhile, and the next one is asked again."""
        if self._draw.random() < 0.5:
            with ThreadPoolExecutor(1) as beside:
                beside.submit(self._ask_to_start, name, 1.0)
                time.sleep(self._draw.uniform(0.0, 0.4))
                self._kill_supervisor("as it starts a session")
        assert self._ask_to_start(name, 30.0), f"{name} is not started"

    def _ask_to_start(self, name: str, timeout_s: float) -> bool:
        with Supervisor(self.supervisor.control, timeout_s=timeout_s, attempts=1) as supervisor, suppress(NoAnswer):
            supervisor.start(name, SERVED)
            return True
        return False

    def strike(self, names: list[str]) -> None:
        """Kill something at a random moment."""
        time.sleep(self._draw.uniform(0.0, 0.4))
        what = self._draw.choices(["loop", "commit", "start", "supervisor"], [4, 3, 3, 1])[0]
        if what == "supervisor":
            self._kill_supervisor("as it watches")
            return
        name = self._draw.choice(names)
        self._await_progress(name)
        if what == "commit":
            wait_for_commit(self._data / name)
            time.sleep(self._draw.uniform(0.0, 0.003))
        self._kill_session(name, "loop" if what == "start" else what)
        if what == "start":
            wait_for(lambda: self._process(name))
            time.sleep(self._draw.uniform(0.0, START_S))
            self._kill_session(name, "start")

    def await_running(self, names: Iterable[str]) -> None:
        """All sessions are resumed."""
        for name in names:
            self._await_progress(name)

    def _await_progress(self, name: str) -> None:
        """Wait until a session runs and has committed a tick: one that dies again and again without is given up."""

        def advances() -> bool:
            record = process_file.read(self._data / name)
            assert record is None or record.state != "failed", f"{name}: {record.why}"
            if record is None or record.state != "running" or record.pid not in self._process(name):
                return False
            with open_store(self._data / name) as store:
                return store.next_number("tick") > record.from_tick

        wait_for(advances, 120.0)

    def _process(self, name: str) -> list[int]:
        return [pid for pid, words in processes_in(self._data).items() if name in words]

    def _kill_session(self, name: str, moment: str) -> None:
        for pid in self._process(name):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.of_session[name] += 1
                self._note(f"supervised, {moment}", f"{name}, process {pid}")

    def _kill_supervisor(self, moment: str) -> None:
        self.supervisor.end(signal.SIGKILL)
        self.supervisor.close()
        self._note(f"supervisor, {moment}", f"process {self.supervisor.process.pid}")
        self.supervisor = Daemon(self._data, "--linger", "1")

    def _note(self, moment: str, what: str) -> None:
        self.counts[moment] += 1
        self.events.append(f"{time.strftime('%H:%M:%S')} {moment}: {what}")

    def close(self) -> None:
        """End what is left."""
        if self.supervisor.process.poll() is None:
            self.supervisor.end(signal.SIGKILL)
        self.supervisor.close()
        end_all(self._data)
