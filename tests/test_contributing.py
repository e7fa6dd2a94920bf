"""The checklists of CONTRIBUTING.md work in a copy of the tree, and touch as many files as they say."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
COPIED = (
    "decoderd",
    "clients",
    "tests",
    "protocols",
    "tools",
    "docs",
    "examples",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
)
LARGEST = {
    "A decoder, as a plug-in": 3,
    "A population": 4,
    "A perturbation at a new site": 4,
    "A topic": 4,
    "A control operation": 5,
    "An exporter": 3,
    "A client plug-in": 3,
}

BLOCK = r":\n\n```\w+\n(?P<code>[\s\S]*?)```"
NEW = re.compile(r"^New file `(?P<path>[^`]+)`[^\n]*" + BLOCK, re.MULTILINE)
EDIT = re.compile(
    r"^In `(?P<path>[^`]+)`, (?P<where>above|below|in place of) `(?P<line>.+)`(,[^\n`]*)?" + BLOCK, re.MULTILINE
)
# An edit that the text describes and the checks do not need.
DESCRIBED = re.compile(r"^In `(?P<path>[^`]+)`, the [^\n]*\.$", re.MULTILINE)
GENERATE = re.compile(r"^Generate: `python ([^`]+)`", re.MULTILINE)
CHECK = re.compile(r"^Check: `pytest ([^`]+)`", re.MULTILINE)


class Checklist(NamedTuple):
    """A section of CONTRIBUTING.md."""

    title: str
    files: int
    text: str


def checklists() -> list[Checklist]:
    """All sections whose heading says how many files they touch."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    parts = re.split(r"^### ([^\n]+) \((\d+) files\)$", text, flags=re.MULTILINE)
    return [
        Checklist(title, int(files), body) for title, files, body in zip(*(parts[k::3] for k in (1, 2, 3)), strict=True)
    ]


def copied(folder: Path) -> Path:
    """The tree without what git ignores."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "node_modules", ".pytest_cache", "*.png")
    for name in COPIED:
        source = ROOT / name
        (shutil.copytree(source, folder / name, ignore=ignored) if source.is_dir() else shutil.copy(source, folder))
    return folder


def follow(checklist: Checklist, folder: Path) -> set[str]:
    """Do what the checklist says; returns the paths of the files touched."""
    touched = {edit["path"] for edit in DESCRIBED.finditer(checklist.text)}
    for new in NEW.finditer(checklist.text):
        path = folder / new["path"]
        assert not path.exists(), f"{new['path']} exists already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(new["code"], encoding="utf-8")
        touched.add(new["path"])
    for edit in EDIT.finditer(checklist.text):
        path, line = folder / edit["path"], edit["line"] + "\n"
        before = path.read_text(encoding="utf-8")
        assert f"\n{line}" in f"\n{before}", f"{edit['path']} has no line {edit['line']!r}"
        head, _, tail = f"\n{before}".partition(f"\n{line}")
        kept = {"above": edit["code"] + line, "below": line + edit["code"], "in place of": edit["code"]}[edit["where"]]
        path.write_text(f"{head}\n{kept}{tail}"[1:], encoding="utf-8")
        touched.add(edit["path"])
    return touched


def install(folder: Path) -> None:
    """Write the entry points of a folder's pyproject.toml where an interpreter that has it on its path finds them."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8"
    )
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in points.items())
        for group, points in project["entry-points"].items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")


def python(folder: Path, *arguments: str) -> None:
    """Run an interpreter that takes everything from the copy."""
    path = [folder, folder / "clients", folder / "plugin"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("COV_CORE_SOURCE", None)
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{shlex.join(arguments)}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("checklist", checklists(), ids=lambda checklist: checklist.title)
def test_a_checklist_works_and_touches_as_many_files_as_it_says(checklist, tmp_path):
    folder = copied(tmp_path)
    touched = follow(checklist, folder)
    assert len(touched) == checklist.files, sorted(touched)
    for place in (folder, folder / "plugin"):
        if (place / "pyproject.toml").exists():
            install(place)
    for command in GENERATE.findall(checklist.text):
        python(folder, *shlex.split(command))
    (check,) = CHECK.findall(checklist.text)
    python(folder, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *shlex.split(check))


def test_there_is_a_checklist_for_every_extension():
    counts = {checklist.title: checklist.files for checklist in checklists()}
    assert set(counts) == set(LARGEST)
    assert {title: files for title, files in counts.items() if files > LARGEST[title]} == {}
