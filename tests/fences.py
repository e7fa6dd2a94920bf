"""Code blocks of Markdown pages, and the comments above them that say how each is run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
# Pages of the documentation site, as docs/conf.py has them.
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "decoderd" / "wire" / "specification").rglob("README.md"),
        *(ROOT / top / "README.md" for top in ("benchmarks", "systemd", "clients/c", "clients/csharp", "clients/js")),
        *(ROOT / top / "README.md" for top in ("clients/matlab", "examples/decoder_plugin")),
    ]
)

# What can stand in the comment above a block, `<!-- MARK: text -->`; blocks of `text` are output and need none.
#   file          the name under which a reader saves the block; it is saved, and not run
#   run by        the test that runs the block, or compares it with the code
#   not run       why it cannot be run here
#   given         what a reader has by now: names in tests/campaigns/readers.py
#   in the background until    text that its output has once it is ready; it goes on while later blocks run
#   fails         text that the error has
#   without       lines of it that are left out, and why: `A, B (why)`
# `<!-- all blocks run by: TEST -->` anywhere in a page stands for all its blocks.
MARKS = ("file", "run by", "not run", "given", "in the background until", "fails", "without")
SHOWN = ("text", "mermaid")
RUN = ("sh", "python")
BLOCK = re.compile(
    r"(?P<marks>(?:^<!-- [^\n]* -->\n)*)^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
MARK = re.compile(r"^<!-- ([\w ]+): (.+) -->$", re.MULTILINE)
WHOLE_PAGE = re.compile(r"^<!-- all blocks run by: (.+) -->$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced code block of a page."""

    line: int
    language: str  # the first word after the fence
    code: str
    marks: dict[str, str]


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    whole = WHOLE_PAGE.search(text)
    for found in BLOCK.finditer(text):
        marks = dict(MARK.findall(found["marks"]))
        if whole is not None and not marks:
            marks = {"run by": whole[1]}
        indent = found["indent"]
        code = "".join(line.removeprefix(indent) for line in found["code"].splitlines(keepends=True))
        language = (found["info"].split() or [""])[0]
        yield Block(text[: found.start("info")].count("\n") + 1, language, code, marks)


def complaint(block: Block, page: Path) -> str | None:
    """What is wrong with the marks of a block of a page; None if it is known how it is run."""
    unknown = set(block.marks) - set(MARKS)
    if unknown:
        return f"unknown mark {', '.join(sorted(unknown))}: there are {', '.join(MARKS)}"
    test = block.marks.get("run by", "").partition("::")[0]
    if test and not _reads(ROOT / test, page):
        return f"there is no {test} that reads {page.name}"
    if test or block.language in (*SHOWN, *RUN) or {"file", "not run"} & set(block.marks):
        return None
    return "not run: make it sh or python, text if it is output, or say above it `<!-- not run: why -->`"


def _reads(test: Path, page: Path) -> bool:
    """Whether a test exists and opens this page, or all."""
    text = test.read_text(encoding="utf-8") if test.is_file() else ""
    return page.name in text or 'rglob("*.md")' in text
