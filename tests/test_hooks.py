"""The hooks of pre-commit are the checks of `make lint`, and their commands run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOOKS = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
ENTRIES = re.findall(r"^ +entry: (.+)$", HOOKS, re.MULTILINE)
PROGRAMS = {entry.split()[0].rpartition("/")[2] for entry in ENTRIES}


def here(entry: str) -> list[str]:
    """The command of a hook in the environment that runs the tests."""
    program, *options = entry.split()
    return [str(Path(sys.executable).parent / Path(program).name), *options]


def test_hooks_are_local_and_run_what_lint_runs():
    lint = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    assert set(re.findall(r"\$\(TEST\)/bin/(\S+)", lint)) == PROGRAMS
    assert re.findall(r"^ +- repo: (.+)$", HOOKS, re.MULTILINE) == ["local"]
    assert set(re.findall(r"^ +language: (.+)$", HOOKS, re.MULTILINE)) == {"system"}


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if "ruff" in entry])
def test_a_hook_passes_a_good_file_and_refuses_a_bad_one(entry, tmp_path):
    """mypy and import contracts take no files: `make lint` runs them on the whole tree."""
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text('"""A module."""\n\nONE = 1\n')
    bad.write_text("import os\nONE  =  1\n")
    assert subprocess.run([*here(entry), str(good)], capture_output=True, timeout=60).returncode == 0
    assert subprocess.run([*here(entry), str(bad)], capture_output=True, timeout=60).returncode == 1


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if "ruff" not in entry])
def test_the_programs_of_the_other_hooks_are_installed(entry):
    assert subprocess.run([*here(entry), "--help"], capture_output=True, timeout=60).returncode == 0
