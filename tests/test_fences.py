"""Every code block of the documentation site is run by a test, or says why it cannot be."""

from __future__ import annotations

import re

import pytest

from tests import fences


@pytest.mark.parametrize("page", fences.PAGES, ids=lambda page: str(page.relative_to(fences.ROOT)))
def test_it_is_known_how_each_block_is_run(page):
    wrong = {block.line: fences.complaint(block, page) for block in fences.blocks(page)}
    assert {line: why for line, why in wrong.items() if why} == {}


@pytest.mark.parametrize("page", fences.PAGES, ids=lambda page: str(page.relative_to(fences.ROOT)))
def test_commands_are_in_blocks(page):
    if page.name == "CONTRIBUTING.md":
        pytest.skip("its commands make environments and run these tests")
    prose = re.sub(r"^( *)```.*?^\1```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"^    (?:decoderd|python|pip|make|apt-get|git|docker|npm|pytest)\b.*", prose, re.MULTILINE) == []


def test_the_pages_are_those_of_the_site():
    patterns = re.search(r"include_patterns = \[(.*?)\]", (fences.ROOT / "docs" / "conf.py").read_text(), re.S)[1]
    of_site = {
        path
        for pattern in re.findall(r'"(.*?)"', patterns)
        for path in fences.ROOT.glob(pattern.replace("**.", "**/*."))
    }
    assert {path for path in of_site if path.suffix == ".md" and "node_modules" not in path.parts} == set(fences.PAGES)


def test_blocks_have_the_marks_above_them(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "a\n\n<!-- fails: no x -->\n<!-- given: y -->\n```sh\nls x\n```\n\n- b\n\n  ```python more\n  c = 1\n  ```\n"
    )
    first, second = fences.blocks(page)
    assert first == (5, "sh", "ls x\n", {"fails": "no x", "given": "y"})
    assert second == (11, "python", "c = 1\n", {})


@pytest.mark.parametrize(
    ("language", "marks", "said"),
    [
        ("", {}, "not run"),
        ("toml", {}, "not run"),
        ("sh", {"nut run": "x"}, "unknown mark nut run"),
        ("json", {"run by": "tests/test_arrays.py"}, "that reads"),
        ("json", {"run by": "tests/test_none.py"}, "there is no tests/test_none.py that reads"),
    ],
)
def test_other_blocks_are_found(language, marks, said):
    assert said in (fences.complaint(fences.Block(1, language, "", marks), fences.PAGES[0]) or "")
