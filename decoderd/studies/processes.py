"""Calls on several processes of this machine, each with one BLAS thread. A process that dies costs its own call only.

The pool of the standard library ends as a whole when one of its processes is killed, and does not say which call it
had. Here each process has one call at a time: a call whose process died is made once more, in a new one.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing import connection
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

from decoderd.clock import now_ns
from decoderd.errors import DecoderdError

# How often a call is made whose process dies.
ATTEMPTS = 2
# How long a process may take to end when it is asked to, before it is killed.
GRACE_S = 10.0

# Spawned: a forked process would have this one's locks of threads, without the threads.
_SPAWN = multiprocessing.get_context("spawn")


class Part(NamedTuple):
    """One call of a function that a new process can import."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class Done(NamedTuple):
    """What came of a part: its value, or the error it raised."""

    place: int  # among all parts
    value: Any
    error: BaseException | None
    after_s: float  # after the start of all


class PoolResults(NamedTuple):
    """Return values of parts, in the order of parts, and when each was done, s after the start."""

    results: list[Any]
    after_s: list[float]


class ProcessDied(DecoderdError):
    """A process ended without a result."""

    code = "process"


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def run(parts: Sequence[Part], jobs: int, on_progress: Callable[[int], None] = lambda done: None) -> PoolResults:
    """Call every part on `jobs` processes (1: in this process); `on_progress` is called with the number done.

    Results are the same for any number of processes, if parts do not depend on one another. Raises what a part raises,
    and ProcessDied where the process of a part died twice.
    """
    results: list[Any] = [None] * len(parts)
    after_s = [0.0] * len(parts)
    for number, one in enumerate(completed(parts, jobs), start=1):
        if one.error is not None:
            raise one.error
        results[one.place], after_s[one.place] = one.value, one.after_s
        on_progress(number)
    return PoolResults(results, after_s)


def completed(parts: Sequence[Part], jobs: int) -> Iterator[Done]:
    """Call every part on `jobs` processes (1: in this process), and give each as it is done.

    Processes are asked to end (SIGTERM) when the iterator is closed, also by an exception such as KeyboardInterrupt,
    and when this process ends in any way.
    """
    began = now_ns()
    if jobs == 1 or len(parts) < 2:
        for index, part in enumerate(parts):
            value, error = _called(part)
            yield Done(index, value, error, (now_ns() - began) * 1e-9)
        return
    waiting, attempts = deque(range(len(parts))), [0] * len(parts)
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.index is not None for worker in workers):
            idle = [worker for worker in workers if worker.index is None]
            while waiting and (idle or len(workers) < jobs):
                if not idle:
                    workers.append(_Worker())
                    idle = [workers[-1]]
                worker, index = idle.pop(), waiting.popleft()
                attempts[index] += 1
                worker.begin(index, parts[index])
            for worker in _ready(workers):
                index, answer = worker.take()
                if answer is None:
                    workers.remove(worker)
                    if attempts[index] < ATTEMPTS:
                        waiting.appendleft(index)
                        continue
                    answer = None, ProcessDied(f"its process {worker.ending()}, {ATTEMPTS} times")
                value, error = answer
                yield Done(index, value, error, (now_ns() - began) * 1e-9)
    finally:
        _end(workers)


class _Worker:
    """A process that makes one call after the other, and the index of its present one."""

    def __init__(self) -> None:
        self.connection, theirs = _SPAWN.Pipe()
        self.index: int | None = None
        self.process = _SPAWN.Process(target=_work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def begin(self, index: int, part: Part) -> None:
        """Give the process its next call. If it is dead, `take` finds that."""
        self.index = index
        with suppress(OSError):
            self.connection.send(part)

    def take(self) -> tuple[int, tuple[Any, BaseException | None] | None]:
        """(index, (value, error)) of the call; None in place of the pair if the process died."""
        index, self.index = self.index, None
        assert index is not None
        try:
            return index, self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return index, None

    def ending(self) -> str:
        """How the process ended, in words."""
        status = self.process.exitcode or 0
        return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"exited with status {status}"


def _ready(workers: Sequence[_Worker]) -> list[_Worker]:
    busy = {worker.connection: worker for worker in workers if worker.index is not None}
    return [busy[found] for found in connection.wait(list(busy))]  # type: ignore[index]


def _end(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.connection.close()  # one that waits for a call ends
        if worker.index is not None:
            worker.process.terminate()
    for worker in workers:
        worker.process.join(GRACE_S)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()


def _work(calls: Any) -> None:
    """The process of a worker. It has a group of its own: Ctrl-C reaches the parent, which asks it to end."""
    os.setpgid(0, 0)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            part = calls.recv()
        except EOFError:
            return
        answer = _called(part)
        try:
            calls.send(answer)
        except BrokenPipeError:
            return
        except Exception as error:  # a value or an error that cannot be pickled
            calls.send((None, TypeError(f"what the call gave cannot be passed on: {error}")))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _called(part: Part) -> tuple[Any, BaseException | None]:
    # Unpickling the part has imported its modules, and with them the libraries whose threads are limited.
    with threadpool_limits(limits=1):
        try:
            return part.function(*part.arguments), None
        except Exception as error:
            if not isinstance(error, DecoderdError):
                error.add_note("".join(traceback.format_tb(error.__traceback__)))
            return None, error
