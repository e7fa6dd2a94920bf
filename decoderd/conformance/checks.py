"""Comparisons of nested states, parameters and results: tuples of arrays, numbers and strings, called trees here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from decoderd.checkpoint import Encoder, decode

# Batched and single results, and what a matrix product in another order gives, agree to this.
ROUNDING = 1e-12


def mapped(function: Callable[[np.ndarray], np.ndarray], tree: Any) -> Any:
    """The tree with `function` applied to every array; anything that is neither array nor container stays."""
    if isinstance(tree, np.ndarray):
        return function(tree)
    if isinstance(tree, tuple):
        parts = [mapped(function, part) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    if isinstance(tree, list):  # no checkpoint holds one, but what is in it can be compared and is not shared
        return [mapped(function, part) for part in tree]
    if isinstance(tree, dict):
        return {name: mapped(function, part) for name, part in tree.items()}
    return tree


def moved_along(tree: Any, direction: Any, amount: float) -> Any:
    """The tree plus `amount` times `direction`, a tree of the same structure."""
    if isinstance(tree, np.ndarray):
        return tree + amount * direction
    parts = [moved_along(part, other, amount) for part, other in zip(tree, direction, strict=True)]
    return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)


def inner(one: Any, other: Any) -> float:
    """The sum of the products of all entries of two trees of arrays."""
    if isinstance(one, np.ndarray):
        return float((one * other).sum())
    return sum(inner(a, b) for a, b in zip(one, other, strict=True))


def snapshot(tree: Any) -> Any:
    """A copy that later writing into the tree's arrays cannot reach."""
    return mapped(lambda array: array.copy(order="K"), tree)


def restored(tree: Any) -> Any:
    """A copy of the tree with equal arrays in new memory, row by row, as a resumed session may find them."""
    return mapped(lambda array: np.array(array, order="C"), tree)


def same(one: Any, other: Any, tolerance: float = 0.0, where: str = "result") -> None:
    """Raise AssertionError, naming the place, unless two trees agree; tolerance 0 means bit for bit.

    `tolerance` is relative to the largest entry of each array, or absolute where that is below 1.
    """
    if isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray), f"{where}: an array and a {type(other).__name__}"
        assert (one.shape, one.dtype) == (other.shape, other.dtype), (
            f"{where}: {one.dtype} {one.shape} and {other.dtype} {other.shape}"
        )
        if tolerance and one.size:
            off = np.abs(one.astype(np.float64) - other).max()
            allowed = tolerance * max(1.0, np.abs(one).max())
            assert off <= allowed, f"{where}: differs by up to {off:.3g}, allowed is {allowed:.3g}"
        else:
            assert one.tobytes() == other.tobytes(), f"{where}: {one} and {other} are not the same bit for bit"
    elif isinstance(one, tuple | list):
        assert type(one) is type(other), f"{where}: {type(one).__name__} and {type(other).__name__}"
        assert len(one) == len(other), f"{where}: {len(one)} and {len(other)} entries"
        names = getattr(one, "_fields", range(len(one)))
        for name, a, b in zip(names, one, other, strict=True):
            same(a, b, tolerance, f"{where}.{name}")
    elif isinstance(one, Mapping):
        assert isinstance(other, Mapping), f"{where}: a mapping and a {type(other).__name__}"
        assert list(one) == list(other), f"{where}: keys {list(one)} and {list(other)}"
        for name in one:
            same(one[name], other[name], tolerance, f"{where}[{name!r}]")
    elif isinstance(one, float):
        both_nan = np.isnan(one) and np.isnan(other)
        assert both_nan or abs(one - other) <= tolerance * max(1.0, abs(one)), f"{where}: {one!r} and {other!r}"
    else:
        assert one is other or one == other, f"{where}: {one!r} and {other!r}"


def pure(function: Callable[..., Any], *arguments: Any) -> Any:
    """The result of function(*arguments). Raises AssertionError if a second call differs or an argument changes."""
    before = snapshot(arguments)
    first = function(*arguments)
    same(before, snapshot(arguments), where="arguments, after the call")
    kept = snapshot(first)
    same(kept, function(*arguments), where="result, called again")
    same(kept, first, where="first result, after the second call")
    return first


def storable(tree: Any, where: str = "state", mappings: bool = False) -> None:
    """Raise AssertionError unless a checkpoint can hold the tree and gives it back bit for bit.

    It holds named tuples with a stored name (`decoderd.checkpoint.stored`), tuples, arrays of numbers, numbers, strings
    and None; with `mappings`, as in parameters, also dicts with string keys.
    """
    _plain(tree, where, mappings)
    try:
        encoded = Encoder().encode(tree)
    except TypeError as error:
        raise AssertionError(f"{where}: {error}") from None
    same(tree, decode(encoded.body, encoded.fresh.__getitem__, lambda data: data), where=f"{where} from a checkpoint")


def _plain(tree: Any, where: str, mappings: bool) -> None:
    """Raise AssertionError, naming the place, where the tree holds anything but what `storable` lists."""
    if isinstance(tree, np.ndarray):
        assert tree.dtype.kind in "bifu", f"{where}: an array of {tree.dtype} has no place in a checkpoint"
    elif isinstance(tree, tuple):
        for name, part in zip(getattr(tree, "_fields", range(len(tree))), tree, strict=True):
            _plain(part, f"{where}.{name}", mappings)
    elif isinstance(tree, dict) and mappings:
        for name, part in tree.items():
            assert isinstance(name, str), f"{where}: key {name!r} is no string"
            _plain(part, f"{where}[{name!r}]", mappings)
    else:
        assert tree is None or isinstance(tree, bool | int | float | str | np.number), (
            f"{where}: a {type(tree).__name__} has no place in a checkpoint"
        )


def finite(tree: Any, where: str = "result") -> None:
    """Raise AssertionError where an array of the tree holds NaN or infinity."""

    def check(array: np.ndarray) -> np.ndarray:
        assert np.isfinite(array).all(), f"{where}: holds values that are not finite: {array}"
        return array

    mapped(check, tree)
