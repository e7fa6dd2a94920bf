"""Finds what only the garbage collector would free: a session runs without it, so there must be nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[list[str]]:
    """Names of the types of all objects that became garbage with cycles of references meanwhile, once it has ended."""
    gc.collect()
    collecting = gc.isenabled()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    found: list[str] = []
    try:
        yield found
        gc.collect()
        found += [type(one).__name__ for one in gc.garbage]
    finally:
        gc.garbage.clear()
        gc.set_debug(0)
        if collecting:
            gc.enable()
