"""The parts of an experiment on several processes, each with one BLAS thread: the same result for any number of them.

Parts do not depend on the number of processes, nor on one another, and each is told its random streams by its seeds.
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
    """One call of a function that a fresh process can import."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class Done(NamedTuple):
    """What parts returned, in their order, and when each was done, in seconds after the start."""

    results: list[Any]
    after_s: list[float]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def run(parts: Sequence[Part], jobs: int, advance: Callable[[int], None] = lambda done: None) -> Done:
    """Call every part on `jobs` processes (1: in this one); `advance` hears how many are done."""
    began = now_ns()
    results: list[Any] = [None] * len(parts)
    after_s = [0.0] * len(parts)

    def finished(index: int, result: Any, done: int) -> None:
        results[index], after_s[index] = result, (now_ns() - began) * 1e-9
        advance(done)

    if jobs == 1 or len(parts) < 2:
        for index, part in enumerate(parts):
            finished(index, _call(part), index + 1)
        return Done(results, after_s)
    # Processes begin afresh: a fork would copy the threads' locks of this one, and not the threads.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(parts)), mp_context=fresh) as pool:
        waiting = {pool.submit(_call, part): i for i, part in enumerate(parts)}
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                finished(waiting[future], future.result(), done)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return Done(results, after_s)


def _call(part: Part) -> Any:
    # A part arrives with its modules imported, and so with the libraries whose threads are meant.
    with threadpool_limits(limits=1):
        return part.function(*part.arguments)
