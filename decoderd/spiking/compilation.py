"""Compiled loops where numba is installed (the extra `fast`); the results are the same bits without it.

Arithmetic is stated once, in functions that work on arrays and on single numbers: NumPy runs them on arrays, a compiled
loop on the numbers of one neuron after the other.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

COMPILED = importlib.util.find_spec("numba") is not None


def loop(function: Function) -> Function:
    """A function of loops over arrays, compiled when it is first called; as it is without numba."""
    if not COMPILED:
        return function
    return importlib.import_module("numba").njit(function, error_model="numpy")  # type: ignore[no-any-return]


def callable_in_loops(*functions: Callable[..., Any]) -> None:
    """Let compiled loops call these functions. Nothing else changes."""
    if COMPILED:
        extending = importlib.import_module("numba.extending")
        for function in functions:
            extending.register_jitable(function)
