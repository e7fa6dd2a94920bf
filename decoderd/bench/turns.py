"""Timing in turns: functions are timed round by round, so that changes of the machine's speed affect all of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

from decoderd.clock import now_ns


def microseconds(rivals: Mapping[str, Callable[[], object]], calls: int, rounds: int) -> dict[str, list[float]]:
    """{name: us a call in each round} of functions timed in turns, after a round that does not count."""
    found: dict[str, list[float]] = {name: [] for name in rivals}
    for turn in range(rounds + 1):
        for name, call in rivals.items():
            began = now_ns()
            for _ in range(calls):
                call()
            spent = (now_ns() - began) / calls / 1e3
            if turn:
                found[name].append(spent)
    return found


def figures(rounds: list[float]) -> dict[str, float]:
    """Minimum, median and maximum over the rounds."""
    return {"min": min(rounds), "median": statistics.median(rounds), "max": max(rounds)}


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median over the rounds of ours / theirs."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
