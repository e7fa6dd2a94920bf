"""Runs the parts of an experiment on several processes, each with one BLAS thread.

Results are the same for any number of processes: parts do not depend on it nor on one another, and each part's random
streams follow from its seeds.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

from decoderd.clock import now_ns


class Part(NamedTuple):
    """One call of a function that a new process can import."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class PoolResults(NamedTuple):
    """Return values of parts, in the order of parts, and when each was done, s after the start."""

    results: list[Any]
    after_s: list[float]


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def run(parts: Sequence[Part], jobs: int, on_progress: Callable[[int], None] = lambda done: None) -> PoolResults:
    """Call every part on `jobs` processes (1: in this process); `on_progress` is called with the number done."""
    began = now_ns()
    results: list[Any] = [None] * len(parts)
    after_s = [0.0] * len(parts)

    def finished(index: int, result: Any, done: int) -> None:
        results[index], after_s[index] = result, (now_ns() - began) * 1e-9
        on_progress(done)

    if jobs == 1 or len(parts) < 2:
        for index, part in enumerate(parts):
            finished(index, _call(part), index + 1)
        return PoolResults(results, after_s)
    # Spawned: a forked process would have this one's locks of threads, without the threads.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(parts)), mp_context=spawn) as pool:
        waiting = {pool.submit(_call, part): i for i, part in enumerate(parts)}
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                finished(waiting[future], future.result(), done)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return PoolResults(results, after_s)


def _call(part: Part) -> Any:
    # Unpickling the part has imported its modules, and with them the libraries whose threads are limited.
    with threadpool_limits(limits=1):
        return part.function(*part.arguments)
