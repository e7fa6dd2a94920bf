"""The documentation holds: protocols parse, examples run, links lead somewhere, no field is missing."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from decoderd import cli, protocol

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def blocks(page, language):
    """Code blocks of a page whose opening line begins with `language`."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


TOML = [(page.name, text) for page in PAGES for text in blocks(page, "toml")]
WHOLE = [(page, text) for page, text in TOML if "[schedule]" in text]


@pytest.mark.parametrize(("page", "text"), WHOLE)
def test_protocols_parse(page, text):
    parsed = protocol.parse(tomllib.loads(text))
    assert protocol.parse(protocol.dump(parsed)) == parsed


def test_there_are_protocols_to_parse():
    assert len(WHOLE) >= 3


def test_perturbations_parse():
    (text,) = blocks(ROOT / "docs" / "how-to" / "perturb.md", "toml")
    (one,) = tomllib.loads(text)["perturbations"]
    assert protocol.parse_perturbation(one).name == "turn"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), target


def test_every_field_is_documented():
    spec = importlib.util.spec_from_file_location("fields", ROOT / "tools" / "fields.py")
    fields = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fields)
    written = (ROOT / "docs" / "how-to" / "fields.md").read_text(encoding="utf-8")
    assert fields.page() == written, "run: python tools/fields.py docs/how-to/fields.md"


def test_every_command_is_named_in_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [command.name or command.callback.__name__ for command in cli.app.registered_commands]
    assert len(commands) >= 6
    for command in commands:
        assert f"decoderd {command}" in text, command


def test_the_examples_of_the_readme_run(tmp_path):
    """As a reader would: save the protocol, run it, then each block of Python."""
    readme = ROOT / "README.md"
    (tmp_path / "first.toml").write_text(blocks(readme, "toml")[0], encoding="utf-8")
    run = [sys.executable, "-m", "decoderd", "run", "first.toml", "--speed", "max", "--out", "runs/first"]
    subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    programs = blocks(readme, "python runnable")
    assert len(programs) == 2
    for program in programs:
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "trials" in done.stdout
