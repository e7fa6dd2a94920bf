"""The contents of the sidebar, from the lists of links in docs/index.md."""

from __future__ import annotations

import re

# "**Do** (how-to)", or a heading, and the page links of the list below it.
SECTION = re.compile(r"^(?:\*\*(?P<part>[^*]+)\*\*|## (?P<heading>.+))", re.MULTILINE)
PAGE = re.compile(r"\]\(([^)#]+\.(?:md|ipynb))\)")


def toctrees(index: str) -> str:
    """Hidden tables of contents, one for each section of the index that links to pages."""
    starts = [*SECTION.finditer(index)]
    ends = [start.start() for start in starts[1:]] + [len(index)]
    trees, seen = [], set()
    for start, end in zip(starts, ends, strict=True):
        pages = [page for page in dict.fromkeys(PAGE.findall(index[start.start() : end])) if page not in seen]
        seen.update(pages)
        if pages:
            caption = start["part"] or start["heading"]
            trees.append("\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *map(_name, pages), "```"]))
    return "\n\n" + "\n\n".join(trees) + "\n"


def _name(page: str) -> str:
    """A page as toctree wants it: from the root of the repository."""
    return "/" + page.removeprefix("../") if page.startswith("../") else page
