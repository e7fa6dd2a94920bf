"""Parts of a study on the workers of a Dask scheduler.

The scheduler and its workers are the user's. What they do is in the study's folder, which the workers have to see, so
nothing is lost with any of them: a worker that dies loses its present session, and a rerun goes on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from decoderd import extras
from decoderd.clock import now_ns
from decoderd.recording.session_file import versions
from decoderd.studies import folder
from decoderd.studies.processes import Done, Part
from decoderd.studies.study import StudyError

# Parts that wait at the scheduler for each thread of a worker; the others wait here.
AHEAD = 2
# How often it is looked whether there are workers, s.
LOOK_EVERY_S = 1.0


def completed(parts: Sequence[Part], address: str, wait_s: float, place: Path) -> Iterator[Done]:
    """Call every part on a worker of the scheduler at `address`, and give each as it is done.

    Raises MissingExtra without Dask; StudyError where there is no scheduler or, for `wait_s` seconds, no worker, for
    workers that have other versions or do not see the folder `place`, and where the scheduler goes away.
    """
    distributed = _distributed()
    gone = (distributed.comm.CommClosedError, CancelledError, OSError)
    try:
        client = distributed.Client(address, timeout=wait_s)
    except (OSError, ValueError) as error:
        raise StudyError(f"--scheduler {address}: no Dask scheduler answers ({error})", "scheduler") from None
    try:
        _wait_for_workers(client, address, wait_s)
        _check_workers(client, place)
        yield from _run(distributed, client, parts, address, wait_s)
    except gone as error:
        raise StudyError(
            f"the scheduler at {address} is gone ({type(error).__name__}); what was done is stored: the same command "
            "with another scheduler goes on",
            "scheduler",
        ) from None
    finally:
        client.close(timeout=5)


def _distributed() -> Any:
    with extras.needed("dask", "--scheduler"):
        import distributed
        import distributed.comm
    return distributed


def _wait_for_workers(client: Any, address: str, wait_s: float) -> None:
    try:
        client.wait_for_workers(1, timeout=wait_s)
    except TimeoutError:
        raise StudyError(
            f"the scheduler at {address} had no worker for {wait_s:g} s: start one with `dask worker {address} "
            "--nthreads 1`, or give --wait more seconds",
            "scheduler",
        ) from None


def _check_workers(client: Any, place: Path) -> None:
    """Raise StudyError for workers whose versions are others, or that do not see the folder."""
    mine, where = versions(), str(place.absolute() / folder.STUDY)
    for worker, (theirs, sees) in client.run(_seen, where).items():
        differ = [f"{name} {theirs.get(name)} (here {mine[name]})" for name in mine if theirs.get(name) != mine[name]]
        if differ:
            raise StudyError(
                f"the worker {worker} has {', '.join(differ)}: results would differ in their last bits. Give all "
                "workers the same versions",
                "scheduler",
            )
        if not sees:
            raise StudyError(f"the worker {worker} does not see {where}: use a folder that all machines share", "out")


def _seen(path: str) -> tuple[dict[str, str], bool]:
    """Versions of a worker, and whether it sees a file."""
    return versions(), Path(path).exists()


def _run(distributed: Any, client: Any, parts: Sequence[Part], address: str, wait_s: float) -> Iterator[Done]:
    """Give the scheduler some parts at a time. A part that is done is forgotten there, so that it is not done again."""
    began, last_seen = now_ns(), now_ns()
    waiting = deque(range(len(parts)))
    running: dict[Any, int] = {}  # place of the part, by future
    while waiting or running:
        threads = client.nthreads()  # by worker
        if threads:
            last_seen = now_ns()
        elif (now_ns() - last_seen) * 1e-9 > wait_s:
            raise StudyError(
                f"the scheduler at {address} has had no worker for {wait_s:g} s; what was done is stored: start "
                "workers, and the same command goes on",
                "scheduler",
            )
        room = AHEAD * sum(threads.values())
        while waiting and len(running) < room:
            place = waiting.popleft()
            function, arguments = parts[place]
            running[client.submit(function, *arguments, pure=False, retries=0)] = place
        for future in _finished(distributed, list(running)):
            place = running.pop(future)
            error = future.exception() if future.status == "error" else None
            if future.status == "cancelled":
                raise OSError("it has forgotten a session")
            value = None if error is not None else future.result()
            future.release()
            yield Done(place, value, error, (now_ns() - began) * 1e-9)


def _finished(distributed: Any, futures: Sequence[Any]) -> Sequence[Any]:
    if not futures:
        time.sleep(LOOK_EVERY_S)
        return ()
    try:
        return [*distributed.wait(futures, timeout=LOOK_EVERY_S, return_when="FIRST_COMPLETED").done]
    except TimeoutError:
        return ()
