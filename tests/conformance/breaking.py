"""Run a contract class of the conformance kit on a component that is broken on purpose."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from decoderd import registry
from decoderd.conformance.component import ComponentContract

Contract = type[ComponentContract]


def with_parts(contract: Contract, **parts: Any) -> Contract:
    """The contract class with a component some of whose functions are replaced."""
    return type(f"Broken{contract.__name__}", (contract,), {"component": contract.component._replace(**parts)})


def failures(contract: Contract, registered: bool = True) -> dict[str, str]:
    """{name of a failed test: its error} after all tests of the class.

    A component that was made in a test is not among the installed ones. It counts as installed unless `registered` is
    false.
    """
    found: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as patch:
        if registered:
            kind = contract.component.Config.model_fields["kind"].default
            patch.setattr(registry, "family", lambda _: {kind: contract.component})
        for name, arguments in _calls(contract):
            try:
                getattr(contract(), name)(**arguments)
            except pytest.skip.Exception:
                continue
            except (Exception, pytest.fail.Exception) as error:
                found[name] = f"{type(error).__name__}: {error}"
    return found


def _calls(contract: Contract) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, arguments) of every test of the class, one for each combination of its parameters."""
    for name, function in inspect.getmembers(contract, inspect.isfunction):
        if name.startswith("test_"):
            marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
            for values in itertools.product(*(mark.args[1] for mark in marks)):
                yield name, {mark.args[0]: value for mark, value in zip(marks, values, strict=True)}


def check(contract: Contract, parts: dict[str, Any], test: str, says: str = "") -> None:
    """Raise AssertionError unless the contract passes the component and `test` fails with the replaced parts."""
    found = failures(with_parts(contract, **parts))
    assert test in found, f"{test} passes a component that is broken; failed are: {sorted(found)}"
    assert says in found[test], f"{test} fails with {found[test]!r}, which does not say {says!r}"
