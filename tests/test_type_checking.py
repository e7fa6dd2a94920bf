"""The exceptions from strict type checking in pyproject.toml are needed, all of them: the list cannot go stale."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]

# {option of strict that is switched off for some modules of decoderd: the error that appears without}
EXCEPTIONS = {
    "warn_return_any": "no-any-return",
    "disallow_any_generics": "type-arg",
}
pytestmark = pytest.mark.campaign  # a whole run of mypy
TESTS = ("tests", "examples", "tools", "test_ole")


def overrides() -> list[dict[str, Any]]:
    """The tables of pyproject.toml that hold for some modules only."""
    found: list[dict[str, Any]] = SETTINGS["overrides"]
    return found


def of_tests(name: str) -> bool:
    """Whether this module, or pattern of modules, is a test, an example or a tool."""
    return name.startswith(TESTS)


def excepted(option: str) -> set[str]:
    """Modules of decoderd and its clients for which pyproject.toml switches an option of strict off."""
    return {name for one in overrides() if one.get(option) is False for name in one["module"] if not of_tests(name)}


def excepted_tests() -> set[str]:
    """Tests, examples and tools for which more errors are switched off than for the others."""
    listed = {name for one in overrides() if "disable_error_code" in one for name in one["module"]}
    return {name for name in listed if of_tests(name) and not name.endswith("*") and name != "test_ole"}


def module(path: str) -> str:
    """The module of a file, as mypy names it."""
    parts = Path(path).with_suffix("").parts
    return ".".join(part for part in parts[parts[0] == "clients" :] if part != "__init__")


def written(value: Any) -> str:
    """A value of TOML as mypy's ini files write it."""
    given = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return given.replace("$MYPY_CONFIG_FILE_DIR", str(ROOT))


@pytest.fixture(scope="module")
def errors() -> list[tuple[str, str]]:
    """(module, code) of every error that mypy finds without the exceptions that name single modules."""
    tables = {"mypy": {name: value for name, value in SETTINGS.items() if name != "overrides"}}
    for one in overrides():
        if any(name.endswith("*") for name in one["module"]):
            settings = {name: value for name, value in one.items() if name != "module"}
            tables[f"mypy-{','.join(one['module'])}"] = settings
    lines = []
    for header, settings in tables.items():
        lines += [f"[{header}]", *(f"{name} = {written(value)}" for name, value in settings.items())]
    cache = ROOT / ".mypy_cache" / "without_exceptions"
    cache.mkdir(parents=True, exist_ok=True)
    plain = cache / "mypy.ini"
    plain.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "mypy", "--config-file", str(plain), "--cache-dir", str(cache)]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300).stdout
    assert re.search(r"checked \d+ source files", out), out
    return [(module(path), code) for path, code in re.findall(r"^(\S+?):\d+: error: .*\[([a-z-]+)\]$", out, re.M)]


def same_modules(needed: set[str], listed: set[str], what: str) -> None:
    """Raise AssertionError, saying what to do, unless both are the same."""
    missing, stale = sorted(needed - listed), sorted(listed - needed)
    faults = [f"mypy finds {what} in {name}: mend it, or list the module in pyproject.toml" for name in missing]
    faults += [f"mypy finds no {what} in {name} any more: remove the module from pyproject.toml" for name in stale]
    assert not faults, "\n".join(["", *faults])


@pytest.mark.parametrize(("option", "code"), EXCEPTIONS.items())
def test_the_exceptions_are_those_that_are_needed(errors, option, code):
    needed = {name for name, found in errors if found == code and not of_tests(name)}
    same_modules(needed, excepted(option), code)


def test_no_other_error_is_excepted_in_the_packages(errors):
    assert [one for one in errors if not of_tests(one[0]) and one[1] not in EXCEPTIONS.values()] == []


def test_the_exceptions_of_tests_are_those_that_are_needed(errors):
    same_modules({name for name, _ in errors if of_tests(name)}, excepted_tests(), "other errors")
