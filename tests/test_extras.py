"""Extras: one message for a package that is not installed, and the lists of extras that agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from decoderd import extras
from decoderd.errors import DecoderdError

ROOT = Path(__file__).resolve().parent.parent
OPTIONAL = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
FOR_DEVELOPERS = {"dev", "release", "docs"}
OF_USERS = set(OPTIONAL) - FOR_DEVELOPERS - {"all"}
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for top in ("decoderd", "clients/decoderd_client", "clients/decoderd_plugins")
    for path in (ROOT / top).rglob("*.py")
)


def test_what_is_missing_is_named_with_the_command_that_installs_it():
    with pytest.raises(extras.MissingExtra) as caught, extras.needed("nwb", "reading x.nwb"):
        import decoderd_no_such_package.part  # type: ignore[import-not-found]  # noqa: F401
    expected = "reading x.nwb needs decoderd_no_such_package, which is not installed: pip install 'decoderd[nwb]'"
    assert str(caught.value) == expected
    assert isinstance(caught.value, DecoderdError)
    assert isinstance(caught.value, ImportError)


def test_what_is_installed_is_imported_and_other_errors_pass():
    with extras.needed("nwb", "x"):
        import json
    assert json.loads("1") == 1
    with pytest.raises(ZeroDivisionError), extras.needed("nwb", "x"):
        raise ZeroDivisionError


def test_all_is_every_extra_of_users():
    (every,) = OPTIONAL["all"]
    assert set(re.fullmatch(r"decoderd\[(.*)\]", every)[1].split(",")) == OF_USERS


@pytest.mark.parametrize("extra", sorted(OF_USERS))
def test_an_extra_has_code_that_imports_its_package(extra):
    packages = [name.replace("-", "_") for one in OPTIONAL[extra] for name in re.findall(r"[a-z][\w-]*", one)]
    imports = rf"^\s*(import|from) ({'|'.join(packages)})\b|import_module\(\"({'|'.join(packages)})\"\)"
    assert re.search(imports, SOURCES, re.MULTILINE), extra


def test_extras_that_are_named_exist():
    named = set(re.findall(r"extras\.(?:needed|install)\([\"'](\w+)[\"']", SOURCES))
    assert named
    assert named <= OF_USERS


def test_no_other_module_says_how_an_extra_is_installed():
    assert SOURCES.count("pip install 'decoderd[") == 1


def test_the_page_on_installation_lists_the_extras():
    page = (ROOT / "docs" / "how-to" / "install.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\|([^|]*)\|$", page, re.M))
    assert set(rows) == OF_USERS | {"all"}
    for extra in OF_USERS:
        for one in OPTIONAL[extra]:
            assert re.match(r"[\w-]+", one)[0] in rows[extra]
